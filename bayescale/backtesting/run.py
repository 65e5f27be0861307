"""`backtest`: hold rows out by a rule or a file, fit, predict, and keep score beside baselines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.backtesting.backtest import Backtest
from bayescale.backtesting.baselines import BASELINES, predict_baseline
from bayescale.backtesting.decisions import RANKING, decide, decision_scores, matched_pairs, ranked
from bayescale.backtesting.refit import CHAINS, DRAWS, FoldPrediction, as_trained, silent
from bayescale.backtesting.rules import FOLDS, hold_out, log_compute
from bayescale.backtesting.scorecard import Scorecard, gains, score_rows, scorecard
from bayescale.backtesting.splits import Fold, Split, read_split
from bayescale.backtesting.verdicts import verdicts
from bayescale.backtesting.workers import fit_folds
from bayescale.base.errors import BacktestError, SplitError
from bayescale.base.words import quoted
from bayescale.models.cards import for_other_table, load_model, own_table
from bayescale.models.lay_out import lay_out
from bayescale.models.model import Model
from bayescale.tables.table import Table

__all__ = [
    "Backtest",
    "Fold",
    "FoldPrediction",
    "Scorecard",
    "Split",
    "backtest",
    "held_out",
    "read_split",
    "score_folds",
]

ModelLike = str | Path | Model


def backtest(
    models: ModelLike | Sequence[ModelLike] | Mapping[str, ModelLike],
    table: Table | None = None,
    split: Split | None = None,
    *,
    by: str | None = None,
    keep: int | None = None,
    folds: int = FOLDS,
    group: str = "family",
    size: str | None = None,
    cutoffs: Sequence[str] = (),
    seed: int = 0,
    chains: int = CHAINS,
    draws: int = DRAWS,
    workers: int | None = None,
    dask: str | None = None,
    progress: bool = True,
) -> Backtest:
    """Hold rows out, fit models to the rest, predict what was held out, and keep score.

    One compiled program serves all folds of a model. Every fold starts from what the rows common to
    all training sets teach, where there are any, so that nothing depends on a held-out value.
    Finished folds are kept on disk: an interrupted backtest goes on, one that is repeated is free.

    Parameters
    ----------
    models
        One or several: name of a bundled model or law, path of a card, or a `Model`; a mapping
        gives them names of your own.
    table
        What is divided; by default the table that the first model's card names.
    split
        Folds from `read_split` or `hold_out`; or say `by`.
    by, keep, folds, group, size, cutoffs
        The rule of `hold_out`, which documents them; `group` also names what stands for families
        in standard errors, baselines and distances. A split that `hold_out` made has its own.
    seed
        Seed.
    chains, draws
        Chains of each fold, and draws of each chain. A fold with R-hat above 1.05 goes on for
        longer.
    workers
        Processes on this machine; by default as many as leave each chain a processor.
    dask
        Address of a Dask scheduler whose workers fit the folds instead.
    progress
        Whether to say on standard error which fold is done, and how much time is left.

    Returns
    -------
    Backtest

    Raises
    ------
    BacktestError
        Neither or both of split and rule are given, or two models have one name.
    SplitError
        The rule leaves nothing to train on or to test.
    FitError
        Workers keep dying, or the Dask cluster is not there.

    Examples
    --------
    >>> import bayescale as bs
    >>> table = bs.load_table("open-llm-leaderboard")
    >>> bs.backtest(["skills", "compute"], table, by="family", keep=1)  # doctest: +SKIP
    """
    named = _named(models)
    if (split is None) == (by is None):
        raise BacktestError(
            "say what to hold out: by one of size, family, date and benchmark, or a split from "
            "read_split (command line: --by or --split), and not both"
        )
    tell: Callable[[str], None] = (
        partial(print, file=sys.stderr, flush=True) if progress else silent
    )
    loaded = {name: load_model(model) for name, model in named.items()}  # all before the first fit
    table = own_table(next(iter(loaded.values()))) if table is None else table
    for name, model in loaded.items():
        if not isinstance(named[name], Model):
            loaded[name] = for_other_table(model, table)[0]
    for model in loaded.values():
        lay_out(model, table)  # what a table lacks is told before the first fit is paid for
    if split is None:
        assert by is not None
        split = hold_out(
            table,
            by,
            keep=keep,
            folds=folds,
            group=group,
            size=size,
            cutoffs=tuple(cutoffs),
            seed=seed,
        )
        tell(str(split))
    elif split.rule is not None:
        group = split.rule.group
    elif group not in table.groups:
        raise SplitError(f"table {table.name} has no groups {group!r}: it has {table.groups}")
    baselines = {
        name: [predict_baseline(name, table, split, fold, group) for fold in split.folds]
        for name in BASELINES
    }
    found = fit_folds(
        loaded,
        table,
        split,
        seed=seed,
        chains=chains,
        draws=draws,
        workers=workers,
        dask=dask,
        tell=tell,
    )
    summed = _summed_up(table, split, found, baselines, group)
    return replace(
        summed,
        models={name: as_trained(model, table, split).card for name, model in loaded.items()},
        seed=seed,
    )


def _named(
    models: ModelLike | Sequence[ModelLike] | Mapping[str, ModelLike],
) -> dict[str, ModelLike]:
    """Give every model its name."""
    if isinstance(models, Mapping):
        found = {str(name): model for name, model in models.items()}
    else:
        given = [models] if isinstance(models, str | Path | Model) else list(models)
        names = [load_model(model).name for model in given]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BacktestError(
                f"two models are called {quoted(twice)}: give a mapping with a name for each"
            )
        found = dict(zip(names, given, strict=True))
    if not found:
        raise BacktestError("no model to backtest: name at least one")
    if taken := sorted(found.keys() & BASELINES.keys()):
        raise BacktestError(f"{quoted(taken)} is a baseline's name: give the model another")
    return found


def _summed_up(
    table: Table,
    split: Split,
    found: Mapping[str, Sequence[FoldPrediction]],
    baselines: Mapping[str, Sequence[FoldPrediction]],
    group: str,
) -> Backtest:
    """Score models and baselines on the same rows."""
    beaten = {
        name: score_folds(name, table, split, of, group=group) for name, of in baselines.items()
    }
    cards = {}
    for name, of in found.items():
        card = score_folds(name, table, split, of, group=group)
        cards[name] = replace(card, against=gains(card, beaten))
    return Backtest(
        table=table.name,
        split=split,
        cards=cards,
        baselines=beaten,
        verdicts={name: verdicts(card, table) for name, card in cards.items()},
        decisions=_decisions(table, split, found, next(iter(cards.values())).rows, group),
    )


def _decisions(
    table: Table,
    split: Split,
    found: Mapping[str, Sequence[FoldPrediction]],
    rows: pd.DataFrame,
    group: str,
) -> pd.DataFrame:
    pairs = matched_pairs(rows, table, split)
    if pairs.empty:
        return pd.DataFrame()
    odds = {
        name: decide(pairs, np.concatenate([fold.draws for fold in of], axis=1))
        for name, of in found.items()
    }
    odds[RANKING] = ranked(pairs, rows, table, split, group)
    return decision_scores(pairs, odds)


def score_folds(
    model: str,
    table: Table,
    split: Split,
    predictions: Sequence[FoldPrediction],
    *,
    group: str = "family",
) -> Scorecard:
    """Score the predictions of every fold's held-out rows.

    Parameters
    ----------
    model
        The model's name on the scorecard.
    table, split
        What is divided, and how.
    predictions
        Of each fold, in the order of the split.
    group
        The column that takes the place of families.

    Returns
    -------
    Scorecard
    """
    rows, folds = [], []
    for fold, prediction in zip(split.folds, predictions, strict=True):
        observed = held_out(table, split, fold, group)
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
    units = table.benchmarks["unit"].unique()
    unit = str(units[0]) if len(units) == 1 else "mixed units"
    return scorecard(model, pd.concat(rows, ignore_index=True), pd.DataFrame(folds), unit)


def held_out(table: Table, split: Split, fold: Fold, group: str = "family") -> pd.DataFrame:
    """Pick the test rows of a fold.

    Parameters
    ----------
    table, split, fold
        What is divided, how, and which of its folds.
    group
        The column that takes the place of families.

    Returns
    -------
    DataFrame
        Columns fold, run, family (the member of `group`), benchmark, score, distance (decades from
        the most compute of the family in training; NaN where it has none), in the order of
        `Table.scores`.
    """
    rows = table.scores.loc[fold.test, ["run", "benchmark", "score"]].reset_index(drop=True)
    rows.insert(0, "fold", fold.label)
    member = table.runs[group]
    rows.insert(2, "family", member.loc[rows["run"]].to_numpy())
    compute = log_compute(table, split)
    trained = table.runs.index.isin(table.scores.loc[fold.train, "run"])
    most = compute[trained].groupby(member[trained]).max()
    reach = compute.loc[rows["run"]].to_numpy() - rows["family"].map(most).to_numpy(float)
    return rows.assign(distance=reach)
