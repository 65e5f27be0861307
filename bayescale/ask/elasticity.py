"""`elasticity`: what doubling an input brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.curve import RATIO, higher_is_better, law_columns
from bayescale.base.errors import AskError
from bayescale.base.intervals import check_interval, intervals, number, quantiles
from bayescale.base.words import percent, told
from bayescale.inference.posterior import Posterior
from bayescale.predict.predict import ask
from bayescale.predict.prediction import chosen_benchmarks
from bayescale.tables.compute import ACTIVE, COMPUTE, as_read_by

BOTH = "params and tokens"


def elasticity(
    fit: Posterior,
    *,
    factor: float = 2.0,
    benchmark: str | Sequence[str] | None = None,
    interval: float = 0.9,
    seed: int = 0,
    **at: Any,
) -> Answer:
    """Find what doubling each input brings.

    Parameters
    ----------
    factor
        By what to multiply.
    benchmark, interval, seed
        As of `predict`; the change is of the expected value.
    at
        The run to start from, as in `predict`.

    Returns
    -------
    Answer
        `.frame`: for each input, and for params and tokens together, the change; the elasticity
        ``log(f(factor x) / f(x)) / log(factor)``; the probability that it is for the better.
        `.draws`: the change, shape (draw, row).

    Raises
    ------
    AskError
        A factor of one or less than zero, or no inputs to multiply.

    Examples
    --------
    >>> fit.elasticity(params=7e9, tokens=2e12)  # doctest: +SKIP
    """
    check_interval(interval)
    if not (0 < number("factor", factor) < np.inf) or factor == 1:
        raise AskError(f"factor must be a positive number other than 1, such as 2; given: {factor}")
    query = {name: value for name, value in at.items() if value is not None}
    if RATIO in query:
        query["multiplier"] = query.pop(RATIO)
    marks = chosen_benchmarks(fit, benchmark)
    query = as_read_by(_inputs(fit), query)
    numbers = [n for n in _inputs(fit) if isinstance(query.get(n), int | float | np.number)]
    if not numbers:
        raise AskError(f"say where: give {', '.join(_inputs(fit))} as numbers")

    def multiplied(*names: str) -> dict[str, float]:
        # A mixture of experts keeps its share of active parameters.
        along = [*names, *({ACTIVE} & query.keys() if "params" in names else ())]
        return {name: factor * float(query[name]) for name in along}

    changes = {name: multiplied(name) for name in numbers}
    if {"params", "tokens"} <= set(numbers):
        changes[BOTH] = multiplied("params", "tokens")
    rows = pd.DataFrame([query, *({**query, **change} for change in changes.values())])
    asked = ask(fit, rows, one={}, seed=seed)
    expected = asked.expected(seed, one_run=True)
    table, columns = [], []
    for mark in marks:
        values = expected[:, :, list(fit.table.benchmarks.index).index(mark)]
        for k, name in enumerate(changes, start=1):
            change = values[:, k] - values[:, 0]
            row: dict[str, Any] = {"input": name, "benchmark": mark}
            row |= {f"change_{q}": float(v) for q, v in intervals(change, interval).items()}
            if (values > 0).all():
                local = np.log(values[:, k] / values[:, 0]) / np.log(factor)
                row["elasticity_median"] = float(quantiles(local, 0.5))
            better = change > 0 if higher_is_better(fit, mark) else change < 0
            row["probability_better"] = float(np.mean(better))
            table.append(row)
            columns.append(change)
    frame = pd.DataFrame(table)
    return Answer(
        question="elasticity",
        frame=frame,
        draws=np.column_stack(columns),
        sentence=" ".join(
            _sentence(frame[frame["benchmark"] == m], factor, interval) for m in marks
        ),
        doubts=asked.doubts,
        interval=interval,
        picture=frame,
        about={"factor": factor, "at": {k: str(v) for k, v in query.items()}},
    )


def _inputs(fit: Posterior) -> list[str]:
    """List what can be multiplied: of compute, what a user thinks of first."""
    columns = law_columns(fit)
    if {"flops", "multiplier"} <= set(columns):
        return ["params", "tokens", *(c for c in columns if c not in COMPUTE)]
    return columns


def _sentence(rows: pd.DataFrame, factor: float, interval: float) -> str:
    mark = rows["benchmark"].iloc[0]
    times = "Doubling" if factor == 2 else f"Multiplying by {factor:g}"
    parts = []
    for _, row in rows.iterrows():
        low, high = (row[f"change_{end}_{interval:g}"] for end in ("lower", "upper"))
        ends = f"{percent(interval)} interval {told_change(low)} to {told_change(high)}"
        parts.append(f"{row['input']} by {told_change(row['change_median'])} ({ends})")
    return f"{times} changes {mark}: {'; '.join(parts)}."


def told_change(value: float) -> str:
    """Write a change with its sign."""
    return f"{value:+.3g}" if abs(value) < 1000 else told(value)
