"""A number with its band, and fits and tables that several families of laws ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import bayescale as bs
from bayescale.fits import DRAWS, Fit
from bayescale.inference.estimates import law_draws
from bayescale.models.cards import load_model
from bayescale.tables.table import Table

Array = np.ndarray[Any, Any]
R_HAT, DIVERGENT = 1.01, 0.001


@dataclass(frozen=True)
class Line:
    """One number: published, half-width of its band or limits (none: only shown), and found."""

    law: str
    what: str
    published: float | None
    band: float | None
    found: float
    least: float | None = None
    most: float | None = None

    @property
    def inside(self) -> bool | None:
        low, high = self.least, self.most
        if self.band is not None and self.published is not None:
            low, high = self.published - self.band, self.published + self.band
        if low is None and high is None:
            return None
        return bool((low is None or self.found >= low) and (high is None or self.found <= high))


def at_most(law: str, what: str, limit: float, found: float) -> Line:
    """A line with an upper limit."""
    return Line(law, what, None, None, float(found), most=limit)


def quiet(model: Any, table: Table | None = None, **changes: Any) -> Fit:
    return bs.fit(model, table, progress=False, **{"seed": 0, **changes})


@cache
def of_card(name: str) -> Fit:
    """Fit a card to its own table, once in a process: rows and the test of cards ask for it."""
    result = load_model(name).result
    return quiet(name, draws=result.get("draws", DRAWS), drift="none", seed=result["seed"])


def means(fit: Fit, place: tuple[str, str] | None = None) -> dict[str, float]:
    """Posterior means of the paper's coefficients."""
    return {name: float(v.mean()) for name, v in law_draws(fit, place, "paper").items()}


def sampled_well(law: str, what: str, fit: Fit) -> list[Line]:
    summary = fit.summary()
    share = summary.divergences / (summary.chains * summary.draws)
    return [
        at_most(law, f"{what}, R-hat", R_HAT, summary.max_r_hat),
        at_most(law, f"{what}, share of divergences", DIVERGENT, share),
    ]


def runs_with_scores(name: str) -> pd.DataFrame:
    """Runs of a table with a column for each thing measured."""
    table = bs.load_table(name)
    measured = table.scores.pivot(index="run", columns="benchmark", values="score")
    return table.runs.join(measured.rename(columns=str))


def best(residuals: Callable[[Array], Array], starts: Iterable[Sequence[float]]) -> Array:
    """Least squares from several starts."""
    found = [
        least_squares(residuals, start, xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=20_000)
        for start in starts
    ]
    x: Array = min(found, key=lambda one: one.cost).x
    return x
