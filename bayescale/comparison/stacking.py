"""`stack`: several fits as one forecast, weighted by how they predicted what was held out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.backtesting.run import Backtest, backtest
from bayescale.base.errors import CompareError, FitFileError
from bayescale.base.files import write_json
from bayescale.base.intervals import intervals, quantiles
from bayescale.base.words import quoted
from bayescale.comparison.comparable import common_observations
from bayescale.comparison.loo import stacking_weights
from bayescale.inference.posterior import Posterior
from bayescale.inference.storage import read_fit
from bayescale.parts.part import Law
from bayescale.predict.predict import predict
from bayescale.predict.prediction import Prediction
from bayescale.tables.validation import Sourced

LOWEST = -1e3  # nats: how impossible a fit may find a score that another expects
APART = 1.0  # disagreement between fits, over their own spread, that is worth a word


@dataclass(frozen=True, eq=False, repr=False)
class Stack:
    """Fits that predict as one: a mixture of their predictive distributions.

    Parameters
    ----------
    fits
        Name -> fit.
    weights
        Weight of each, not negative, summing to one.
    validation
        What the weights come from, in words.
    """

    fits: Mapping[str, Posterior]
    weights: pd.Series
    validation: str

    def save(self, path: str | Path, files: Mapping[str, str | Path]) -> None:
        """Write weights, and where the fits are, to a JSON file that `load_stack` reads.

        Parameters
        ----------
        path
            The file.
        files
            For each fit the file that it is saved in; kept relative to the stack's own folder.

        Raises
        ------
        BayescaleError
            The file cannot be written.
        """
        folder = Path(path).resolve().parent
        told = {name: os.path.relpath(files[name], folder) for name in self.fits}
        hashes = {name: _sha256(Path(files[name])) for name in self.fits}
        write_json(
            path,
            {
                "fits": told,
                "sha256": hashes,
                "weights": self.weights.to_dict(),
                "validation": self.validation,
            },
        )

    def __str__(self) -> str:
        shares = self.weights.round(3).to_string()
        return f"weights from held-out log scores, {self.validation}\n{shares}"

    __repr__ = __str__

    def predict(
        self,
        rows: pd.DataFrame | Sourced | None = None,
        *,
        benchmark: str | Sequence[str] | None = None,
        kind: str = "score",
        interval: float = 0.9,
        seed: int = 0,
        **query: Any,
    ) -> Prediction:
        """Predict as a fit does; every draw comes from one of the fits, for all rows.

        Parameters
        ----------
        rows, benchmark, kind, interval, seed
            As of `Fit.predict`.
        query
            One query in place of rows: family, params, tokens and others of `Fit.predict`.

        Returns
        -------
        Prediction
            Its `parts` say what each fit predicts, and how much of the mixture's variance is due to
            it: ``w_k (variance_k + (mean_k - mean)^2)`` over the sum of these.
        """
        each = {
            name: predict(
                fit, rows, benchmark=benchmark, kind=kind, interval=interval, seed=seed, **query
            )
            for name, fit in self.fits.items()
        }
        weights = self.weights[list(each)]
        draws = mix([one.draws for one in each.values()], weights.to_numpy(), seed)
        frame = next(iter(each.values())).frame
        # The medians and ends of the first fit make room for those of the mixture.
        known = frame.loc[:, :"benchmark"]
        parts = _parts(each, weights, kind, interval)
        doubts = list(dict.fromkeys(doubt for one in each.values() for doubt in one.doubts))
        return Prediction(
            known.assign(**intervals(draws, interval, kind)),
            draws,
            kind,
            interval,
            (*doubts, *_disagreement(each)),
            parts,
        )


def stack(
    fits: Mapping[str, Posterior],
    validation: Backtest | str = "size",
    *,
    seed: int = 0,
    **rule: Any,
) -> Stack:
    """Weigh fits by how well the mixture of their forecasts predicts what was held out.

    ``argmax_w sum_i log sum_k w_k p_k(y_i)`` over held-out scores: what is far from training is
    predicted from what is near, as the stack will be used. Row-wise LOO, which stays among the
    training rows, would give weights for another task.

    Parameters
    ----------
    fits
        Name -> fit, of the same scores.
    validation
        "size" (forward), "family", "date" or "benchmark": a backtest of the fits' models on the
        fits' own table is run by that rule. Or a `Backtest` whose cards bear the fits' names.
    seed
        Seed of the backtest.
    rule
        Further arguments of `backtest`, such as keep and group.

    Returns
    -------
    Stack

    Raises
    ------
    CompareError
        Fewer than two fits, fits of different scores, or a backtest that lacks one of them.

    Examples
    --------
    >>> both = stack({"chinchilla": one, "kaplan-nd": other}, "size")  # doctest: +SKIP
    >>> both.predict(params=7e9, tokens=2e12).frame                   # doctest: +SKIP

    Source: Yao, Vehtari, Simpson and Gelman 2018, Bayesian Analysis 13:917.
    """
    if len(fits) < 2:
        raise CompareError("a stack needs two or more fits")
    common_observations(fits)
    table = next(iter(fits.values())).table
    if isinstance(validation, str):
        models = {name: fit.model for name, fit in fits.items()}
        validation = backtest(models, table, by=validation, seed=seed, **rule)
    if validation.table != table.name:
        raise CompareError(
            f"the backtest is of table {validation.table}, the fits of {table.name}: weights are "
            "for one table"
        )
    lacking = [name for name in fits if name not in validation.cards]
    if lacking:
        raise CompareError(
            f"the backtest has no card of {quoted(lacking)}; it has {quoted(validation.cards)}: "
            "backtest a mapping of the fits' names to their models"
        )
    card = validation[next(iter(fits))]
    told = f"{validation.split.name}: {card.n} scores of {len(card.by_family)} families"
    return Stack(dict(fits), weights_from(validation, list(fits)), told)


def read_stack(path: str | Path, kind: type[Posterior], laws: Sequence[Law] = ()) -> Stack:
    """Read a stack that `Stack.save` wrote, and its fits.

    Parameters
    ----------
    path
        The file.
    kind
        Class of the fits.
    laws
        Laws of the user's own that fits may be of.

    Raises
    ------
    FitFileError
        There is no such file, it is no stack, or one of its fits is not there.
    """
    path = Path(path)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        files = {name: path.parent / file for name, file in told["fits"].items()}
        if lost := [str(file) for file in files.values() if not file.is_file()]:
            raise FitFileError(f"{path} is a stack of fits that are not there: {quoted(lost)}")
        if other := [str(f) for name, f in files.items() if _sha256(f) != told["sha256"][name]]:
            raise FitFileError(
                f"{quoted(other)} changed since {path} was made, whose weights are of the fits of "
                "then: stack them again"
            )
        fits = {name: read_fit(file, kind, laws) for name, file in files.items()}
        weights = pd.Series(told["weights"], name="weight").loc[list(fits)]
        return Stack(fits, weights.rename_axis("fit"), str(told["validation"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FitFileError(
            f"{path} is no stack ({error}); `bayescale stack FIT FIT --out {path}` writes one"
        ) from None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights_from(found: Backtest, names: Sequence[str]) -> pd.Series:
    """Give the stacking weights of models by their held-out log scores in a backtest."""
    pointwise = np.stack([found.cards[name].rows["log_score"] for name in names], axis=1)
    weights = stacking_weights(np.maximum(pointwise, LOWEST))
    return pd.Series(weights, index=pd.Index(names, name="fit"), name="weight")


def mix(draws: Sequence[NDArray[Any]], weights: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """Draw from sets of draws (draw, row) in proportion to weights, whole draws at a time."""
    rng = np.random.default_rng(seed)
    count = min(len(of) for of in draws)
    share = np.floor(np.cumsum(weights) * count + 0.5).astype(int)
    parts = [
        of[rng.choice(len(of), n, replace=False)]
        for of, n in zip(draws, np.diff(share, prepend=0), strict=True)
    ]
    mixed: NDArray[np.float64] = rng.permutation(np.concatenate(parts))
    return mixed


def _parts(
    each: Mapping[str, Prediction], weights: pd.Series, kind: str, interval: float
) -> pd.DataFrame:
    """Tell each fit's own prediction, weight and share of the mixture's variance."""
    means = np.stack([one.draws.mean(axis=0) for one in each.values()])
    within = np.stack([one.draws.var(axis=0) for one in each.values()])
    w = weights.to_numpy()[:, None]
    due = w * (within + (means - (w * means).sum(axis=0)) ** 2)
    share = due / due.sum(axis=0)
    told = []
    for i, (name, one) in enumerate(each.items()):
        known = one.frame.loc[:, :"benchmark"].assign(fit=name, weight=w[i, 0])
        ends = intervals(one.draws, interval, kind)
        told.append(known.assign(share_of_variance=share[i], **ends))
    return pd.concat(told, ignore_index=True)


def _disagreement(each: Mapping[str, Prediction]) -> list[str]:
    """Say where fits disagree by more than each of them doubts itself."""
    medians = np.stack([quantiles(one.draws, 0.5) for one in each.values()])
    within = np.stack([one.draws.std(axis=0) for one in each.values()]).mean(axis=0)
    ratio = medians.std(axis=0) / within
    if not (ratio > APART).any():
        return []
    far, all_rows = int((ratio > APART).sum()), len(ratio)
    text = f"the fits disagree by up to {ratio.max():.1f} times their own spread"
    return [f"{text} ({far} of {all_rows} predictions): look at the parts"]
