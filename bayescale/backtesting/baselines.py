"""What any model must beat: three point predictions, with intervals recalibrated on training rows.

Each baseline predicts a held-out value from the training values on the same benchmark, by family
(or whatever group the backtest names) and the log of compute. Its interval comes from its own
errors on training rows that are held out by the rule of the backtest: all that can be known of its
errors before the held-out rows are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit, logit

from bayescale.backtesting.refit import FoldPrediction
from bayescale.backtesting.rules import Mask, inner, log_compute
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.errors import SplitError
from bayescale.base.intervals import Floats
from bayescale.tables.frames import ACCURACY
from bayescale.tables.table import Table

DRAWS = 600
INNER_FOLDS = 5
ENOUGH = 20  # errors on a benchmark from which its own interval is read; with fewer, those of all
MOST_STEPS, RIDGE = 200, 1e-4
TINY = 1e-12  # takes the place of a held-out value that a log cannot be taken of
LEAST_WIDTH = 1e-4  # of a kernel, in the unit of values or of their logs


@dataclass(frozen=True, eq=False)
class Points:
    """Training or test values on one benchmark.

    Parameters
    ----------
    y
        Values; those of positive quantities are logs. Shape (row,).
    x
        Log10 of compute (or of the size column), shape (row,).
    member
        Family of each, shape (row,).
    chance, ceiling
        Of an accuracy, 0 and 1 where not known; NaN of another quantity.
    """

    y: Floats
    x: Floats
    member: NDArray[np.str_]
    chance: float
    ceiling: float


def carried_forward(train: Points, test: Points) -> Floats:
    """Carry forward the score of the largest smaller sibling, else of the nearest run."""
    found = np.empty(len(test.x))
    for i, (x, member) in enumerate(zip(test.x, test.member, strict=True)):
        siblings = train.member == member
        smaller = siblings & (train.x < x)
        pool = next(mask for mask in (smaller, siblings, np.ones_like(siblings)) if mask.any())
        distance = np.where(pool, np.abs(train.x - x), np.inf)
        found[i] = train.y[distance == distance.min()].mean()
    return found


def logistic(train: Points, test: Points) -> Floats:
    """Fit a least-squares logistic in log FLOPs with an intercept for each family.

    ``chance + (ceiling - chance) * sigmoid(a_family + b * x)``; of a quantity that is no accuracy,
    a power law, ``log y = a_family + b * x``. A family without training rows has the
    mean intercept.
    """
    if np.isnan(train.chance):
        return _parallel_lines(train, test)
    names, index = np.unique(train.member, return_inverse=True)
    middle, span = train.x.mean(), train.ceiling - train.chance
    x = train.x - middle
    share = np.clip((train.y - train.chance) / span, 0.02, 0.98)
    sums = np.bincount(index, weights=logit(share))
    start = np.append(sums / np.bincount(index), 0.5)

    def curve(free: Floats) -> Floats:
        values: Floats = train.chance + span * expit(free[index] + free[-1] * x)
        return values

    def slopes(free: Floats) -> Floats:
        p = expit(free[index] + free[-1] * x)
        steep = span * p * (1 - p)
        jacobian = np.zeros((len(x), len(free)))
        jacobian[np.arange(len(x)), index] = steep
        jacobian[:, -1] = steep * x
        return jacobian

    # A pull too weak to matter keeps a family at chance, or with one run, from running away.
    pull = RIDGE * np.eye(len(start))[:-1]
    found = least_squares(
        lambda free: np.concatenate([curve(free) - train.y, pull @ (free - start)]),
        start,
        jac=lambda free: np.vstack([slopes(free), pull]),
        method="lm",
        max_nfev=MOST_STEPS,
    ).x
    level = dict(zip(names, found[:-1], strict=True))
    mean = float(np.mean(found[:-1]))
    a = np.array([level.get(member, mean) for member in test.member])
    result: Floats = train.chance + span * expit(a + found[-1] * (test.x - middle))
    return result


def straight_line(train: Points, test: Points) -> Floats:
    """Fit a straight line in log FLOPs to each family with two sizes; others share one slope."""
    found = _parallel_lines(train, test)
    for member in np.unique(test.member):
        own, asked = train.member == member, test.member == member
        if len(np.unique(train.x[own])) >= 2:
            slope, level = np.polyfit(train.x[own], train.y[own], 1)
            found[asked] = level + slope * test.x[asked]
    return found


def _parallel_lines(train: Points, test: Points) -> Floats:
    """Lines of one slope, that within families; a family without rows has the mean level."""
    frame = pd.DataFrame({"x": train.x, "y": train.y})
    means = frame.groupby(train.member).transform("mean")
    away = frame - means
    spread = float((away["x"] ** 2).sum())
    if spread == 0.0:  # one size a family: the slope between families is all there is
        away, spread = frame - frame.mean(), float(((frame - frame.mean())["x"] ** 2).sum())
    slope = float((away["x"] * away["y"]).sum()) / spread if spread else 0.0
    levels = (frame["y"] - slope * frame["x"]).groupby(train.member).mean()
    level = pd.Series(test.member).map(levels).fillna(levels.mean())
    result: Floats = level.to_numpy() + slope * test.x
    return result


BASELINES: dict[str, Callable[[Points, Points], Floats]] = {
    "smaller sibling carried forward": carried_forward,
    "least-squares logistic": logistic,
    "line of each family": straight_line,
}


def predict_baseline(
    name: str, table: Table, split: Split, fold: Fold, group: str
) -> FoldPrediction:
    """Predict a fold's test rows by a baseline, with intervals from its errors in training.

    Parameters
    ----------
    name
        One of `BASELINES`.
    table, split, fold
        What is divided, how, and which of its folds.
    group
        The column that takes the place of families.

    Returns
    -------
    FoldPrediction
        One draw of the expected value, the point prediction; nothing was sampled.
    """
    rows = _long(table, split, fold, group)
    rule = BASELINES[name]
    middle = _predict(rule, rows, fold.train, fold.test)
    pairs = inner(split, fold, table, INNER_FOLDS) or _by_run(table, fold)
    errors = pd.concat(
        [
            pd.DataFrame(
                {
                    "benchmark": rows["benchmark"][test],
                    "log": rows["log"][test],
                    "unit": rows["unit"][test],
                    "error": rows["y"][test] - _predict(rule, rows, train, test),
                }
            )
            for train, test in pairs
        ]
    )
    levels = (np.arange(DRAWS) + 0.5) / DRAWS
    draws = np.empty((DRAWS, len(middle)))
    marks = rows["benchmark"][fold.test].to_numpy()
    for mark in np.unique(marks):
        own = errors["error"][errors["benchmark"] == mark]
        first = rows[rows["benchmark"] == mark].iloc[0]
        alike = (errors["log"] == first["log"]) & (errors["unit"] == first["unit"])
        used = own if len(own) >= ENOUGH or not alike.any() else errors["error"][alike]
        used = used if len(used) else errors["error"]
        draws[:, marks == mark] = np.quantile(used, levels)[:, None] + middle[marks == mark]
    y = rows["y"][fold.test].to_numpy()
    log_density = _kernel(draws, y)
    logs = rows["log"][fold.test].to_numpy(bool)
    scale = np.where(logs, y, 0.0)  # the density of a value, not of its log
    low, high = _bounds(table, marks)
    shown = np.where(logs, np.exp(draws), np.clip(draws, low, high))
    point = np.where(logs, np.exp(middle), np.clip(middle, low, high))
    return FoldPrediction(
        draws=shown,
        mean_draws=np.broadcast_to(point, (1, len(y))),
        log_density=log_density - scale,
        seconds=0.0,
        max_r_hat=float("nan"),
        divergences=0,
        length=0,
    )


def _long(table: Table, split: Split, fold: Fold, group: str) -> pd.DataFrame:
    """Lay out what baselines know of each score, in the order of `Table.scores`.

    A quantity whose training values are all positive is taken by its log.
    """
    runs, scores = table.runs, table.scores
    x = log_compute(table, split)
    x = x.fillna(x.mean() if x.notna().any() else 0.0)
    marks = table.benchmarks.loc[scores["benchmark"]]
    accuracy = (marks["unit"] == ACCURACY).to_numpy()
    least = scores[fold.train].groupby("benchmark")["score"].min()
    logs = ~accuracy & (scores["benchmark"].map(least) > 0).to_numpy()
    y = scores["score"].to_numpy(float)
    return pd.DataFrame(
        {
            "benchmark": scores["benchmark"].to_numpy(str),
            "y": np.where(logs, np.log(np.where(logs, np.maximum(y, TINY), 1.0)), y),
            "log": logs,
            "unit": marks["unit"].to_numpy(str),
            "x": x.loc[scores["run"]].to_numpy(),
            "member": runs[group].loc[scores["run"]].to_numpy(str),
            "chance": np.where(accuracy, marks["chance"].fillna(0.0), np.nan),
            "ceiling": np.where(accuracy, marks["ceiling"].fillna(1.0), np.nan),
        }
    )


def _predict(
    rule: Callable[[Points, Points], Floats], rows: pd.DataFrame, train: Mask, test: Mask
) -> Floats:
    """Apply a baseline to each benchmark; one without training rows gets the mean of the others."""
    found = np.full(len(rows), rows["y"][train].mean())
    for mark in rows["benchmark"][test].unique():
        own = (rows["benchmark"] == mark).to_numpy()
        alike = (rows["unit"] == rows["unit"][own].iloc[0]).to_numpy() & train
        if alike.any():
            found[own] = rows["y"][alike].mean()
        if (own & train).any():
            found[own & test] = rule(_points(rows[own & train]), _points(rows[own & test]))
    predicted: Floats = found[test]
    return predicted


def _points(rows: pd.DataFrame) -> Points:
    return Points(
        y=rows["y"].to_numpy(),
        x=rows["x"].to_numpy(),
        member=rows["member"].to_numpy(str),
        chance=float(rows["chance"].iloc[0]),
        ceiling=float(rows["ceiling"].iloc[0]),
    )


def _by_run(table: Table, fold: Fold) -> Sequence[tuple[Mask, Mask]]:
    """Divide training rows by run, where the rule of the split leaves nothing to divide."""
    number = np.full(len(fold.train), -1)
    number[fold.train] = pd.factorize(table.scores["run"][fold.train])[0] % INNER_FOLDS
    parts = [(fold.train & (number != i), number == i) for i in range(INNER_FOLDS)]
    pairs = [(train, test) for train, test in parts if train.any() and test.any()]
    if not pairs:
        raise SplitError(
            f"fold {fold.label} trains on one run: no baseline can be recalibrated on it; keep more"
        )
    return pairs


def _bounds(table: Table, marks: NDArray[np.str_]) -> tuple[Floats, Floats]:
    accuracy = (table.benchmarks["unit"].loc[marks] == ACCURACY).to_numpy()
    return np.where(accuracy, 0.0, -np.inf), np.where(accuracy, 1.0, np.inf)


def _kernel(draws: Floats, y: Floats) -> Floats:
    """Log density of a normal kernel around each draw (Silverman's width), shape (draw, row)."""
    width = 1.06 * np.maximum(draws.std(axis=0), LEAST_WIDTH) * len(draws) ** -0.2
    result: Floats = -0.5 * ((y - draws) / width) ** 2 - np.log(width * np.sqrt(2 * np.pi))
    return result
