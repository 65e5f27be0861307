"""Inputs that are not known: a range that stands for a number, drawn anew in each draw."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bayescale.base.counts import format_count, parse_count
from bayescale.base.errors import PredictError

PER_DECADE = 3  # points of a range
MOST_POINTS = 1000


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


def parse_amount(text: str) -> float | Between:
    """Read a count, or two with a tilde between them for one that is not known: 1T~15T.

    Raises
    ------
    BayescaleError
        It is neither.

    Examples
    --------
    >>> parse_amount("7B"), str(parse_amount("1T~15T"))
    (7000000000.0, '1T~15T')
    """
    low, tilde, high = text.partition("~")
    if not tilde:
        return parse_count(text)
    return between(parse_count(low), parse_count(high))


def parse_grid(text: str) -> list[float]:
    """Read a range of counts, as in 1B..1T: three for each factor of ten; 1B..1T:20 has twenty.

    Raises
    ------
    BayescaleError
        It is no such range.

    Examples
    --------
    >>> [round(value) for value in parse_grid("1K..10K")]
    [1000, 2154, 4642, 10000]
    """
    span, _, points = text.partition(":")
    low, high = (parse_count(part) for part in span.split("..", 1))
    if not low < high:
        raise PredictError(f"{text!r}: a range goes from a number to a larger one, as in 1B..1T")
    try:
        count = int(points) if points else round(PER_DECADE * np.log10(high / low)) + 1
    except ValueError:
        raise PredictError(f"{text!r}: after the colon comes a number of points") from None
    if not 2 <= count <= MOST_POINTS:
        raise PredictError(f"{text!r}: a range has 2 to {MOST_POINTS} points, not {count}")
    grid: list[float] = np.geomspace(low, high, count).tolist()
    return grid


def drawn_between(given: Between, draws: int, *, seed: int, name: str) -> NDArray[np.float64]:
    """Draw an unknown input, log-uniform, shape (draw,); the same for one name and one seed."""
    rng = np.random.default_rng([seed, crc32(name.encode())])
    share = rng.uniform(size=draws)
    found: NDArray[np.float64] = given.low * (given.high / given.low) ** share
    return found
