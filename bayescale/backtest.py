"""`backtest`: hold rows out by a rule or a file, fit, predict, and keep score beside baselines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.baselines import BASELINES, predict_baseline
from bayescale.cards import for_other_table, load_model, own_table
from bayescale.decisions import RANKING, decide, decision_scores, matched_pairs, ranked
from bayescale.errors import BacktestError, SplitError
from bayescale.files import plain, write_json
from bayescale.holdouts import FOLDS, hold_out, size_column
from bayescale.model import Model
from bayescale.refit import CHAINS, DRAWS, FoldPrediction, silent
from bayescale.scorecard import Scorecard, gains, scale_of, score_rows, scorecard
from bayescale.splits import Fold, Split, read_split
from bayescale.table import Table
from bayescale.validation import quoted
from bayescale.verdicts import RULES, verdicts
from bayescale.workers import fit_folds

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

Floats = NDArray[np.float64]
ModelLike = str | Path | Model
SCORES = ["mae", "crps", "interval_score"]
SHOWN = ["n", *SCORES, "coverage_0.9", "coverage_0.9_se"]


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """Models and baselines on the same held-out rows.

    Parameters
    ----------
    table, split
        Name of the table; what was held out.
    cards
        For each model its scorecard; `backtest["skills"]` is short for one.
    baselines
        For each baseline its scorecard.
    verdicts
        For each model a frame of benchmarks: predictable, flat at chance, saturated or erratic.
    decisions
        How well each model, and a ranking by the largest small run, tells which of two families of
        equal size scores higher: `n`, `accuracy`, `brier`, with standard errors over families.
        Empty where no two held-out runs match.
    """

    table: str
    split: Split
    cards: dict[str, Scorecard]
    baselines: dict[str, Scorecard]
    verdicts: dict[str, pd.DataFrame]
    decisions: pd.DataFrame

    def __getitem__(self, model: str) -> Scorecard:
        return self.cards[model]

    def to_frame(self) -> pd.DataFrame:
        """One row for each model, then for each baseline: every score and its standard error."""
        cards = [*self.cards.values(), *self.baselines.values()]
        return pd.concat([card.to_frame() for card in cards])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values.

        Returns
        -------
        dict
            `table`, `split`, `cards` and `baselines` (lists of scorecards), `verdicts` (by model
            and benchmark), `decisions` (by forecast).
        """
        result: dict[str, Any] = plain(
            {
                "table": self.table,
                "split": str(self.split).splitlines(),
                "cards": [card.to_dict() for card in self.cards.values()],
                "baselines": [card.to_dict() for card in self.baselines.values()],
                "verdicts": {name: of.to_dict("index") for name, of in self.verdicts.items()},
                "decisions": self.decisions.to_dict("index"),
            }
        )
        return result

    def to_json(self, path: str | Path) -> Path:
        """Write `to_dict()` to a file, whole or not at all.

        Raises
        ------
        BayescaleError
            The file cannot be written there.
        """
        path = Path(path)
        write_json(path, self.to_dict())
        return path

    def __str__(self) -> str:
        first = next(iter(self.cards.values()))
        factor, digits, unit = scale_of(first.unit)
        frame = self.to_frame()
        shown = ["mae", "crps", "interval_score", "mean_width_0.9"]
        table = (factor * frame[shown]).round(digits).assign(log_score=frame["log_score"].round(3))
        for level in ("0.5", "0.8", "0.9", "0.95"):
            covered = frame[[f"coverage_{level}", f"coverage_{level}_se"]].to_numpy()
            table[f"{float(level):.0%} hold"] = [
                f"{100 * a:.1f} ({100 * b:.1f})" for a, b in covered
            ]
        text = [str(self.split), f"scores in {unit}; coverage in percent (standard error)"]
        text.append(table.to_string())
        for card in self.cards.values():
            text.append(f"{card.model} less the baselines: gains (standard error)")
            text.append(_told_gains(card, factor, digits).to_string())
            if len(card.by_distance):
                text.append(f"{card.model} by distance of extrapolation")
                scaled = card.by_distance[SHOWN].copy()
                scaled[SCORES] = (factor * scaled[SCORES]).round(digits)
                text.append(scaled.round(3).to_string())
            text.append(f"{card.model} by benchmark")
            text.append(self.verdicts[card.model].round(3).to_string())
        text.append(RULES)
        if len(self.decisions):
            text.append("which of two families of equal size scores higher")
            text.append(self.decisions.round(3).to_string())
        return "\n\n".join(text)

    __repr__ = __str__


def _told_gains(card: Scorecard, factor: float, digits: int) -> pd.DataFrame:
    told = {}
    for name, by, size in (
        ("CRPS", "crps", factor),
        ("interval score", "interval_score", factor),
        ("log score", "log_score", 1.0),
    ):
        pairs = size * card.against[[f"{by}_gain", f"{by}_gain_se"]].to_numpy()
        told[name] = [f"{a:.{digits}f} ({b:.{digits}f})" for a, b in pairs]
    return pd.DataFrame(told, index=card.against.index)


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

    One compiled program serves all folds of a model, and every fold starts from what the rows
    common to all training sets teach, so that nothing depends on a held-out value. Finished folds
    are kept on disk: an interrupted backtest goes on, and one that is repeated is free.

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
        in standard errors, baselines and distances.
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
        model.design(table)  # what a table lacks is told before the first fit is paid for
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
    elif group not in table.groups:
        raise SplitError(f"table {table.name} has no groups {group!r}: it has {table.groups}")
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
    tell("recalibrating baselines on training rows")
    return _summed_up(table, split, found, group)


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
    table: Table, split: Split, found: dict[str, list[FoldPrediction]], group: str
) -> Backtest:
    """Score models and baselines on the same rows."""
    predictions = dict(found)
    for name in BASELINES:
        predictions[name] = [
            _as_fold(predict_baseline(name, table, split, fold, group)) for fold in split.folds
        ]
    cards = {
        name: score_folds(name, table, split, of, group=group) for name, of in predictions.items()
    }
    baselines = {name: cards[name] for name in BASELINES}
    models = {name: replace(cards[name], against=gains(cards[name], baselines)) for name in found}
    return Backtest(
        table=table.name,
        split=split,
        cards=models,
        baselines=baselines,
        verdicts={name: verdicts(card, table) for name, card in models.items()},
        decisions=_decisions(table, split, found, next(iter(models.values())).rows, group),
    )


def _as_fold(found: Any) -> FoldPrediction:
    return FoldPrediction(
        draws=found.draws,
        mean_draws=found.mean_draws,
        log_density=found.log_density,
        seconds=0.0,
        max_r_hat=float("nan"),
        divergences=0,
        length=0,
    )


def _decisions(
    table: Table,
    split: Split,
    found: dict[str, list[FoldPrediction]],
    rows: pd.DataFrame,
    group: str,
) -> pd.DataFrame:
    pairs = matched_pairs(rows, table)
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
    column = split.rule.size if split.rule else None
    for fold, prediction in zip(split.folds, predictions, strict=True):
        observed = held_out(table, fold, group, column)
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


def held_out(
    table: Table, fold: Fold, group: str = "family", size: str | None = None
) -> pd.DataFrame:
    """Pick the test rows of a fold.

    Parameters
    ----------
    table
        The table that the fold divides.
    fold
        One fold of a split of that table.
    group
        The column that takes the place of families.
    size
        The column that tells sizes, where FLOPs are not known.

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
    column = "flops" if table.runs["flops"].notna().all() else size or size_column(table)
    compute = np.log10(table.runs[column])
    trained = table.runs.index.isin(table.scores.loc[fold.train, "run"])
    most = compute[trained].groupby(member[trained]).max()
    reach = compute.loc[rows["run"]].to_numpy() - rows["family"].map(most).to_numpy(float)
    return rows.assign(distance=reach)
