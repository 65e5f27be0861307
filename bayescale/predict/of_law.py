"""Queries of a law of a quantity: at any inputs, for known members of groups and new ones.

The fitted coefficients are those of members, not of runs, so that the queried runs stand alone.
What a query does not name is a new member, drawn from the population once a draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import pandas as pd

from bayescale.base.errors import ModelError, PredictError
from bayescale.base.words import quoted, suggest
from bayescale.inference.posterior import Posterior
from bayescale.models.lay_out import lay_out
from bayescale.models.record import group_names
from bayescale.predict.layout import lay_out_queries
from bayescale.predict.queries import (
    COUNTS,
    Asked,
    as_table,
    beyond,
    drawn_inputs,
    split_unknown,
    told_ranges,
)
from bayescale.tables.compute import as_read, contradiction
from bayescale.tables.table import members
from bayescale.tables.validation import Source

LEAST_ROWS = 8  # queries are padded to a power of two from here on: one program for many lengths
LEFT_OUT = ("params", "params_active", "tokens")  # what a closed model may not tell


def ask_law(
    fit: Posterior, rows: pd.DataFrame, *, seed: int, source: Source | None = None
) -> Asked:
    """Check queries to a fit of a law of a quantity, and lay them out.

    Raises
    ------
    PredictError
        See `predict`.
    """
    names = group_names(fit.model)
    groups = {*fit.table.groups, *names}
    known = {name: members(fit.table, name) for name in names}
    plain, ranges = split_unknown(rows)
    try:
        queries, left_out = _queries(fit, plain, source)
        asked = as_table(fit, queries, names)
        lay_out(fit.model, asked, known, ())  # without padding: an error names each query once
        given = {c: queries[c].to_numpy(float) for c in queries if c not in groups}
        layout = lay_out_queries(fit, asked, given, least=LEAST_ROWS)
    except (ModelError, PredictError) as error:
        raise PredictError((source or Source()).problem(str(error))) from error
    drawn = drawn_inputs(ranges, queries, layout.draws, seed)
    for name, (middle, spread) in left_out.items():
        rng = np.random.default_rng([seed, crc32(name.encode())])
        away = rng.normal(size=layout.draws)[:, None]
        drawn[name] = np.tile(np.exp(middle + spread * away), (1, len(queries)))
    doubts = [*_doubts(fit, queries, known), *told_ranges(ranges)]
    if idle := [n for n in queries if n in groups and n not in names]:
        doubts.append(f"{quoted(idle)} changes nothing: the model does not pool it")
    doubts += [f"{name} not known: drawn as the runs of the fit are spread" for name in left_out]
    return Asked(queries, layout, tuple(doubts), drawn)


def _queries(
    fit: Posterior, given: pd.DataFrame, source: Source | None
) -> tuple[pd.DataFrame, dict[str, tuple[float, float]]]:
    """Check the names of the queries' columns, and fill in what is left out.

    The index names each query for errors: by its line, if it is from a file. Beside the queries:
    mean and spread of the log of each count that was left out, at whose middle the queries are.
    """
    if given.empty:
        raise PredictError("rows is empty: give at least one row to predict")
    labels = [
        f"{source.row} {label}" if source else f"query {i}"
        for i, label in enumerate(given.index, start=1)
    ]
    groups = {*fit.table.groups, *group_names(fit.model)}
    known = (*fit.table.inputs, *fit.table.groups, *group_names(fit.model), *COUNTS)
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
        if name not in groups and not pd.api.types.is_numeric_dtype(given[name]):
            raise PredictError(
                f"{name} is {quoted(given[name])}; give plain numbers such as 7e9 (only the "
                "command line reads counts such as 7B)"
            )
    given = given.dropna(axis="columns", how="all").set_axis(labels, axis="index")
    numbers = [c.name for c in fit.model.law.columns if c.kind in ("number", "flag")]
    needed = [fit.model.inputs.get(name, name) for name in numbers]
    asked = as_table(fit, given, ()).runs
    missing = [name for name in needed if as_read(asked, name).isna().all()]
    left_out = {}
    for name in [name for name in missing if name in LEFT_OUT]:
        logs = np.log(as_read(fit.table.runs, name).dropna())
        if len(missing) < len(needed) and name in fit.table.inputs and len(logs) > 1:
            left_out[name] = float(logs.mean()), float(logs.std())
            given = given.assign(**{name: np.exp(left_out[name][0])})
    asked = as_table(fit, given, ()).runs
    if missing := [name for name in needed if as_read(asked, name).isna().all()]:
        raise PredictError(f"a query to {fit.model.name} needs {quoted(missing)}")
    numbers = [name for name in given.columns if name not in groups]
    given = given.astype(dict.fromkeys(numbers, float))
    for label, row in given[numbers].iterrows():
        if (wrong := contradiction(row.to_dict())) is not None:
            raise PredictError(f"{label}: {wrong}" if len(given) > 1 else wrong)
    return given, left_out


def _doubts(fit: Posterior, queries: pd.DataFrame, known: Mapping[str, Sequence[str]]) -> list[str]:
    doubts = []
    if not fit.verdict_ok:
        doubts.append(f"the sampler's verdict on this fit: {fit.diagnosis.verdict}")
    asked = as_table(fit, queries, list(known)).runs
    for column in fit.model.law.columns:
        name = fit.model.inputs.get(column.name, column.name)
        if column.kind != "number":
            continue
        doubts += beyond(name, as_read(asked, name), as_read(fit.table.runs, name))
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
