"""Predictions for seen, new and unnamed families, and for known runs on benchmarks they lack.

A prediction is the fitted model on a longer design: queried runs come after those of the fit, new
families after the fitted ones, and what the posterior does not pin down is drawn from the
population, once a draw, so that rows of one new family share its draw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.counts import format_count
from bayescale.design import UNKNOWN_TOKENS, Design, make_design
from bayescale.errors import PredictError
from bayescale.evaluate import evaluate
from bayescale.prediction import Prediction, check_kind, chosen_benchmarks, intervals
from bayescale.validation import LEAST_COUNT, Source, quoted, suggest, where

if TYPE_CHECKING:
    from bayescale.fit import Fit

COUNTS = ("params", "params_active", "tokens")
OF_A_RUN = ("family", *COUNTS)
COLUMNS = ("run", *OF_A_RUN)
SEEN, NEW, UNNAMED = "seen", "new", "not named"
FAR = 3.0  # times the largest params of the fit: worth a word


def predict(
    fit: Fit,
    rows: pd.DataFrame | None,
    *,
    one: Mapping[str, Any],
    benchmark: str | Sequence[str] | None,
    kind: str,
    interval: float,
    seed: int,
) -> Prediction:
    """Predict scores; `Fit.predict` documents the arguments, `one` is a single query."""
    check_kind(kind, interval)
    marks = chosen_benchmarks(fit, benchmark)
    queries = _queries(fit, rows, one)
    design, position, family = _extended(fit, queries, seed)
    found = evaluate(fit.model, design, fit.sites(), seed=seed, by_draw={"family": family})
    grid = found.score if kind == "score" else found.expected
    column = [list(fit.table.benchmarks.index).index(name) for name in marks]
    draws = grid[:, position][:, :, column].reshape(len(grid), -1)
    frame = queries.loc[queries.index.repeat(len(marks))].reset_index(drop=True)
    frame["benchmark"] = marks * len(queries)
    frame = frame.assign(**intervals(draws, kind, interval))
    return Prediction(frame, draws, kind, interval, tuple(_doubts(fit, queries)))


def _queries(fit: Fit, rows: pd.DataFrame | None, one: Mapping[str, Any]) -> pd.DataFrame:
    """Check the queries and complete them: COLUMNS and `family_status`."""
    single = {name: value for name, value in one.items() if value is not None}
    if (rows is None) == (not single):
        raise PredictError("give rows, or one query (family=, params=, tokens= or run=), not both")
    if rows is None:
        given, source = pd.DataFrame([single]), None
    else:
        # Whoever read the rows from a file says so, and errors name its lines.
        given, source = rows, rows.attrs.get("bayescale_source", Source())
        _check_columns(rows, source)
    queries = given.reindex(columns=list(COLUMNS))
    for column in COUNTS:
        numbers = pd.to_numeric(queries[column], errors="coerce").astype(float)
        bad = numbers.isna() & queries[column].notna()
        text = f"{column} is {quoted(queries[column][bad])}; give a plain number such as 7e9"
        _refuse(bad, f"{text} (only the command line reads counts such as 7B)", source)
        queries[column] = numbers
    for name in ("run", "family"):
        queries[name] = queries[name].astype(object).where(queries[name].notna(), None)
    runs = fit.table.runs
    named = queries["run"].notna()
    for name in queries.loc[named & ~queries["run"].isin(runs.index), "run"]:
        hint = suggest(str(name), map(str, runs.index))
        text = f"the fit has no run {name!r}{hint}; leave run out and give params (and family, "
        _refuse(queries["run"] == name, f"{text}tokens) to predict a new one", source)
    _refuse(
        named & queries[list(OF_A_RUN)].notna().any(axis=1),
        "a run of the fit has its own family, params and tokens: give run alone, or leave it out "
        "to predict a new one",
        source,
    )
    _refuse(~named & queries["params"].isna(), "a query needs params (parameters) or run", source)
    _check_counts(queries[~named], source)
    queries, named = queries.reset_index(drop=True), named.reset_index(drop=True)
    for column in OF_A_RUN:
        known = runs[column].reindex(queries.loc[named, "run"]).to_numpy()
        queries.loc[named, column] = known
    seen = queries["family"].isin(fit.table.families)
    queries["family_status"] = np.where(
        queries["family"].isna(), UNNAMED, np.where(seen, SEEN, NEW)
    )
    order = ["run", "family", "family_status", "params", "params_active", "tokens"]
    empty = [c for c in ("run", "params_active") if queries[c].isna().all()]
    return queries[order].drop(columns=empty)


def _refuse(bad: pd.Series, text: str, source: Source | None) -> None:
    """Raise an error that names the bad rows, if any; a single query has no row to name."""
    if bad.any():
        if source is not None:
            text = source.problem(f"{text}: {where(pd.DataFrame(index=bad.index), bad, source)}")
        raise PredictError(text)


def _check_columns(rows: pd.DataFrame, source: Source) -> None:
    if rows.empty:
        raise PredictError(source.problem("rows is empty: give at least one row to predict"))
    unknown = [str(column) for column in rows.columns if column not in COLUMNS]
    if unknown:
        raise PredictError(
            source.problem(
                f"rows cannot have column {quoted(unknown)}{suggest(unknown[0], COLUMNS)}; "
                f"they may have {', '.join(COLUMNS)}, and benchmarks are chosen for all of them "
                "with benchmark="
            )
        )


def _check_counts(queries: pd.DataFrame, source: Source | None) -> None:
    """Refuse counts that a table would refuse."""
    for column, meaning, example in (
        ("params", "parameters", "7e9"),
        ("params_active", "active parameters", "7e9"),
        ("tokens", "tokens", "2e12"),
    ):
        values = queries[column]
        bad = values.notna() & ~((values >= LEAST_COUNT) & (values < float("inf")))
        shown = quoted(f"{value:g}" for value in values[bad])
        _refuse(
            bad,
            f"{column} is {shown}; give a plain number of {meaning}, at least {LEAST_COUNT:g}, "
            f"such as {example}",
            source,
        )
    bad = queries["params_active"] > queries["params"]
    _refuse(bad, "params_active is above params, the total; swap them", source)


def _extended(
    fit: Fit, queries: pd.DataFrame, seed: int
) -> tuple[Design, NDArray[np.int_], NDArray[np.int_]]:
    """Lengthen the fit's design by the queried runs.

    Returns the design, the grid row of each query, and the family index of each run by draw.
    """
    design = make_design(fit.table, tuple(fit.model.anchors(fit.table).values()))
    families = list(fit.table.families)
    runs = queries["run"] if "run" in queries else pd.Series([None] * len(queries))
    asked = queries[runs.isna().to_numpy()]
    new = [f for f in dict.fromkeys(asked["family"]) if f is not None and f not in families]
    index = {name: i for i, name in enumerate([*families, *new])}
    position = np.empty(len(queries), int)
    position[runs.isna().to_numpy()] = design.runs + np.arange(len(asked))
    row_of = {name: i for i, name in enumerate(fit.table.runs.index)}
    position[runs.notna().to_numpy()] = [row_of[name] for name in runs.dropna()]

    params = asked["params"].to_numpy(float)
    active = params
    if "params_active" in asked:
        active = asked["params_active"].fillna(asked["params"]).to_numpy(float)
    tokens = asked["tokens"].to_numpy(float)
    unknown = design.runs + np.flatnonzero(np.isnan(tokens))
    family = asked["family"].map(lambda name: index.get(name, 0)).to_numpy(int)
    count, marks = len(asked), design.benchmarks
    longer = dataclasses.replace(
        design,
        params=np.concatenate([design.params, params]),
        active=np.concatenate([design.active, active]),
        tokens=np.concatenate([design.tokens, np.nan_to_num(tokens, nan=UNKNOWN_TOKENS[0])]),
        flops=np.concatenate([design.flops, np.full(count, np.nan)]),
        unknown=np.concatenate([design.unknown, unknown]),
        family=np.concatenate([design.family, family]),
        stderr=np.concatenate([design.stderr, np.full((count, marks), np.nan)]),
        scores=np.concatenate([design.scores, np.zeros((count, marks))]),
        weights=np.concatenate([design.weights, np.zeros((count, marks))]),
        families=len(families) + len(new),
    )
    # A family that is not named is one of the known, another in each draw, the same for its rows.
    draws = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    drawn = np.random.default_rng(seed).integers(len(families), size=draws)
    by_draw = np.tile(longer.family, (draws, 1))
    by_draw[:, design.runs + np.flatnonzero(asked["family"].isna())] = drawn[:, None]
    return longer, position, by_draw


def _doubts(fit: Fit, queries: pd.DataFrame) -> list[str]:
    doubts = []
    if not fit.verdict_ok:
        doubts.append(f"the sampler's verdict on this fit: {fit.summary().verdict}")
    largest = float(fit.table.runs["params"].max())
    far = queries["params"].max() / largest
    if far > FAR:
        doubts.append(
            f"{format_count(queries['params'].max())} parameters are {far:.0f} times the largest "
            f"run of the fit ({format_count(largest)}): an extrapolation that no score checks"
        )
    new = sorted(set(queries.loc[queries["family_status"] == NEW, "family"]))
    if new:
        known = fit.table.families
        hint = suggest(str(new[0]), known) if len(new) == 1 else ""
        doubts.append(
            f"{quoted(new)} is no family of the fit{hint}: drawn from the population of families"
            if len(new) == 1
            else f"{quoted(new)} are no families of the fit: drawn from the population of families"
        )
    if (queries["family_status"] == UNNAMED).any():
        doubts.append("no family named: one of the fit's families, another in each draw")
    if queries["tokens"].isna().any():
        median, factor = UNKNOWN_TOKENS
        doubts.append(
            f"tokens not known: drawn from their prior (median {format_count(median)}, two thirds "
            f"within a factor of {factor:g})"
        )
    return doubts
