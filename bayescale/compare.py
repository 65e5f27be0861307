"""Compare fits of the same scores: PSIS-LOO first, WAIC beside it, stacking weights, doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescale.errors import CompareError
from bayescale.loo import Loo, psis_loo, stacking_weights
from bayescale.scores import cluster_bootstrap
from bayescale.waic import P_WAIC_LIMIT, Waic, waic

if TYPE_CHECKING:
    from bayescale.model import Model

__all__ = ["Comparison", "HasLogLik", "compare", "waic"]

Floats = NDArray[np.float64]

TASK = "one more score of a known run"
LAW_TASK = "one more measurement like those seen"
FEW_FAMILIES = 10
NEAR_ONE = 0.9
LEAST_SHOWN = 0.005  # a weight that rounds to 0.00 predicts nothing that the others miss
BOOTSTRAP_SEED = 0
KEY = ["run", "benchmark"]
ADVICE = (
    "Every column here is about one more score of a run that was seen, given the run's other "
    "scores. For a larger model, or one of an unseen family, only a backtest that holds out whole "
    "runs measures what you want"
)
LAW_ADVICE = (
    "Every column here is about one more measurement like those seen, so about how well a law runs "
    "between them. For a larger run, or one of an unseen group, only a backtest that holds out "
    "whole runs measures what you want"
)
# What decides the ranking, and what tells how far to trust it: printed one below the other.
RANKING = (
    "rank",
    "elpd_loo",
    "se_elpd_loo",
    "elpd_diff",
    "se_diff",
    "se_diff_over_families",
    "stacking_weight",
)


class HasLogLik(Protocol):
    """What a fit must offer to be compared."""

    @property
    def model(self) -> Model:
        """The model; scorecards bear its name."""

    @property
    def response(self) -> str:
        """Scale of what is predicted, such as "score"."""

    @property
    def base_measure(self) -> str:
        """Unit of the likelihood: "density" or "counts"."""

    @property
    def verdict_ok(self) -> bool:
        """Whether the sampler's verdict lets the draws be used."""

    def log_likelihood(self) -> xr.DataArray:
        """Pointwise log likelihood in nats, dims (chain, draw, row)."""

    def observations(self) -> pd.DataFrame:
        """Columns run, family, benchmark, score; in the order of the dimension row."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Fits side by side, best first.

    `frame` has one row per fit; each column says which prediction task it is about. `doubts` are
    sentences that must be read with it. `loo`, `waic` and `observations` hold the rows behind.
    """

    frame: pd.DataFrame
    doubts: list[str]
    loo: dict[str, Loo]
    waic: dict[str, Waic]
    observations: pd.DataFrame
    task: str = TASK

    def to_frame(self) -> pd.DataFrame:
        """Copy of `frame`."""
        return self.frame.copy()

    def __str__(self) -> str:
        short = self.frame.rename(columns=lambda name: name.removesuffix(f" ({self.task})"))
        short = short.dropna(axis="columns", how="all").round(2)
        ranking = [name for name in short if name in RANKING]
        head = (
            f"Ranked by PSIS-LOO. Every column is about {self.task} (log scale, larger is better)."
        )
        return "\n".join(
            [
                head,
                short[ranking].to_string(),
                "",
                short.drop(columns=ranking).to_string(),
                *(f"- {doubt}" for doubt in self.doubts),
            ]
        )

    __repr__ = __str__


def compare(
    fits: Mapping[str, HasLogLik], backtests: Sequence[Mapping[str, Any]] = ()
) -> Comparison:
    """Compare fits of the same observations by how well they predict one more of them.

    Parameters
    ----------
    fits
        Name -> fit.
    backtests
        Scorecards as dictionaries (the JSON of `bayescale backtest`); those of the fits' models are
        cited in the doubts.

    Returns
    -------
    Comparison
        Columns: rank, elpd_loo, its standard error, the difference to the best and its standard
        error over rows and over families (NaN where there is one), stacking weight, p_loo, number
        of bad Pareto k, elpd_waic, its standard error, p_waic and the number of rows where it is
        above 0.4.

    Raises
    ------
    CompareError
        No fit is given, or the fits have different observations, response scales or base
        measures, or a log likelihood is not finite.

    Examples
    --------
    >>> print(compare({"skills": fit, "compute": other}))  # doctest: +SKIP

    Source: Vehtari, Gelman and Gabry 2017, Statistics and Computing 27:1413; Yao, Vehtari, Simpson
    and Gelman 2018, Bayesian Analysis 13:917.
    """
    if not fits:
        raise CompareError("no fit to compare: name at least one, better two or more")
    _check_scales(fits)
    observations = _common_observations(fits)
    loos, waics = {}, {}
    for name, fit in fits.items():
        log_lik = _ordered_log_lik(name, fit)
        loos[name] = psis_loo(log_lik)
        waics[name] = waic(log_lik.reshape(-1, log_lik.shape[2]))
    loos = dict(sorted(loos.items(), key=lambda item: -item[1].elpd))
    frame = _frame(loos, waics, observations)
    doubts = _doubts(fits, frame, loos, waics, observations, backtests)
    task = TASK if _of_leaderboards(fits) else LAW_TASK
    frame.columns = [f"{column} ({task})" for column in frame.columns]
    return Comparison(frame, doubts, loos, waics, observations, task)


def check_comparable(fits: Mapping[str, HasLogLik]) -> None:
    """Refuse fits of different scores, response scales or base measures.

    Raises
    ------
    CompareError
        Says what differs, and where first.
    """
    _check_scales(fits)
    _common_observations(fits)


def _of_leaderboards(fits: Mapping[str, HasLogLik]) -> bool:
    return all(fit.model.of_leaderboard for fit in fits.values())


def _check_scales(fits: Mapping[str, HasLogLik]) -> None:
    for attribute, what in (("response", "response scale"), ("base_measure", "base measure")):
        values = {name: str(getattr(fit, attribute)) for name, fit in fits.items()}
        if len(set(values.values())) > 1:
            given = ", ".join(f"{name}: {value}" for name, value in values.items())
            raise CompareError(
                f"fits of different {what}s cannot be compared ({given}): their log likelihoods "
                "have different units. Refit them on one scale, or compare them by a backtest."
            )


def _common_observations(fits: Mapping[str, HasLogLik]) -> pd.DataFrame:
    """Check that all fits saw the same scores, and return them in order of run and benchmark."""
    first_name, first = "", pd.DataFrame()
    for name, fit in fits.items():
        frame = fit.observations()[["run", "family", "benchmark", "score"]]
        frame = frame.sort_values(KEY, ignore_index=True)
        if not first_name:
            first_name, first = name, frame
            continue
        both = first.merge(frame, on=KEY, how="outer", indicator=True, suffixes=("", "_other"))
        for side, has, lacks in (("left_only", first_name, name), ("right_only", name, first_name)):
            only = both[both["_merge"] == side]
            if len(only):
                row = only.iloc[0]
                raise CompareError(
                    f"{has} saw {len(only)} scores that {lacks} did not, first run "
                    f'"{row["run"]}" on "{row["benchmark"]}" ({len(first)} scores in '
                    f"{first_name}, {len(frame)} in {name}). Refit both on the same table."
                )
        other = both[both["score"] != both["score_other"]]
        if len(other):
            row = other.iloc[0]
            raise CompareError(
                f"{first_name} and {name} saw different values of {len(other)} scores, first run "
                f'"{row["run"]}" on "{row["benchmark"]}": {row["score"]} and '
                f"{row['score_other']}. Refit both on the same table."
            )
    return first


def _ordered_log_lik(name: str, fit: HasLogLik) -> Floats:
    """Log likelihood (chain, draw, row) with rows in order of run and benchmark."""
    array = fit.log_likelihood().transpose("chain", "draw", "row").to_numpy().astype(np.float64)
    frame = fit.observations().reset_index(drop=True)
    if array.shape[2] != len(frame):
        raise CompareError(
            f"{name}: {array.shape[2]} rows of log likelihood for {len(frame)} observations"
        )
    bad = ~np.isfinite(array).all(axis=(0, 1))
    if bad.any():
        row = frame[bad].iloc[0]
        raise CompareError(
            f"{name}: the log likelihood of {bad.sum()} scores is not finite, first run "
            f'"{row["run"]}" on "{row["benchmark"]}". Look at its verdict; refit with a noise '
            "that gives every score a positive density."
        )
    order = frame.sort_values(KEY).index.to_numpy()
    result: Floats = array[:, :, order]
    return result


def _frame(
    loos: Mapping[str, Loo], waics: Mapping[str, Waic], observations: pd.DataFrame
) -> pd.DataFrame:
    pointwise = np.stack([loo.pointwise for loo in loos.values()], axis=1)
    rows = len(observations)
    difference = pointwise - pointwise[:, [0]]
    family = observations["family"].to_numpy()
    return pd.DataFrame(
        {
            "rank": range(1, len(loos) + 1),
            "elpd_loo": [loo.elpd for loo in loos.values()],
            "se_elpd_loo": [loo.se for loo in loos.values()],
            "elpd_diff": difference.sum(axis=0),
            "se_diff": np.sqrt(rows * difference.var(axis=0, ddof=1)),
            "se_diff_over_families": [
                rows * cluster_bootstrap(column, family, seed=BOOTSTRAP_SEED)[1]
                for column in difference.T
            ],
            "stacking_weight": stacking_weights(pointwise),
            "p_loo": [loo.p for loo in loos.values()],
            "bad_pareto_k": [int(loo.bad.sum()) for loo in loos.values()],
            "elpd_waic": [waics[name].elpd for name in loos],
            "se_elpd_waic": [waics[name].se for name in loos],
            "p_waic": [waics[name].p for name in loos],
            f"p_waic_above_{P_WAIC_LIMIT}": [waics[name].above_limit for name in loos],
        },
        index=pd.Index(list(loos), name="model", dtype="str"),
    )


def _doubts(
    fits: Mapping[str, HasLogLik],
    frame: pd.DataFrame,
    loos: Mapping[str, Loo],
    waics: Mapping[str, Waic],
    observations: pd.DataFrame,
    backtests: Sequence[Mapping[str, Any]],
) -> list[str]:
    doubts = [_backtest_advice(fits, backtests)]
    doubts += [
        f"The sampler's verdict on {name} is not good, so none of its numbers can be trusted yet."
        for name in loos
        if not fits[name].verdict_ok
    ]
    for name, loo in loos.items():
        if loo.bad.any():
            where = ", ".join(
                f"{column}s {_most_frequent(observations.loc[loo.bad, column])}"
                for column in ("family", "run", "benchmark")
                if observations[column].nunique() > 1
            )
            doubts.append(
                f"{name}: Pareto k is above {loo.good_k:.2f} for {loo.bad.sum()} of "
                f"{len(observations)} scores ({where.replace('familys', 'families')}): LOO is "
                "not reliable there, often because one score alone decides an effect."
            )
        if waics[name].warning:
            doubts.append(f"{name}: {waics[name].warning}")
        gap = abs(loo.elpd - waics[name].elpd)
        if gap > max(1.0, 0.1 * loo.se):
            doubts.append(
                f"{name}: WAIC and LOO differ by {gap:.1f}; where they do, LOO is the better."
            )
    by_waic = sorted(loos, key=lambda name: -waics[name].elpd)
    if by_waic != list(loos):
        doubts.append(
            f"LOO ranks {', '.join(loos)} but WAIC ranks {', '.join(by_waic)}: "
            "the ranking is not settled."
        )
    if len(loos) > 1:
        doubts += _doubts_of_difference(frame)
    families = observations["family"].nunique()
    if families == 1:
        doubts.append(
            "The scores are of one family: standard errors take each as independent of the others."
        )
    elif families < FEW_FAMILIES:
        doubts.append(
            f"The scores come from only {families} families: standard errors over families are "
            "rough, and those over rows take scores of one family as independent."
        )
    return doubts


def _doubts_of_difference(frame: pd.DataFrame) -> list[str]:
    doubts = []
    best = frame.index[0]
    for name, row in frame.iloc[1:].iterrows():
        error = float(np.nanmax(row[["se_diff", "se_diff_over_families"]].to_numpy(dtype=float)))
        if abs(row["elpd_diff"]) < error:
            doubts.append(
                f"{name} is {abs(row['elpd_diff']):.1f} behind {best}, less than the difference's "
                f"standard error of {error:.1f}: these scores do not tell them apart."
            )
    weights = frame["stacking_weight"].sort_values(ascending=False)
    if weights.iloc[0] < NEAR_ONE:
        shares = ", ".join(
            f"{name} {weight:.2f}" for name, weight in weights.items() if weight >= LEAST_SHOWN
        )
        doubts.append(
            f"No fit takes nearly all the stacking weight ({shares}): each predicts something "
            "that the others miss. Look at their forecasts side by side."
        )
    return doubts


def _backtest_advice(fits: Mapping[str, HasLogLik], backtests: Sequence[Mapping[str, Any]]) -> str:
    known = {fit.model.name for fit in fits.values()}
    leaderboards = _of_leaderboards(fits)
    advice = ADVICE if leaderboards else LAW_ADVICE
    factor, digits, unit = (100, 2, " points") if leaderboards else (1, 4, "")
    cited = [card for card in backtests if card["model"] in known]
    if not cited:
        of_others = ""
        if backtests:
            given = ", ".join(sorted({card["model"] for card in backtests}))
            of_others = f" (none of the backtests given, of {given}, is of a model compared here)"
        return f"{advice}: run `bayescale backtest`{of_others}."
    found = "; ".join(
        f"the model {card['model']} has CRPS {factor * card['crps']:.{digits}f}{unit}, "
        f"MAE {factor * card['mae']:.{digits}f}{unit} and {card['coverage']['0.9']:.0%} coverage "
        f"of 90% intervals on {card['n']} scores"
        for card in sorted(cited, key=lambda card: float(card["crps"]))
    )
    return f"{advice}: there, {found}."


def _most_frequent(values: pd.Series, most: int = 3) -> str:
    counts = values.value_counts()
    text = ", ".join(f"{name} ({count})" for name, count in counts.head(most).items())
    return text + (f" and {len(counts) - most} more" if len(counts) > most else "")
