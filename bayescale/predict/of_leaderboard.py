"""Queries of a leaderboard: for seen, new and unnamed families, and for known runs.

What the posterior does not pin down is drawn from the population, once a draw, so that rows of one
new family share its draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.base.counts import LEAST_COUNT, format_count
from bayescale.base.errors import PredictError
from bayescale.base.words import quoted, suggest
from bayescale.inference.posterior import Posterior
from bayescale.models.dates import dates_of, usual_dates, years_of
from bayescale.models.plan import RUN
from bayescale.models.record import group_names
from bayescale.models.values import UNKNOWN_TOKENS
from bayescale.parts.drift import RELEASED
from bayescale.predict.layout import FAMILY, Layout, lay_out_queries
from bayescale.predict.queries import (
    OF_A_RUN,
    UNCHECKED,
    Asked,
    as_table,
    beyond,
    drawn_inputs,
    flags,
    own_groups,
    own_inputs,
    query_columns,
    split_unknown,
    told_ranges,
)
from bayescale.tables.frames import is_date
from bayescale.tables.table import members, only_members
from bayescale.tables.validation import Source, where

COUNTS = ("params", "params_active", "tokens")
SEEN, NEW, UNNAMED = "seen", "new", "not named"
ENOUGH = 3  # runs of a family that tell how large its models are
UNSIZED = 1  # stream of random numbers of sizes that are not known


def ask_leaderboard(
    fit: Posterior, rows: pd.DataFrame, *, seed: int, source: Source | None = None
) -> Asked:
    """Check queries to a fit of a leaderboard, and lay them out.

    Raises
    ------
    PredictError
        See `predict`.
    """
    plain, ranges = split_unknown(rows)
    queries = _queries(fit, plain, source or Source())
    unsized = queries["params"].isna().to_numpy()
    sizes = _usual_params(fit, queries[unsized])
    queries.loc[unsized, "params"] = np.exp([middle for middle, _ in sizes])
    layout = lay_out_runs(fit, queries, seed=seed)
    drawn = drawn_inputs(ranges, queries, layout.draws, seed)
    if unsized.any():
        values = drawn.get("params", np.tile(queries["params"].to_numpy(float), (layout.draws, 1)))
        rng = np.random.default_rng([seed, UNSIZED])
        away = rng.normal(size=layout.draws)[:, None]
        middle, spread = np.array(sizes).T
        values[:, unsized] = np.exp(middle + spread * away)
        drawn["params"] = values
    doubts = (*_doubts(fit, queries, unsized), *_unflagged(fit, plain, queries))
    doubts += tuple(told_ranges(ranges))
    return Asked(queries, layout, doubts, drawn)


def lay_out_runs(fit: Posterior, queries: pd.DataFrame, *, seed: int) -> Layout:
    """Lay out checked queries, which have `query_columns` or some of them.

    Raises
    ------
    ModelError
        See `lay_out_queries`.
    """
    names = queries[RUN] if RUN in queries else pd.Series(index=queries.index, dtype=object)
    named = [name if isinstance(name, str) else None for name in names]
    new = queries[names.isna().to_numpy()].drop(columns=[RUN, "family_status"], errors="ignore")
    given = {name: queries[name].to_numpy(float) for name in ("params", "tokens")}
    given["tokens"] = np.nan_to_num(given["tokens"], nan=UNKNOWN_TOKENS[0])
    if "params_active" in queries:
        given["params_active"] = queries["params_active"].fillna(queries["params"]).to_numpy(float)
    given |= {
        name: queries[name].to_numpy(float) for name in own_inputs(fit.model) if name in queries
    }
    return lay_out_queries(
        fit,
        as_table(fit, new, group_names(fit.model)),
        given,
        named=named,
        any_family=new[FAMILY].isna().to_numpy(),
        seed=seed,
    )


def _usual_params(fit: Posterior, queries: pd.DataFrame) -> list[tuple[float, float]]:
    """Give mean and spread of log params of the family's runs, or of all where these are few."""
    logs = np.log(fit.table.runs["params"])
    found = []
    for family in queries["family"]:
        own = logs[fit.table.runs["family"] == family]
        used = own if len(own) >= ENOUGH else logs
        found.append((float(used.mean()), float(used.std())))
    return found


def _queries(fit: Posterior, given: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Check the queries and complete them: `query_columns` and `family_status`."""
    own, groups = own_inputs(fit.model), own_groups(fit.model)
    known = query_columns(fit.model, fit.table)
    _check_columns(given, known, source)
    queries = given.reindex(columns=known)
    for column in (*COUNTS, *own):
        numbers = pd.to_numeric(queries[column], errors="coerce").astype(float)
        bad = numbers.isna() & queries[column].notna()
        text = f"{column} is {quoted(queries[column][bad])}; give a plain number such as 7e9"
        _refuse(bad, f"{text} (only the command line reads counts such as 7B)", source)
        queries[column] = numbers
    dated = [RELEASED] if RELEASED in fit.model.drift else []
    for name in ("run", "family", *dated, *groups):
        queries[name] = queries[name].astype(object).where(queries[name].notna(), None)
    for name in dated:
        queries[name] = queries[name].map(_day).where(queries[name] != "", None)  # as tables do
        _check_dates(queries[name], source)
    runs = fit.table.runs
    named = queries["run"].notna()
    for name in queries.loc[named & ~queries["run"].isin(runs.index), "run"]:
        hint = suggest(str(name), map(str, runs.index))
        text = f"the fit has no run {name!r}{hint}; leave run out and give params (and family, "
        _refuse(queries["run"] == name, f"{text}tokens) to predict a new one", source)
    _refuse(
        named & queries[[*OF_A_RUN, *dated, *own, *groups]].notna().any(axis=1),
        "a run of the fit has its own family, params and tokens: give run alone, or leave it out "
        "to predict a new one",
        source,
    )
    told = queries[list(OF_A_RUN)].notna().any(axis=1)
    _refuse(~named & ~told, "a query needs params (parameters), a family or a run", source)
    _check_counts(queries[~named], source)
    for name in flags(fit.model):
        known_of_family = queries["family"].map(runs.groupby("family")[name].mean().round())
        queries[name] = queries[name].fillna(known_of_family).fillna(0.0).mask(named)
        _refuse(~named & ~queries[name].isin([0, 1]), f"{name} is 0 or 1", source)
    for name in own:
        text = f'a query to {fit.model.name} needs "{name}"'
        _refuse(~named & queries[name].isna(), text, source)
    queries, named = queries.reset_index(drop=True), named.reset_index(drop=True)
    for column in (*OF_A_RUN, *dated, *own, *groups):
        values = runs[column].astype(float) if column in own else runs[column]
        queries.loc[named, column] = values.reindex(queries.loc[named, "run"]).to_numpy()
    for group in groups:
        # A family's level was told beside those of the groups that it is in.
        its_own = queries["family"].map(only_members(fit.table, group))
        queries[group] = queries[group].where(queries[group].notna(), its_own)
    seen = queries["family"].isin(fit.table.families)
    queries["family_status"] = np.where(
        queries["family"].isna(), UNNAMED, np.where(seen, SEEN, NEW)
    )
    for name in dated:
        usual = usual_dates(fit.table, queries["family"])
        queries[name] = queries[name].where(queries[name].notna(), usual)
    order = ["run", "family", "family_status", "params", "params_active", "tokens"]
    empty = [c for c in ("run", "params_active") if queries[c].isna().all()]
    return queries[[*order, *dated, *own, *groups]].drop(columns=empty)


def _day(given: Any) -> Any:
    """Give a day as tables write it, where it is a date of Python's or of pandas'."""
    return given.isoformat()[: len("2024-06-15")] if isinstance(given, date) else given


def _check_dates(dates: pd.Series, source: Source) -> None:
    given = dates[dates.notna()].astype(str)
    bad = ~is_date(given)
    shown = quoted(given[bad])
    text = f"{RELEASED} is {shown}; give a day such as 2026-06-15"
    _refuse(bad.reindex(dates.index, fill_value=False), text, source)


def _refuse(bad: pd.Series, text: str, source: Source) -> None:
    """Raise an error that names the bad rows, if any; a single query has no row to name."""
    if bad.any():
        if len(bad) > 1 or source != Source():
            text = source.problem(f"{text}: {where(pd.DataFrame(index=bad.index), bad, source)}")
        raise PredictError(text)


def _check_columns(rows: pd.DataFrame, known: Sequence[str], source: Source) -> None:
    if rows.empty:
        raise PredictError(source.problem("rows is empty: give at least one row to predict"))
    unknown = [str(column) for column in rows.columns if column not in known]
    if unknown:
        raise PredictError(
            source.problem(
                f"rows cannot have column {quoted(unknown)}{suggest(unknown[0], known)}; "
                f"they may have {', '.join(known)}, and benchmarks are chosen for all of them "
                "with benchmark="
            )
        )


def _check_counts(queries: pd.DataFrame, source: Source) -> None:
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


def _dated(fit: Posterior, queries: pd.DataFrame) -> list[str]:
    """Say how far dates lie beyond those of the fit."""
    given, dates = queries[RELEASED], dates_of(fit.table)
    found = []
    for ends, side in (
        ((dates.max(), given.max()), "after the fit's last"),
        ((given.min(), dates.min()), "before the fit's first"),
    ):
        years = float(np.diff(years_of(pd.Series(ends)))[0])
        if years > 0:
            asked, known = ends[::-1] if "after" in side else ends
            found.append(f"{RELEASED} {asked} is {years:.1f} years {side} ({known}): {UNCHECKED}")
    return found


def _unflagged(fit: Posterior, given: pd.DataFrame, queries: pd.DataFrame) -> list[str]:
    """Say which flags nobody told: neither the query nor its family."""
    found = []
    for name in flags(fit.model):
        if not fit.table.runs[name].any():
            continue  # no run of the fit has it, so nothing was learned that could be missed
        told = given[name].notna().to_numpy() if name in given else np.zeros(len(given), bool)
        if "run" in queries:
            told |= queries["run"].notna().to_numpy()
        if (~told & (queries["family_status"] != SEEN)).any():
            found.append(f"{name} not given: taken as 0; {name}=1 (--at {name}=1) where it holds")
    return found


def _doubts(fit: Posterior, queries: pd.DataFrame, unsized: NDArray[np.bool_]) -> list[str]:
    doubts = []
    if not fit.verdict_ok:
        doubts.append(f"the sampler's verdict on this fit: {fit.diagnosis.verdict}")
    for name in ("params", "tokens", *own_inputs(fit.model)):
        doubts += beyond(name, queries[name], fit.table.runs[name])
    for group in own_groups(fit.model):
        own = members(fit.table, group)
        if strange := sorted(set(queries[group].dropna().astype(str)) - {*own}):
            hint = suggest(strange[0], own)
            text = f"{quoted(strange)} is not among the fit's {group}{hint}"
            doubts.append(f"{text}: drawn from the population")
        whole = len(only_members(fit.table, group)) == len(fit.table.families)
        brought = queries["family"].isna() & whole  # by the family, which is another in each draw
        if (queries[group].isna() & ~brought).any():
            doubts.append(f"{group} not named: a new one, drawn from the population")
    new = sorted(set(queries.loc[queries["family_status"] == NEW, "family"]))
    if new and FAMILY in group_names(fit.model):
        known = fit.table.families
        hint = suggest(str(new[0]), known) if len(new) == 1 else ""
        doubts.append(
            f"{quoted(new)} is no family of the fit{hint}: drawn from the population of families"
            if len(new) == 1
            else f"{quoted(new)} are no families of the fit: drawn from the population of families"
        )
    if (queries["family_status"] == UNNAMED).any():
        doubts.append("no family named: one of the fit's families, another in each draw")
    if unsized.any():
        doubts.append(
            "params not known: drawn as those of the family's runs, or of all, are spread"
        )
    if RELEASED in queries:
        doubts += _dated(fit, queries)
    if queries["tokens"].isna().any():
        median, factor = UNKNOWN_TOKENS
        doubts.append(
            f"tokens not known: drawn from their prior (median {format_count(median)}, two thirds "
            f"within a factor of {factor:g})"
        )
    return doubts
