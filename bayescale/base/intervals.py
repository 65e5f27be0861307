"""Intervals of draws, by one rule for whatever is summarised; and checks of what asks for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescale.base.errors import AskError

Floats = NDArray[np.float64]


def number(name: str, value: Any) -> float:
    """Check that an argument is one number, of whatever size.

    Raises
    ------
    AskError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise AskError(f"{name} must be one number, such as 0.9 or 1e22; given: {value!r}")
    return float(value)


def check_interval(interval: float, what: str = "interval") -> None:
    """Refuse a probability that is none.

    Raises
    ------
    AskError
        It does not lie strictly between 0 and 1.
    """
    number(what, interval)
    if not 0 < interval < 1:
        raise AskError(f"{what} must lie strictly between 0 and 1, such as 0.9; given: {interval}")


def quantiles(draws: Any, levels: Any) -> Floats:
    """Give quantiles of draws (draw, ...), shape (level, ...); a single level has no axis.

    Linear between two draws, as is usual. An infinite draw ("never") is the largest, and between a
    number and infinity nothing is interpolated: the quantile is one of the two, the lowest whose
    share of draws reaches the level.
    """
    found: Floats
    values = np.asarray(draws, float)
    if np.isfinite(values).all():
        found = np.quantile(values, levels, axis=0)
        return found
    with np.errstate(invalid="ignore"):  # infinity less infinity
        linear = np.quantile(values, levels, axis=0)
    whole = np.quantile(values, levels, axis=0, method="inverted_cdf")
    found = np.where(np.isfinite(linear), linear, whole)
    return found


def intervals(draws: Any, interval: float, of: str = "") -> dict[str, Floats]:
    """Give median and central interval of draws (draw, ...), under the names that frames have.

    Parameters
    ----------
    draws
        Draws; infinite ones are the largest.
    interval
        Probability of the interval.
    of
        What they are of, before the names.

    Raises
    ------
    AskError
        The probability is none.
    """
    check_interval(interval)
    tail = (1 - interval) / 2
    low, middle, high = quantiles(draws, [tail, 0.5, 1 - tail])
    before = f"{of}_" if of else ""
    return {
        f"{before}median": middle,
        f"{before}lower_{interval:g}": low,
        f"{before}upper_{interval:g}": high,
    }
