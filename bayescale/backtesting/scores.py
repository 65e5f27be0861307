"""Scores of probabilistic predictions, row by row, and their means and errors over families.

Pure NumPy: every function takes arrays and returns arrays, in the unit of the observed values.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from bayescale.base.intervals import Floats


def crps(draws: ArrayLike, observed: ArrayLike) -> Floats:
    r"""Continuous ranked probability score of predictive draws against what was observed.

    ``E|X - y| - E|X - X'| / 2``, exact for the empirical distribution of the draws, from one sort
    (O(n log n)): ``2/n^2 * sum_i (x_(i) - y) * (n * [y < x_(i)] - i + 1/2)``.

    Parameters
    ----------
    draws
        Predictive draws, shape (draw, row).
    observed
        Observed values, shape (row,), same unit.

    Returns
    -------
    array (row,)
        In the unit of the observed values; smaller is better, 0 is perfect.

    Examples
    --------
    >>> crps([[0.0], [1.0]], [0.0])
    array([0.25])

    Source: Gneiting and Raftery 2007, JASA 102:359; Jordan, Krueger and Lerch 2019, eq. 3.
    """
    x, y = _draws_and_rows(draws, observed)
    n = x.shape[0]
    x = np.sort(x, axis=0)
    rank = np.arange(1, n + 1)[:, None]
    result: Floats = 2.0 / n**2 * np.sum((x - y) * (n * (y < x) - rank + 0.5), axis=0)
    return result


def interval_score(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike, level: float) -> Floats:
    """Interval score: the width, plus a penalty for what falls outside.

    ``(u - l) + 2/a * (l - y) [y < l] + 2/a * (y - u) [y > u]`` with ``a = 1 - level``.

    Parameters
    ----------
    lower, upper
        Ends of the central interval, shape (row,).
    observed
        Observed values, shape (row,).
    level
        Nominal probability of the interval, between 0 and 1.

    Returns
    -------
    array (row,)
        In the unit of the observed values; smaller is better.

    Raises
    ------
    ValueError
        When `level` is not strictly between 0 and 1.

    Examples
    --------
    >>> interval_score([0.0], [1.0], [1.5], level=0.5)
    array([3.])

    Source: Gneiting and Raftery 2007, JASA 102:359, eq. 43.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    low, high, y = (np.asarray(a, dtype=np.float64) for a in (lower, upper, observed))
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    result: Floats = (high - low) + 2.0 / (1.0 - level) * outside
    return result


def coverage(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike) -> Floats:
    """Whether each observed value lies in its interval, ends included.

    Parameters
    ----------
    lower, upper
        Ends of the interval, shape (row,).
    observed
        Observed values, shape (row,).

    Returns
    -------
    array (row,)
        1.0 inside, 0.0 outside; the mean is the share covered.

    Examples
    --------
    >>> coverage([0.0, 0.0], [1.0, 1.0], [0.5, 2.0])
    array([1., 0.])
    """
    low, high, y = (np.asarray(a, dtype=np.float64) for a in (lower, upper, observed))
    return ((low <= y) & (y <= high)).astype(np.float64)


def log_score(log_density: ArrayLike) -> Floats:
    """Log predictive density of each observed value, averaged over posterior draws.

    ``log(1/S * sum_s p(y | draw s))``.

    Parameters
    ----------
    log_density
        Log density (or log mass) of each observed value under each draw, shape (draw, row).

    Returns
    -------
    array (row,)
        In nats; larger is better.

    Examples
    --------
    >>> bool(np.isclose(log_score([[0.0], [0.0]])[0], 0.0))
    True
    """
    values = np.asarray(log_density, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"log densities must have shape (draw, row), got {values.shape}")
    result: Floats = logsumexp(values, axis=0) - np.log(values.shape[0])
    return result


def absolute_error(median: ArrayLike, observed: ArrayLike) -> Floats:
    """Absolute distance between a point prediction (the median) and the observed value.

    Parameters
    ----------
    median, observed
        Shape (row,), same unit.

    Returns
    -------
    array (row,)

    Examples
    --------
    >>> absolute_error([0.5], [0.25])
    array([0.25])
    """
    result: Floats = np.abs(
        np.asarray(median, dtype=np.float64) - np.asarray(observed, dtype=np.float64)
    )
    return result


def two_level_mean(values: ArrayLike, groups: ArrayLike) -> float:
    """Mean over the rows of each group, then over the groups: every group counts the same.

    Parameters
    ----------
    values
        One number a row, shape (row,).
    groups
        The group (family) of each row, shape (row,).

    Returns
    -------
    float

    Examples
    --------
    >>> two_level_mean([1.0, 1.0, 4.0], ["a", "a", "b"])
    2.5
    """
    totals, sizes = _group_totals(values, groups)
    return float(np.mean(totals / sizes))


def cluster_bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    statistic: Literal["mean", "two-level mean"] = "mean",
    *,
    seed: int,
    n: int = 2000,
) -> tuple[float, float]:
    """Mean over rows and its standard error from a bootstrap that resamples whole clusters.

    Rows of one family share what the model gets wrong about that family, so the family, not the
    row, is the unit that is drawn with replacement.

    Parameters
    ----------
    values
        One number a row, shape (row,).
    clusters
        The cluster (family) of each row, shape (row,).
    statistic
        "mean": over all rows; "two-level mean": over rows within a cluster, then over clusters.
    seed
        Seed of the resampling.
    n
        Number of bootstrap samples.

    Returns
    -------
    tuple of float
        The statistic and its standard error; the error is NaN when there is only one
        cluster, or a value is infinite.

    Examples
    --------
    >>> cluster_bootstrap([1.0, 1.0], ["a", "b"], seed=0)
    (1.0, 0.0)

    Source: Field and Welsh 2007, JRSS B 69:369.
    """
    totals, sizes = _group_totals(values, clusters)
    if statistic == "two-level mean":
        totals, sizes = totals / sizes, np.ones_like(sizes)
    estimate = float(totals.sum() / sizes.sum())
    k = len(totals)
    if k < 2 or not np.isfinite(totals).all():
        return estimate, float("nan")
    times_drawn = np.random.default_rng(seed).multinomial(k, np.full(k, 1.0 / k), size=n)
    replicates = (times_drawn @ totals) / (times_drawn @ sizes)
    return estimate, float(np.std(replicates, ddof=1))


def _group_totals(values: ArrayLike, groups: ArrayLike) -> tuple[Floats, Floats]:
    """Sum of the values and number of rows of each group."""
    x = np.asarray(values, dtype=np.float64)
    labels: NDArray[Any] = np.asarray(groups)
    if x.ndim != 1 or x.shape != labels.shape or x.size == 0:
        raise ValueError(f"need one group a row and a row, got {x.shape} and {labels.shape}")
    _, index = np.unique(labels, return_inverse=True)
    totals: Floats = np.bincount(index, weights=x).astype(np.float64)
    return totals, np.bincount(index).astype(np.float64)


def _draws_and_rows(draws: ArrayLike, observed: ArrayLike) -> tuple[Floats, Floats]:
    x = np.asarray(draws, dtype=np.float64)
    y = np.asarray(observed, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[1:] or x.shape[0] == 0:
        raise ValueError(f"need draws (draw, row) and observed (row,), got {x.shape}, {y.shape}")
    return x, y
