"""Inputs that are not known: a range that stands for a number, drawn anew in each draw."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bayescale.counts import format_count
from bayescale.errors import PredictError


@dataclass(frozen=True)
class Between:
    """A number that is only known to lie between two others.

    Parameters
    ----------
    low, high
        The ends, positive, in plain units.
    """

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Geometric mean of the ends."""
        return float(np.sqrt(self.low * self.high))

    def __str__(self) -> str:
        return f"{format_count(self.low)}~{format_count(self.high)}"


def between(low: float, high: float) -> Between:
    """Say that a number lies somewhere in a range: every factor within it is as likely.

    Parameters
    ----------
    low, high
        The ends, positive, in plain units.

    Returns
    -------
    Between
        To be given to a fit in place of params, tokens or another input.

    Raises
    ------
    PredictError
        The ends are not positive numbers in rising order.

    Examples
    --------
    >>> str(between(1e12, 15e12))
    '1T~15T'
    """
    if not 0 < low < high < float("inf"):
        raise PredictError(
            f"a range goes from a positive number to a larger one; given: {low:g} to {high:g}"
        )
    return Between(float(low), float(high))


def drawn_between(given: Between, draws: int, *, seed: int, name: str) -> NDArray[np.float64]:
    """Draw an unknown input, log-uniform, shape (draw,); the same for one name and one seed."""
    rng = np.random.default_rng([seed, crc32(name.encode())])
    share = rng.uniform(size=draws)
    found: NDArray[np.float64] = given.low * (given.high / given.low) ** share
    return found
