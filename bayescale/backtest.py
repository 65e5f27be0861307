"""Backtest on a split: fit each fold, predict its held-out rows, and keep score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.scorecard import Scorecard, score_rows, scorecard
from bayescale.splits import Fold, Split, read_split
from bayescale.table import Table

__all__ = ["Fold", "FoldPrediction", "Scorecard", "Split", "backtest", "held_out", "read_split"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldPrediction:
    """What fitting one fold gives for its test rows, in the order of `Fold.test`.

    Parameters
    ----------
    draws
        Predictive draws of the measured score, shape (draw, row).
    mean_draws
        Posterior draws of the expected score, shape (draw, row).
    log_density
        Log density of each observed score under each draw, shape (draw, row).
    seconds
        Time of the fit and the prediction.
    max_r_hat
        Largest R-hat of the fit.
    divergences
        Number of divergent draws.
    """

    draws: Floats
    mean_draws: Floats
    log_density: Floats
    seconds: float
    max_r_hat: float
    divergences: int


def backtest(
    model: str, table: Table, split: Split, fit_fold: Callable[[Fold], FoldPrediction]
) -> Scorecard:
    """Fit and predict every fold of a split, and score the held-out rows.

    Parameters
    ----------
    model
        The model's name on the scorecard.
    table
        The table that the split divides.
    split
        The folds, from `read_split`.
    fit_fold
        Fits the rows where `Fold.train` holds and predicts those where `Fold.test` holds. It must
        not let a held-out score change the fit.

    Returns
    -------
    Scorecard
    """
    rows, folds = [], []
    for fold in split.folds:
        observed = held_out(table, fold)
        prediction = fit_fold(fold)
        rows.append(
            score_rows(prediction.draws, prediction.mean_draws, observed, prediction.log_density)
        )
        folds.append(
            {
                "fold": fold.label,
                "n": len(observed),
                "seconds": prediction.seconds,
                "max_r_hat": prediction.max_r_hat,
                "divergences": prediction.divergences,
            }
        )
    return scorecard(model, pd.concat(rows, ignore_index=True), pd.DataFrame(folds))


def held_out(table: Table, fold: Fold) -> pd.DataFrame:
    """Pick the test rows of a fold: columns fold, run, family, benchmark, score.

    Parameters
    ----------
    table
        The table that the fold divides.
    fold
        One fold of a split of that table.

    Returns
    -------
    DataFrame
        In the order of `Table.scores`.
    """
    rows = table.scores.loc[fold.test, ["run", "benchmark", "score"]].reset_index(drop=True)
    rows.insert(0, "fold", fold.label)
    rows.insert(2, "family", table.runs["family"].loc[rows["run"]].to_numpy())
    return rows
