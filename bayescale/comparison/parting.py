"""Where fits of equal score part: what they expect ten times beyond the largest run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.base.errors import PredictError
from bayescale.base.intervals import quantiles
from bayescale.comparison.comparable import Comparable
from bayescale.models.record import group_names
from bayescale.models.responses import own_responses
from bayescale.predict.queries import query_columns

BEYOND = 10.0
RESOURCES = ("params", "params_active", "tokens", "examples")


@dataclass(frozen=True)
class Parting:
    """What fits expect at one far point, over all benchmarks on average.

    Parameters
    ----------
    where
        The point, in words.
    medians
        Median of each fit.
    between
        Standard deviation of the fits' medians, averaged over benchmarks.
    within
        Posterior standard deviation of the expected value, averaged over benchmarks and fits.
    """

    where: str
    medians: dict[str, float]
    between: float
    within: float


def parting(fits: Mapping[str, Comparable]) -> Parting | None:
    """Ask two or more fits for the expected value far beyond the largest run.

    Parameters
    ----------
    fits
        Fits of the same observations.

    Returns
    -------
    Parting or None
        None where a law cannot be asked beyond its runs, such as one of curves over steps.
    """
    first = next(iter(fits.values()))
    runs = first.table.runs
    by = "flops" if runs["flops"].notna().any() else _largest_by(first)
    run = runs.iloc[0] if by is None else runs.loc[runs[by].idxmax()]
    medians, spreads = {}, {}
    for name, fit in fits.items():
        query = _query(fit, run)
        try:
            draws = fit.predict(pd.DataFrame([query]), kind="mean").draws
        except PredictError:
            return None
        medians[name], spreads[name] = quantiles(draws, 0.5), draws.std(axis=0, ddof=1)
    between = np.std(list(medians.values()), axis=0, ddof=1)
    return Parting(
        where=f'ten times beyond the largest run ("{run.name}")',
        medians={name: float(values.mean()) for name, values in medians.items()},
        between=float(between.mean()),
        within=float(np.mean(list(spreads.values()))),
    )


def _largest_by(fit: Comparable) -> str | None:
    """Choose the input that tells which run is the largest."""
    wanted = [fit.model.inputs.get(name, name) for name in fit.model.law.inputs]
    numbers = [name for name in (*RESOURCES, *wanted) if name in fit.table.inputs]
    return numbers[0] if numbers else None


def _query(fit: Comparable, run: pd.Series) -> dict[str, Any]:
    """Describe a run of ten times the resources, as far as a query to the fit tells one."""
    model, asked = fit.model, query_columns(fit.model, fit.table)
    wanted = {
        name
        for column in model.law.columns
        for name in fit.table.inputs
        if name == (given := model.inputs.get(column.name, column.name))
        or (column.kind == "mixture" and name.startswith(f"{given}_"))
    }
    factors = {name: BEYOND for name in RESOURCES if pd.notna(run.get(name))}
    # Compute is six times params times tokens, and so a hundredfold where both are known.
    factors["flops"] = BEYOND ** (2 if {"params", "tokens"} <= set(factors) else 1)
    numbers = [c for c in model.law.columns if c.kind == "number"]
    if len(numbers) == 1:
        factors.setdefault(model.inputs.get(numbers[0].name, numbers[0].name), BEYOND)
    if not own_responses(model, fit.table) and "tokens" in factors:
        factors["tokens"] = 1.0  # of what is scored, a model of ten times the size on as much data
    derived = {name for name in factors if pd.notna(run.get(name))}
    query = {name: run[name] * factors.get(name, 1.0) for name in sorted(wanted | derived)}
    groups = {name: run[name] for name in group_names(model) if name in run}
    series = {
        name: run[name]
        for column in model.law.columns
        if column.kind == "series" and (name := model.inputs.get(column.name, column.name)) in run
    }
    return {name: value for name, value in {**query, **groups, **series}.items() if name in asked}
