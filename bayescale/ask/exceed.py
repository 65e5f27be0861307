"""`exceed`: how probable it is that a planned run beats a score, a given model, or all of a set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.curve import higher_is_better
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, check_interval, intervals
from bayescale.base.words import percent, suggest, told
from bayescale.inference.posterior import Posterior
from bayescale.predict.predict import predict
from bayescale.predict.prediction import COUNTS, chosen_benchmarks
from bayescale.predict.queries import query_columns

Rival = str | float | Mapping[str, Any]
ALL = "all of them"


def exceed(
    fit: Posterior,
    *rivals: str | float | Mapping[str, Any],
    benchmark: str | Sequence[str] | None = None,
    kind: str = "score",
    interval: float = 0.9,
    seed: int = 0,
    **plan: Any,
) -> Answer:
    """Find how probable it is that a planned run beats a score, a given model, or all of a set.

    Parameters
    ----------
    rivals
        Each a score or loss to beat, the name of a run of the fit, or a query such as
        ``{"family": "qwen2", "params": 72e9}``.
    benchmark
        On what; all benchmarks of the fit by default.
    kind
        "score": a measured score of the plan, against a run's own measured score where it has
        one; "mean": expected scores on both sides.
    interval
        Probability of the interval of how far ahead the plan is.
    seed
        Seed.
    plan
        The planned run, as in `predict`.

    Returns
    -------
    Answer
        `.frame`: for each benchmark a row per rival, and with several of them one for all, with
        the expected rank; `probability`, and how far the plan is ahead (positive: better).
        `.draws`: how far, shape (draw, row).

    Raises
    ------
    AskError
        Nothing to beat, or an unknown run.

    Examples
    --------
    >>> fit.exceed(0.8, "gemma-2-9b", benchmark="MMLU", family="qwen2", params=32e9)
    ... # doctest: +SKIP
    """
    check_interval(interval)
    if not rivals:
        raise AskError("name what is to be beaten: a number, a run of the fit, or a query")
    marks = chosen_benchmarks(fit, benchmark)
    plan = {name: value for name, value in plan.items() if value is not None}
    for rival in rivals:
        if not isinstance(rival, str | int | float | np.number | Mapping):
            raise AskError(
                "each rival is a number, the name of a run of the fit, or a query such as "
                f'{{"params": 72e9}}; given: {rival!r:.60}'
            )
    names = [_name(rival) for rival in rivals]
    queries = [_query(fit, r) for r in rivals if not isinstance(r, int | float | np.number)]
    rows = pd.DataFrame([plan, *queries])
    found = predict(fit, rows, benchmark=marks, kind=kind, interval=interval, seed=seed)
    table, columns = [], []
    for j, mark in enumerate(marks):
        sign = 1.0 if higher_is_better(fit, mark) else -1.0
        each = found.draws[:, j :: len(marks)]
        mine, others = each[:, 0], _values(fit, rivals, each[:, 1:], mark, kind)
        ahead = sign * (mine[:, None] - others)
        share = (ahead > 0) + 0.5 * (ahead == 0)
        for k, name in enumerate(names):
            table.append(_row(mark, name, share[:, k].mean(), ahead[:, k], interval))
            columns.append(ahead[:, k])
        if len(names) > 1:
            least = ahead.min(axis=1)
            row = _row(mark, ALL, float((ahead > 0).all(axis=1).mean()), least, interval)
            table.append({**row, "expected_rank": float((1 + (1 - share).sum(axis=1)).mean())})
            columns.append(least)
    frame = pd.DataFrame(table)
    return Answer(
        question="exceed",
        frame=frame,
        draws=np.column_stack(columns),
        sentence=" ".join(_sentence(frame[frame["benchmark"] == m], len(names)) for m in marks),
        doubts=found.doubts,
        interval=interval,
        picture=frame,
        about={"kind": kind, "plan": {k: str(v) for k, v in plan.items()}, "rivals": names},
    )


def _name(rival: Rival) -> str:
    if isinstance(rival, Mapping):
        each = rival.items()
        return ", ".join(f"{told(v)} {k}" if isinstance(v, float) else str(v) for k, v in each)
    return f"{rival:g}" if isinstance(rival, int | float | np.number) else str(rival)


def _query(fit: Posterior, rival: Any) -> dict[str, Any]:
    """Turn a rival into a query: a run by its name, or by what a law reads of it."""
    if isinstance(rival, Mapping):
        return dict(rival)
    runs = fit.table.runs
    if rival not in runs.index:
        raise AskError(f"the fit has no run {rival!r}{suggest(str(rival), map(str, runs.index))}")
    if "run" in query_columns(fit.model, fit.table):
        return {"run": rival}
    run = runs.loc[rival]
    wanted = [fit.model.inputs.get(name, name) for name in fit.model.law.inputs]
    read = {*wanted, *COUNTS} & {*runs}
    told = {name: run[name] for name in runs if name in read and pd.notna(run[name])}
    return {**told, **{name: run[name] for name in fit.table.groups}}


def _values(
    fit: Posterior, rivals: Sequence[Rival], predicted: Floats, mark: str, kind: str
) -> Floats:
    """Give each rival's value in each draw: a measured score is what it is."""
    scores = fit.table.scores
    columns, next_one = [], 0
    for rival in rivals:
        if isinstance(rival, int | float | np.number):
            if not np.isfinite(rival):
                raise AskError(f"a score to beat must be a number; given: {rival}")
            if higher_is_better(fit, mark) and not 0 <= rival <= 1:
                raise AskError(f"scores on {mark} are shares: give 0.8, not 80; given: {rival:g}")
            columns.append(np.full(len(predicted), float(rival)))
            continue
        column = predicted[:, next_one]
        next_one += 1
        if isinstance(rival, str) and kind == "score":
            own = scores[(scores["run"] == rival) & (scores["benchmark"] == mark)]["score"]
            column = np.full(len(column), float(own.iloc[0])) if len(own) else column
        columns.append(column)
    return np.column_stack(columns)


def _row(
    mark: str, rival: str, probability: float, ahead: Floats, interval: float
) -> dict[str, Any]:
    summary = {f"ahead_{k}": float(v) for k, v in intervals(ahead, interval).items()}
    return {"benchmark": mark, "rival": rival, "probability": float(probability), **summary}


def _sentence(rows: pd.DataFrame, rivals: int) -> str:
    mark = rows["benchmark"].iloc[0]
    each = [f"{row.rival} with probability {percent(row.probability)}" for row in rows.itertuples()]
    text = f"On {mark} the plan beats {_listed(each)}"
    if rivals > 1:
        text += f"; its expected rank is {rows['expected_rank'].iloc[-1]:.1f} of {rivals + 1}"
    return f"{text}."


def _listed(texts: Sequence[str]) -> str:
    """Join clauses with commas and an "and"."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
