"""Predictions of a law of a quantity: at any inputs, for known members of groups and new ones.

The fitted coefficients are those of members, not of runs, so that a prediction lays out the queried
runs alone. What a query does not name is a new member, drawn from the population once a draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.counts import format_count
from bayescale.errors import ModelError, PredictError
from bayescale.evaluate import evaluate
from bayescale.prediction import Prediction, check_kind, chosen_benchmarks, intervals
from bayescale.rows import as_read, group_names, make_rows, members
from bayescale.table import Table
from bayescale.validation import Source, quoted, suggest

if TYPE_CHECKING:
    from bayescale.fit import Fit

LEAST_ROWS = 8  # queries are padded to a power of two from here on: one program for many lengths
FAR = 3.0  # times the range of an input, in both directions: worth a word
COUNTS = ("params", "params_active", "tokens", "flops")


def forecast(
    fit: Fit,
    rows: pd.DataFrame | None,
    *,
    one: Mapping[str, Any],
    benchmark: str | Sequence[str] | None,
    kind: str,
    interval: float,
    seed: int,
) -> Prediction:
    """Predict a law's response, and scores behind it; `Fit.predict` documents the arguments."""
    check_kind(kind, interval)
    marks = chosen_benchmarks(fit, benchmark)
    names = group_names(fit.model)
    known = {name: members(fit.table, name) for name in names}
    # Whoever read the rows from a file says so, and errors name its lines.
    source = Source() if rows is None else rows.attrs.get("bayescale_source", Source())
    try:
        queries = _queries(fit, rows, one)
        count = len(queries)
        size = max(LEAST_ROWS, 2 ** int(np.ceil(np.log2(count))))
        padded = queries.iloc[np.minimum(np.arange(size), count - 1)].reset_index(drop=True)
        # Once without the padding, so that an error names each query once.
        make_rows(fit.model, _as_table(fit, queries, names), known)
        design = make_rows(fit.model, _as_table(fit, padded, names), known)
    except (ModelError, PredictError) as error:
        raise PredictError(source.problem(str(error))) from error
    found = evaluate(fit.model, design, fit.sites(), seed=seed)
    grid = found.score if kind == "score" else found.expected
    column = [list(fit.table.benchmarks.index).index(name) for name in marks]
    draws = grid[:, :count][:, :, column].reshape(len(grid), -1)
    frame = queries.loc[queries.index.repeat(len(marks))].reset_index(drop=True)
    frame["benchmark"] = marks * count
    frame = frame.assign(**intervals(draws, kind, interval))
    return Prediction(frame, draws, kind, interval, tuple(_doubts(fit, queries, known)))


def _queries(fit: Fit, rows: pd.DataFrame | None, one: Mapping[str, Any]) -> pd.DataFrame:
    """Check the names of the queries' columns, and leave out empty ones.

    The index names each query for errors: by its line, if it is from a file.
    """
    single = {name: value for name, value in one.items() if value is not None}
    if (rows is None) == (not single):
        raise PredictError("give rows, or one query (such as params= and tokens=), not both")
    given = pd.DataFrame([single]) if rows is None else rows
    if given.empty:
        raise PredictError("rows is empty: give at least one row to predict")
    source = given.attrs.get("bayescale_source")
    labels = [
        f"{source.row} {label}" if source else f"query {i}"
        for i, label in enumerate(given.index, start=1)
    ]
    known = (*fit.table.inputs, *fit.table.groups, *COUNTS)
    wanted = [fit.model.inputs.get(name, name) for name in fit.model.law.inputs]
    if "run" in given.columns and "run" not in wanted:
        raise PredictError(
            f"{fit.model.name} is a law, which is asked at inputs and not at a run: give "
            f"{quoted([*wanted, *group_names(fit.model)])} in its place"
        )
    if unknown := [str(c) for c in given.columns if c not in known and c not in wanted]:
        raise PredictError(
            f"the fit has no column {quoted(unknown)}{suggest(unknown[0], [*wanted, *known])}; a "
            f"query to {fit.model.name} may have "
            f"{quoted(dict.fromkeys([*wanted, *known]), most=15)}"
        )
    for name in given.columns:
        if name not in fit.table.groups and not pd.api.types.is_numeric_dtype(given[name]):
            raise PredictError(
                f"{name} is {quoted(given[name])}; give plain numbers such as 7e9 (only the "
                "command line reads counts such as 7B)"
            )
    given = given.dropna(axis="columns", how="all").set_axis(labels, axis="index")
    numbers = [c.name for c in fit.model.law.columns if c.kind in ("number", "flag")]
    needed = [fit.model.inputs.get(name, name) for name in numbers]
    asked = _as_table(fit, given, ()).runs
    if missing := [name for name in needed if as_read(asked, name).isna().all()]:
        raise PredictError(f"a query to {fit.model.name} needs {quoted(missing)}")
    numbers = [name for name in given.columns if name not in fit.table.groups]
    return given.astype(dict.fromkeys(numbers, float))


def _as_table(fit: Fit, queries: pd.DataFrame, names: Sequence[str]) -> Table:
    """Make a table without measurements of the queries, as far as a law looks at one."""
    runs = queries.reindex(columns=list(dict.fromkeys([*queries.columns, *COUNTS])))
    active = runs["params_active"].fillna(runs["params"])
    runs["flops"] = runs["flops"].fillna(6 * active * runs["tokens"])
    for name in {*names, *fit.table.groups}:
        # A nameless member is new; no member of a table has an empty name.
        runs[name] = runs[name].fillna("").astype(str) if name in runs else ""
    nothing = fit.table.scores.iloc[:0]
    return Table(
        scores=nothing,
        runs=runs,
        benchmarks=fit.table.benchmarks,
        name="of queries",
        series=fit.table.series,
    )


def _doubts(fit: Fit, queries: pd.DataFrame, known: Mapping[str, Sequence[str]]) -> list[str]:
    doubts = []
    if not fit.verdict_ok:
        doubts.append(f"the sampler's verdict on this fit: {fit.summary().verdict}")
    asked = _as_table(fit, queries, list(known)).runs
    for column in fit.model.law.columns:
        name = fit.model.inputs.get(column.name, column.name)
        if column.kind != "number":
            continue
        values, seen = as_read(asked, name), as_read(fit.table.runs, name)
        low, high = seen.min(), seen.max()
        for value, times, end in (
            (values.max(), values.max() / high, high),
            (values.min(), low / values.min(), low),
        ):
            if times > FAR:
                doubts.append(
                    f"{name} of {format_count(value)} is {times:.0f} times beyond the fit's "
                    f"{format_count(end)}: an extrapolation that no measurement checks"
                )
    for group, names in known.items():
        named = queries[group] if group in queries else pd.Series(dtype=str)
        new = sorted(set(named.dropna().astype(str)) - set(names))
        if new:
            doubts.append(
                f"{quoted(new)} is not among the fit's {group}{suggest(new[0], names)}: drawn from "
                "the population"
            )
        if group not in queries or named.isna().any():
            doubts.append(f"{group} not named: a new one, drawn from the population")
    return doubts
