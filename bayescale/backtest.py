"""Backtest on a split: fit each fold, predict its held-out rows, and keep score."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from bayescale.cards import load_model
from bayescale.model import Model
from bayescale.refit import CHAINS, DRAWS, FoldPrediction, fold_fitter, silent
from bayescale.scorecard import Scorecard, score_rows, scorecard
from bayescale.splits import Fold, Split, read_split
from bayescale.table import Table

__all__ = ["Fold", "FoldPrediction", "Scorecard", "Split", "backtest", "read_split", "score_folds"]


def backtest(
    model: str | Path | Model,
    table: Table,
    split: Split,
    *,
    seed: int = 0,
    chains: int = CHAINS,
    draws: int = DRAWS,
    progress: bool = True,
) -> Scorecard:
    """Fit a model to every fold of a split, predict what the fold holds out, and keep score.

    One compiled program serves every fold, and every fold starts from what the rows common to all
    training sets teach, so that nothing depends on a held-out value.

    Parameters
    ----------
    model
        Name of a bundled model, path of a card, or a `Model`.
    table
        The table that the split divides.
    split
        The folds, from `read_split`.
    seed
        Seed.
    chains, draws
        Chains of each fold, and draws of each chain. A fold with R-hat above 1.05 goes on for
        longer.
    progress
        Whether to say on standard error which fold is done.

    Returns
    -------
    Scorecard

    Examples
    --------
    >>> import bayescale as bs
    >>> table = bs.load_table("sloth-2024")
    >>> bs.backtest("skills", table, bs.read_split("split.csv", table))  # doctest: +SKIP
    """
    chosen = load_model(model)
    tell = partial(print, file=sys.stderr, flush=True) if progress else silent
    fitter = fold_fitter(chosen, table, split, seed=seed, chains=chains, draws=draws, tell=tell)
    return score_folds(chosen.name, table, split, fitter, tell=tell)


def score_folds(
    model: str,
    table: Table,
    split: Split,
    fit_fold: Callable[[Fold], FoldPrediction],
    *,
    tell: Callable[[str], None] = silent,
) -> Scorecard:
    """Fit and predict every fold of a split with a given function, and score the held-out rows.

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
    tell
        Is told when a fold is done.

    Returns
    -------
    Scorecard
    """
    rows, folds = [], []
    for fold in split.folds:
        observed = held_out(table, fold)
        prediction = fit_fold(fold)
        tell(f"fold {fold.label}: {prediction.seconds:.1f} s, R-hat {prediction.max_r_hat:.2f}")
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
                "length": prediction.length,
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
