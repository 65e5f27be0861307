"""PSIS-LOO by arviz-stats, and stacking weights from it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import arviz_stats
import numpy as np
import xarray as xr
from arviz_base import from_dict
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, minimize
from scipy.special import logsumexp

from bayescale.backtesting.scores import log_score
from bayescale.base.intervals import Floats

stats: Any = arviz_stats  # it says it is typed, but its functions are not


@dataclass(frozen=True, eq=False)
class Loo:
    """PSIS-LOO on the log scale: larger is better.

    `pointwise` and `pareto_k` have shape (row,); `good_k` is the value above which the estimate
    for a row is not reliable with this number of draws.
    """

    elpd: float
    se: float
    p: float
    pointwise: Floats
    pareto_k: Floats
    good_k: float

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Rows whose Pareto k is too large, shape (row,)."""
        return self.pareto_k > self.good_k


def psis_loo(log_lik: Floats) -> Loo:
    """Leave one row out by Pareto-smoothed importance sampling (arviz-stats).

    Parameters
    ----------
    log_lik
        Log likelihood, shape (chain, draw, row), in nats.

    Returns
    -------
    Loo

    Source: Vehtari, Simpson, Gelman, Yao and Gabry 2024, JMLR 25:72.
    """
    data = from_dict({"log_likelihood": {"score": log_lik}})
    with warnings.catch_warnings():  # bad Pareto k become a doubt in words
        warnings.simplefilter("ignore")
        result = stats.loo(data, pointwise=True, reff=relative_efficiency(log_lik))
    pointwise, pareto_k = result.elpd_i.to_numpy(), result.pareto_k.to_numpy()
    matrix = log_lik.reshape(-1, log_lik.shape[2])
    # Where the tail cannot be fitted (its weights underflow), use the raw weights and say so: one
    # row must not turn the sum into NaN.
    failed = ~(np.isfinite(pointwise) & np.isfinite(pareto_k))
    raw = np.log(len(matrix)) - logsumexp(-matrix, axis=0)
    pointwise = np.where(failed, raw, pointwise)
    return Loo(
        elpd=float(pointwise.sum()),
        # From the rows, because releases of arviz-stats divide by n or by n - 1.
        se=float(np.sqrt(pointwise.size * np.var(pointwise, ddof=1))),
        p=float(log_score(matrix).sum() - pointwise.sum()),
        pointwise=pointwise,
        pareto_k=np.where(failed, np.inf, pareto_k),
        good_k=float(result.good_k),
    )


def relative_efficiency(log_lik: Floats) -> float:
    """Effective draws of a draw, estimated from the likelihoods."""
    # Shifted by each row's largest value, which changes no relative ESS but stops underflow.
    likelihood = np.exp(log_lik - log_lik.max(axis=(0, 1)))
    array = xr.DataArray(likelihood, dims=("chain", "draw", "row"))
    relative = stats.ess(array, method="mean", relative=True).to_numpy()
    return float(np.mean(np.minimum(relative, 1.0)))


def monte_carlo_error(log_values: Floats) -> Floats:
    """Estimate the error of the log of a mean over draws, which may depend on those before.

    Parameters
    ----------
    log_values
        Logs of the values, shape (chain, draw, row).

    Returns
    -------
    array (row,)
        In nats. With the log likelihood's negative: that of a score by importance sampling.
    """
    values = np.exp(log_values - log_values.max(axis=(0, 1)))
    array = xr.DataArray(values, dims=("chain", "draw", "row"))
    with np.errstate(divide="ignore", invalid="ignore"):  # values that are all the same
        effective = stats.ess(array, method="mean").to_numpy()
        error = values.std(axis=(0, 1), ddof=1) / values.mean(axis=(0, 1)) / np.sqrt(effective)
    found: Floats = np.nan_to_num(error)
    return found


def pseudo_bma_weights(pointwise: Floats, *, seed: int, samples: int = 1000) -> Floats:
    """Weights by how well each fit predicts by itself, averaged over what the rows might have been.

    ``E[softmax_k(n sum_i a_i elpd_ik)]`` with `a` from a flat Dirichlet (the Bayesian bootstrap).

    Ours, because arviz-stats 1.x rounds the weights in its table for printing.

    Parameters
    ----------
    pointwise
        elpd of each row under each fit, shape (row, fit).
    seed, samples
        Seed and number of bootstrap samples.

    Returns
    -------
    array (fit,)
        Not negative; sums to 1.

    Source: Yao, Vehtari, Simpson and Gelman 2018, Bayesian Analysis 13:917, section 3.4.
    """
    rows = len(pointwise)
    shares = np.random.default_rng(seed).dirichlet(np.ones(rows), size=samples)
    total = rows * shares @ pointwise
    weights: Floats = np.exp(total - logsumexp(total, axis=1, keepdims=True)).mean(axis=0)
    return weights


def stacking_weights(pointwise: Floats) -> Floats:
    """Weights of the mixture of fits that best predicts the rows left out.

    ``argmax_w sum_i log sum_k w_k exp(elpd_ik)``, w on the simplex.

    Ours, because arviz-stats 1.x rounds the weights in its table for printing, and exponentiates
    without shifting, which turns a row that all fits find impossible into 0 / 0.

    Parameters
    ----------
    pointwise
        elpd of each row under each fit, shape (row, fit).

    Returns
    -------
    array (fit,)
        Not negative; sums to 1.

    Source: Yao, Vehtari, Simpson and Gelman 2018, Bayesian Analysis 13:917, eq. 4.
    """
    rows, k = pointwise.shape
    density = np.exp(pointwise - pointwise.max(axis=1, keepdims=True))

    def loss(w: Floats) -> float:
        return -float(np.mean(np.log(density @ w)))

    def gradient(w: Floats) -> Floats:
        result: Floats = -(density / (density @ w)[:, None]).sum(axis=0) / rows
        return result

    found = minimize(
        loss,
        np.full(k, 1.0 / k),
        jac=gradient,
        method="SLSQP",
        bounds=[(1e-12, 1.0)] * k,  # a little above 0, so that no mixture density is 0
        constraints=LinearConstraint(np.ones(k), 1.0, 1.0),
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights: Floats = np.clip(found.x, 0.0, None) / np.clip(found.x, 0.0, None).sum()
    return weights
