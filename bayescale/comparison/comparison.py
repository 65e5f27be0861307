"""Compare fits of the same scores by how well each predicts what it did not see."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from bayescale.backtesting.refit import silent
from bayescale.backtesting.scores import cluster_bootstrap
from bayescale.base.errors import CompareError
from bayescale.base.words import quoted, suggest
from bayescale.comparison.comparable import KEY, Comparable, common_observations, only_scores
from bayescale.comparison.doubts import doubts_of, error_of, plural
from bayescale.comparison.grouped import BENCHMARK, DRAWS, ROW, GroupScores, labels, score_groups
from bayescale.comparison.loo import Loo, pseudo_bma_weights, stacking_weights
from bayescale.comparison.waic import P_WAIC_LIMIT, Waic, waic

__all__ = ["Comparison", "compare", "waic"]

TASK = "one more score of a known run"
LAW_TASK = "one more measurement like those seen"
TASKS = {
    ROW: TASK,
    "run": "all scores of one more run of a known family",
    "family": "all scores of one more family",
    BENCHMARK: "all scores of one more benchmark",
}
LAW_TASKS = {ROW: LAW_TASK, "run": "all measurements of one more run like those seen"}
REFITS = ("none", "bad", "all")
BOOTSTRAP_SEED = 0
# What decides the ranking, and what tells how far to trust it: printed one below the other.
RANKING = (
    "rank",
    "elpd_loo",
    "se_elpd_loo",
    "elpd_kfold",
    "se_elpd_kfold",
    "elpd_diff",
    "se_diff",
    "se_diff_over_families",
    "p_better",
)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Fits side by side, best first.

    `frame` has one row per fit; each column says which prediction task it is about. `doubts` are
    sentences that must be read with it. `loo`, `waic` and `observations` hold the rows behind;
    `groups` has a row for each fit and group: its score, Pareto k, Monte Carlo error, and whether
    it was refitted.
    """

    frame: pd.DataFrame
    doubts: list[str]
    loo: dict[str, Loo]
    waic: dict[str, Waic]
    observations: pd.DataFrame
    task: str = TASK
    groups: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_frame(self) -> pd.DataFrame:
        """Copy of `frame`."""
        return self.frame.copy()

    def __str__(self) -> str:
        short = self.frame.rename(columns=lambda name: name.removesuffix(f" ({self.task})"))
        # How many groups were refitted stands in a column of its own.
        how = dict.fromkeys(text.split(" of ")[0] for text in short["scored_by"])
        short = short.dropna(axis="columns", how="all").round(2)
        ranking = [name for name in short if name in RANKING]
        criteria = [name for name in short if name.endswith("waic") or name.startswith("p_waic")]
        blocks = [ranking, [n for n in short if n not in (*ranking, *criteria)], criteria]
        head = (
            f"Ranked by {' or '.join(how)}. Every column is about {self.task} "
            "(log scale, larger is better)."
        )
        return "\n".join(
            [
                head,
                *(f"{short[block].to_string(na_rep='')}\n" for block in blocks if block),
                *(f"- {doubt}" for doubt in self.doubts),
            ]
        )

    __repr__ = __str__


def compare(
    fits: Mapping[str, Comparable],
    backtests: Sequence[Mapping[str, Any]] = (),
    *,
    by: str = ROW,
    refit: str = "none",
    folds: int | None = None,
    seed: int = 0,
    draws: int = DRAWS,
    progress: bool = True,
) -> Comparison:
    r"""Compare fits of the same observations by how well they predict some of them from the others.

    .. math:: \mathrm{elpd} = \sum_g \log p(y_g \mid y_{-g}), \quad
              p(y_g \mid y_{-g}) = \int p(y_g \mid \theta)\, p(\theta \mid y_{-g})\, d\theta

    Parameters
    ----------
    fits
        Name -> fit, one or more.
    backtests
        Scorecards as dictionaries (the JSON of `bayescale backtest`); those of the fits' models are
        cited in the doubts.
    by
        What is left out together: "row" (one score), "run", "family", "benchmark", or another
        column of groups of the table. Runs and families have effects of their own, which are
        integrated out of their likelihood; members of other groups that no other run is of are
        left out with them.
    refit
        "none": Pareto-smoothed importance sampling; "bad": groups where that fails are left out in
        truth, each by a refit; "all": every group is.
    folds
        Number of folds that the groups are dealt to: every group is scored by the refit without its
        fold, instead.
    seed
        Seed of the integrals, the refits and the folds.
    draws
        Draws of each fit for which effects are integrated.
    progress
        Whether to say on standard error what is being done.

    Returns
    -------
    Comparison
        Columns: rank; elpd_loo (elpd_kfold) and its standard error over groups; the difference to
        the best and its standard error over groups and over families (NaN where groups are not of
        several families); p_better, the probability of predicting better than the best, by a
        normal approximation; stacking and pseudo-BMA weights; p_loo; number of bad Pareto k; how
        groups were scored, and how many were refitted. By row also elpd_waic, its standard error,
        p_waic, and the number of rows where it is above 0.4.

    Raises
    ------
    CompareError
        No fit is given, or the fits have different observations, response scales or base
        measures, or a log likelihood is not finite; there is no such column, or it has one member.

    Examples
    --------
    >>> print(compare({"skills": fit, "compute": other}))  # doctest: +SKIP
    >>> compare({"skills": fit}, by="family", refit="bad")  # doctest: +SKIP

    Source: Vehtari, Gelman and Gabry 2017, Statistics and Computing 27:1413; Yao, Vehtari, Simpson
    and Gelman 2018, Bayesian Analysis 13:917; Merkle, Furr and Rabe-Hesketh 2019, Psychometrika
    84:802.
    """
    if not fits:
        raise CompareError("no fit to compare: name at least one, better two or more")
    observations = common_observations(fits)
    groups = _groups(fits, observations, by)
    _check_refits(refit, folds, len(groups))
    tell = partial(print, file=sys.stderr, flush=True) if progress else silent
    scores = {
        name: score_groups(
            name,
            fit,
            by,
            list(groups.index),
            refit=refit,
            folds=folds,
            seed=seed,
            draws=draws,
            tell=tell,
        )
        for name, fit in fits.items()
    }
    scores = dict(sorted(scores.items(), key=lambda item: -item[1].loo.elpd))
    waics = {}
    if by == ROW:
        for name, found in scores.items():
            if found.log_lik is not None:
                waics[name] = waic(found.log_lik.reshape(-1, len(groups)))
    frame = _frame(scores, waics, groups["family"], by, folds)
    task = _task(fits, by)
    doubts = doubts_of(fits, frame, scores, waics, groups, observations, by, task, backtests)
    frame.columns = [f"{column} ({task})" for column in frame.columns]
    loos = {name: found.loo for name, found in scores.items()}
    return Comparison(frame, doubts, loos, waics, observations, task, _by_group(scores, groups))


def _task(fits: Mapping[str, Comparable], by: str) -> str:
    if only_scores(fits):
        return TASKS.get(by, f"all scores of one more {by}")
    return LAW_TASKS.get(by, f"all measurements of one more {by}")


def _groups(fits: Mapping[str, Comparable], observations: pd.DataFrame, by: str) -> pd.DataFrame:
    """Check what is to be left out, and list the groups: indexed by name, with their `family`."""
    own = () if by in (ROW, "run", "family", BENCHMARK) else fits.items()
    for name, fit in own:
        known = fit.table.groups
        if by not in known:
            columns = (ROW, "run", "family", BENCHMARK, *known[1:])
            raise CompareError(
                f"the table of {name} has no column of groups {by!r}{suggest(by, columns)}: give "
                f"by one of {quoted(columns)}"
            )
    member = [pd.Series(labels(fit, by), _key(fit)).sort_index() for fit in fits.values()]
    for name, other in zip(fits, member, strict=True):
        if not (other == member[0]).all():
            first = next(iter(fits))
            raise CompareError(f"{first} and {name} have different groups in column {by!r}")
    # Observations and keys are in the same order, so that scores by row stay in it too.
    frame = observations.assign(group=member[0].to_numpy())
    found = frame.groupby("group", sort=by != ROW)["family"].agg(["first", "nunique"])
    if len(found) < 2:
        fit = next(iter(fits.values()))
        other_ways = "by row, run or benchmark"
        if by != ROW:
            several = [g for g in fit.table.groups if fit.table.runs[g].nunique() > 1]
            other_ways += f", or by a column with several members ({quoted(several) or 'none'})"
        raise CompareError(
            f"{found.index[0]!r} is the only one of its kind ({by}), so nothing is left to predict "
            f"it from: compare {other_ways}"
        )
    family = found["first"].where((found["nunique"] == 1) & (by in (ROW, "run")))
    return pd.DataFrame({"family": family})


def _key(fit: Comparable) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(fit.observations()[KEY])


def _check_refits(refit: str, folds: int | None, groups: int) -> None:
    if refit not in REFITS:
        raise CompareError(f"refit is one of {quoted(REFITS)}; given: {refit!r}")
    if folds is None:
        return
    if refit != "none":
        raise CompareError("folds score every group by a refit already: leave refit out")
    if not 2 <= folds <= groups:
        raise CompareError(f"folds must be from 2 to the {groups} groups; given: {folds}")


def _frame(
    scores: Mapping[str, GroupScores],
    waics: Mapping[str, Waic],
    family: pd.Series,
    by: str,
    folds: int | None,
) -> pd.DataFrame:
    loos = [found.loo for found in scores.values()]
    pointwise = np.stack([loo.pointwise for loo in loos], axis=1)
    groups = len(pointwise)
    difference = pointwise - pointwise[:, [0]]
    over_families = [float("nan")] * len(loos)
    if family.notna().all():
        over_families = [
            groups * cluster_bootstrap(column, family.to_numpy(), seed=BOOTSTRAP_SEED)[1]
            for column in difference.T
        ]
    kind = "loo" if folds is None else "kfold"
    refitted = [int(found.refitted.sum()) for found in scores.values()]
    frame = pd.DataFrame(
        {
            "rank": range(1, len(loos) + 1),
            f"elpd_{kind}": [loo.elpd for loo in loos],
            f"se_elpd_{kind}": [loo.se for loo in loos],
            "elpd_diff": difference.sum(axis=0),
            "se_diff": np.sqrt(groups * difference.var(axis=0, ddof=1)),
            "se_diff_over_families": over_families,
            "stacking_weight": stacking_weights(pointwise),
            "pseudo_bma": pseudo_bma_weights(pointwise, seed=BOOTSTRAP_SEED),
            "p_loo": [loo.p for loo in loos],
            "bad_pareto_k": [int(loo.bad.sum()) for loo in loos],
            "refitted": refitted,
            "scored_by": [_how(count, groups, by, folds) for count in refitted],
        },
        index=pd.Index(list(scores), name="model", dtype="str"),
    )
    frame.insert(6, "p_better", _p_better(frame))
    if waics:
        frame["elpd_waic"] = [waics[name].elpd for name in frame.index]
        frame["se_elpd_waic"] = [waics[name].se for name in frame.index]
        frame["p_waic"] = [waics[name].p for name in frame.index]
        above = [waics[name].above_limit for name in frame.index]
        frame[f"p_waic_above_{P_WAIC_LIMIT}"] = above
    return frame


def _how(refitted: int, groups: int, by: str, folds: int | None) -> str:
    if folds is not None:
        return f"{folds} folds"
    if not refitted:
        return "PSIS-LOO"
    if refitted == groups:
        return f"exact LOO ({groups} refits)"
    return f"PSIS-LOO and refits of {refitted} of {groups} {plural(by)}"


def _p_better(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Give the probability that each fit predicts better than the first, NaN for the first."""
    found = np.full(len(frame), np.nan)
    for i in range(1, len(frame)):
        row = frame.iloc[i]
        error = max(error_of(row), np.finfo(float).tiny)  # two copies of a fit have none
        found[i] = ndtr(row["elpd_diff"] / error)
    return found


def _by_group(scores: Mapping[str, GroupScores], groups: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "model": name,
                    "group": groups.index,
                    "elpd": found.loo.pointwise,
                    "pareto_k": found.loo.pareto_k,
                    "monte_carlo_error": found.error,
                    "effective_samples": found.effective,
                    "refitted": found.refitted,
                    "r_hat": found.r_hat,
                }
            )
            for name, found in scores.items()
        ],
        ignore_index=True,
    )
