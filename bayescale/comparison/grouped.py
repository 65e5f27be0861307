"""Log scores of groups of observations that are left out together: by PSIS, or by refits.

A group is one score, one run, one family, one benchmark, or a member of another group of runs. PSIS
takes the likelihood of all its scores, with the group's own effects integrated out (`marginal.py`);
a refit holds its scores out in truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayescale.backtesting.refit import CHAINS, FoldPrediction, fold_fitter
from bayescale.backtesting.scores import log_score
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.errors import CompareError
from bayescale.base.intervals import Floats
from bayescale.base.words import quoted
from bayescale.comparison.comparable import Comparable
from bayescale.comparison.loo import Loo, monte_carlo_error, psis_loo
from bayescale.inference.marginal import log_marginal
from bayescale.inference.thinned import thinned
from bayescale.models.grid import Grid
from bayescale.models.lay_out import fitted_members, lay_out
from bayescale.tables.table import grid_positions

ROW, BENCHMARK = "row", "benchmark"
POINTWISE = (ROW, BENCHMARK)  # groups whose effects, if any, are the population's
DRAWS = 500  # of a fit for which effects are integrated
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class GroupScores:
    """Log scores of the groups of one fit's observations, each predicted without itself.

    Parameters
    ----------
    loo
        The scores, and where they are by PSIS their Pareto k (NaN where by a refit).
    log_lik
        Log likelihood of each group under the fit, shape (chain, draw, group); None where all were
        refitted.
    error
        Monte Carlo standard error of each score, in nats, shape (group,).
    effective
        How many samples count in the integral within a draw (harmonic mean over draws), shape
        (group,); infinite where nothing is integrated.
    refitted
        Whether each score is by a refit, shape (group,).
    r_hat
        Largest R-hat of that refit, shape (group,); NaN without one.
    """

    loo: Loo
    log_lik: Floats | None
    error: Floats
    effective: Floats
    refitted: NDArray[np.bool_]
    r_hat: Floats


def labels(fit: Comparable, by: str) -> NDArray[Any]:
    """Name the group of each observation of a fit, in its order."""
    frame = fit.observations().reset_index(drop=True)
    if by == ROW:
        found = frame["run"].astype(str) + " on " + frame["benchmark"].astype(str)
    elif by in frame.columns:
        found = frame[by]
    else:
        found = fit.table.runs[by].loc[frame["run"]]
    names: NDArray[Any] = found.to_numpy()
    return names


def score_groups(
    name: str,
    fit: Comparable,
    by: str,
    groups: Sequence[str],
    *,
    refit: str,
    folds: int | None,
    seed: int,
    draws: int,
    tell: Tell,
) -> GroupScores:
    """Score every group of observations by the fit without it.

    Parameters
    ----------
    name, fit
        The fit, and what it is called.
    by, groups
        What groups are, and their names (see `labels`).
    refit
        "none": PSIS; "bad": PSIS, and refits without each group whose Pareto k is bad; "all": a
        refit without each group.
    folds
        Number of folds of groups; each group is then scored by the refit without its fold.
    seed, draws
        Seed; draws for which effects are integrated.
    tell
        Is told what is being done.

    Returns
    -------
    GroupScores
    """
    _check_curves(name, fit, by)
    code = pd.Index(groups).get_indexer(pd.Index(labels(fit, by)))
    count = len(groups)
    nothing = np.full(count, np.nan)
    if folds is not None or refit == "all":
        held = [[group] for group in range(count)] if folds is None else dealt(count, folds, seed)
        exact = _exact(name, fit, by, groups, code, held, seed=seed, draws=draws, tell=tell)
        loo = _loo(exact.score, nothing, float("nan"), float("nan"))
        whole = np.ones(count, bool)
        return GroupScores(loo, None, exact.error, exact.effective, whole, exact.r_hat)
    log_lik, effective = _joint(name, fit, by, groups, code, seed=seed, draws=draws, tell=tell)
    loo, error = psis_loo(log_lik), monte_carlo_error(-log_lik)
    bad = np.flatnonzero(loo.bad) if refit == "bad" else np.zeros(0, int)
    refitted, r_hat = np.isin(np.arange(count), bad), nothing
    if len(bad):
        held = [[int(group)] for group in bad]
        exact = _exact(name, fit, by, groups, code, held, seed=seed, draws=draws, tell=tell)
        k = np.where(refitted, np.nan, loo.pareto_k)
        in_sample = loo.p + loo.elpd
        loo = _loo(np.where(refitted, exact.score, loo.pointwise), k, loo.good_k, in_sample)
        error = np.where(refitted, exact.error, error)
        effective = np.where(refitted, exact.effective, effective)
        r_hat = exact.r_hat
    return GroupScores(loo, log_lik, error, effective, refitted, r_hat)


def _check_curves(name: str, fit: Comparable, by: str) -> None:
    """Refuse groups that cut a curve whose neighbouring points share noise."""
    along = fit.model.along
    if along is None or by in POINTWISE:
        return
    runs = fit.table.runs
    group = runs.index.to_series() if by == "run" else runs[by]
    if group.groupby(runs[along.within]).nunique().max() > 1:
        raise CompareError(
            f"{name}: neighbours along a {along.within} share noise, and one {by} holds a part of "
            f"a {along.within}: what is left out would still be known from its neighbours; compare "
            f"by={along.within!r} (command line: --by {along.within})"
        )


def dealt(count: int, folds: int, seed: int) -> list[list[int]]:
    """Deal groups to folds, in an order that the seed decides."""
    order = np.random.default_rng(seed).permutation(count)
    return [sorted(int(group) for group in order[i::folds]) for i in range(folds)]


def _loo(pointwise: Floats, pareto_k: Floats, good_k: float, in_sample: float) -> Loo:
    elpd = float(pointwise.sum())
    se = float(np.sqrt(pointwise.size * np.var(pointwise, ddof=1)))
    return Loo(elpd, se, in_sample - elpd, pointwise, pareto_k, good_k)


def _joint(
    name: str,
    fit: Comparable,
    by: str,
    groups: Sequence[str],
    code: NDArray[Any],
    *,
    seed: int,
    draws: int,
    tell: Tell,
) -> tuple[Floats, Floats]:
    """Log likelihood of each group, (chain, draw, group), and how well it is integrated."""
    count = len(groups)
    if by in POINTWISE:
        array = checked_log_lik(name, fit)
        order = np.argsort(code, kind="stable")
        starts = np.searchsorted(code[order], np.arange(count))
        summed: Floats = np.add.reduceat(array[:, :, order], starts, axis=2)
        return summed, np.full(count, np.inf)
    tell(f"{name}: integrating the own effects of each of {count} groups out")
    grid = lay_out(fit.model, fit.table)
    chains = fit.posterior.sizes["chain"]
    sites = thinned(fit.sites(), draws, chains=chains)
    runs = [_runs(fit, code == group) for group in range(count)]
    found = log_marginal(fit.model, grid, grid.weights, sites, runs, seed=seed)
    _check_finite(name, found.log_density, groups)
    return found.log_density.reshape(chains, -1, count), _harmonic(found.effective)


def checked_log_lik(name: str, fit: Comparable) -> Floats:
    """Pointwise log likelihood (chain, draw, row), finite and of the fit's observations."""
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
    return array


def _check_finite(name: str, values: Floats, groups: Sequence[str]) -> None:
    bad = ~np.isfinite(values).all(axis=0)
    if bad.any():
        raise CompareError(
            f"{name}: the likelihood of {quoted(np.asarray(groups)[bad])} without their own "
            "effects is not finite. Look at its verdict; refit with a noise that gives every score "
            "a positive density."
        )


def _runs(fit: Comparable, chosen: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Positions of the runs that some observations are of."""
    row, _ = grid_positions(fit.table)
    return np.unique(row[chosen])


def _harmonic(effective: Floats) -> Floats:
    with np.errstate(divide="ignore"):  # infinite where nothing is integrated
        mean: Floats = 1 / (1 / effective).mean(axis=0)
    return mean


@dataclass(frozen=True, eq=False)
class _Exact:
    """Scores by refits, each of shape (group,), NaN for groups that no refit left out."""

    score: Floats
    error: Floats
    effective: Floats
    r_hat: Floats


def _exact(
    name: str,
    fit: Comparable,
    by: str,
    groups: Sequence[str],
    code: NDArray[Any],
    held: Sequence[Sequence[int]],
    *,
    seed: int,
    draws: int,
    tell: Tell,
) -> _Exact:
    """Refit without each set of groups, and score these."""
    tests = [np.isin(code, list(members)) for members in held]
    texts = [", ".join(str(groups[group]) for group in members) for members in held]
    pairs = zip(texts, tests, strict=True)
    split = Split("groups", tuple(Fold(text, ~test, test, 0) for text, test in pairs))
    fit_fold = fold_fitter(
        fit.model, fit.table, split, seed=seed, tell=lambda text: tell(f"{name}: {text}")
    )
    # With cells beyond the runs of the fit: what a refit leaves out may be the farthest.
    grid = lay_out(fit.model, fit.table, fitted_members(fit.model, fit.table))
    score, error, effective, r_hat = np.full((4, len(groups)), np.nan)
    for number, (fold, members) in enumerate(zip(split.folds, held, strict=True), start=1):
        found = fit_fold(fold)
        tell(
            f"{name}: refit {number} of {len(held)}, without {fold.label}: {found.seconds:.1f} s, "
            f"R-hat {found.max_r_hat:.2f}"
        )
        at = np.array(members)
        if by in POINTWISE:
            values = np.stack(
                [found.log_density[:, code[fold.test] == g].sum(axis=1) for g in members], axis=1
            )
            inside = np.full(len(members), np.inf)
        else:
            values, inside = _integrated(
                fit, grid, code, fold, members, found, seed=seed, draws=draws
            )
        # A plain mean over draws may hang on one of them, as that over samples within a draw.
        shares = np.exp(values - logsumexp(values, axis=0))
        effective[at] = np.minimum(inside, 1 / (shares**2).sum(axis=0))
        _check_finite(name, values, [groups[group] for group in members])
        score[at] = log_score(values)
        error[at] = monte_carlo_error(values.reshape(CHAINS, -1, len(members)))
        r_hat[at] = found.max_r_hat
    return _Exact(score, error, effective, r_hat)


def _integrated(
    fit: Comparable,
    grid: Grid,
    code: NDArray[Any],
    fold: Fold,
    members: Sequence[int],
    found: FoldPrediction,
    *,
    seed: int,
    draws: int,
) -> tuple[Floats, Floats]:
    """Integrated log likelihood of held-out groups under a refit's draws, (draw, group)."""
    row, column = grid_positions(fit.table)
    weights = np.array(grid.weights)
    weights[row[fold.test], column[fold.test]] = 0.0
    sites = thinned(found.sites, draws, chains=CHAINS)
    runs = [_runs(fit, code == group) for group in members]
    marginal = log_marginal(
        fit.model, grid.with_weights(weights), grid.weights, sites, runs, seed=seed
    )
    return marginal.log_density, _harmonic(marginal.effective)
