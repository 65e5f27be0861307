"""Are values uniform? The exact simultaneous band of the ECDF, and its p-value.

Säilynoja, Bürkner, Vehtari 2022, arXiv:2103.10522. The tails that a correction for many quantities
asks for are too far out to be simulated, as ArviZ does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, poisson


def stay_probability(lower: NDArray[Any], upper: NDArray[Any], count: int) -> float:
    """Probability that the ECDF of `count` uniform values stays within bounds.

    Parameters
    ----------
    lower, upper
        Smallest and largest allowed number of values below 1/count, 2/count, ..., shape
        (count - 1,).

    Notes
    -----
    Exact: given their number, uniform values are a Poisson process, whose increments are
    independent and alike.
    """
    numbers = np.arange(count + 1)
    step = poisson.pmf(numbers[None, :] - numbers[:, None], 1.0)
    at = np.zeros(count + 1)
    at[0] = 1.0
    for low, high in zip(lower, upper, strict=True):
        at = at @ step
        at[(numbers < low) | (numbers > high)] = 0.0
    return float((at @ step)[count] / poisson.pmf(count, count))


def ecdf_band(count: int, tail: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Numbers of values below k / count whose two binomial tails both exceed `tail`."""
    points = np.arange(1, count) / count
    numbers = np.arange(count + 1)[:, None]
    left, right = binom.cdf(numbers, count, points), binom.sf(numbers - 1, count, points)
    # Tails that are equal by symmetry differ by rounding.
    inside = np.minimum(left, right) > tail * (1 + 1e-9)
    some = inside.any(axis=0)
    return (
        np.where(some, inside.argmax(axis=0), count),
        np.where(some, count - inside[::-1].argmax(axis=0), 0),
    )


def uniform_p_value(pits: NDArray[np.float64]) -> float:
    """Exact p-value of uniformity: at most alpha when the ECDF leaves the band of level 1 - alpha.

    Parameters
    ----------
    pits
        Values in (0, 1), shape (simulation,).
    """
    count = len(pits)
    points = np.arange(1, count) / count
    below = np.searchsorted(np.sort(pits), points, side="right")
    tail = np.minimum(binom.cdf(below, count, points), binom.sf(below - 1, count, points)).min()
    return 1.0 - stay_probability(*ecdf_band(count, tail), count)
