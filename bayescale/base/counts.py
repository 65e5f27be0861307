"""Counts as people write them: 7B parameters, 15T tokens, 1.5e9."""

from __future__ import annotations

import math
import re

from bayescale.base.errors import BayescaleError

# Smaller than any trained network, larger than any count in billions or trillions.
LEAST_COUNT = 1e5
_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_COUNT = re.compile(r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)\s*([KMBTkmbt]?)\s*")


def parse_count(text: str) -> float:
    """Read a positive count such as 7B, 300M, 15T or 1.5e9.

    Parameters
    ----------
    text
        A number with an optional suffix: K (1e3), M (1e6), B (1e9) or T (1e12), in either case.

    Returns
    -------
    float
        The count as a plain number.

    Raises
    ------
    BayescaleError
        The text is no such number, or it is not positive and finite.

    Examples
    --------
    >>> parse_count("1.5B")
    1500000000.0
    """
    match = _COUNT.fullmatch(text)
    if match is None:
        raise BayescaleError(
            f"{text!r} is not a count: write a plain number (1.5e9) or one with K, M, B or T (1.5B)"
        )
    value = float(match[1]) * _SCALE[match[2].upper()]
    if not (0 < value < math.inf):
        raise BayescaleError(f"{text!r} is not a positive, finite count")
    return value


def format_count(value: float) -> str:
    """Write a count the short way, three significant digits at most.

    Parameters
    ----------
    value
        A count; NaN means unknown.

    Returns
    -------
    str
        "7B", "1.5T", "300M"; "?" for NaN; scientific notation outside 1 to 999T.

    Examples
    --------
    >>> format_count(7e9), format_count(1.42e12), format_count(3e21)
    ('7B', '1.42T', '3e+21')
    """
    if math.isnan(value):
        return "?"
    rounded = float(f"{value:.3g}")  # first, so that 999.9e6 becomes 1B and not 1e+03M
    for suffix in ("T", "B", "M", "K", ""):
        if 1 <= rounded / _SCALE[suffix] < 1000:
            return f"{rounded / _SCALE[suffix]:.3g}{suffix}"
    return f"{rounded:.3g}"
