"""Words of messages and answers: the name that was meant, lists of names, numbers, shares."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np

from bayescale.base.counts import format_count

ROWS_NAMED = 5  # in a message; the rest are counted
LARGEST_WORD = 1e15  # counts up to here are written with a letter
NEVER = "never"


def suggest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ' (did you mean "x"?)' for the known name nearest to a misspelt one, or ''."""
    by_lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=cutoff)
    return f' (did you mean "{by_lower[near[0]]}"?)' if near else ""


def quoted(names: Iterable[object], most: int = ROWS_NAMED) -> str:
    """List the first few names in quotes and count the rest."""
    every = [f'"{name}"' for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def told(value: float) -> str:
    """Write a quantity as people do: 7B, 1.5T, 3.2e25, 0.42, never."""
    if np.isposinf(value):
        return NEVER
    if not np.isfinite(value):
        return "nothing" if np.isneginf(value) else "not known"
    if value >= LARGEST_WORD or 0 < abs(value) < 1e-3:
        digits, _, power = f"{value:.2e}".partition("e")
        return f"{float(digits):g}e{int(power)}"
    return format_count(float(f"{value:.3g}")) if value >= 1000 else f"{value:.3g}"


def percent(probability: float) -> str:
    """Write a probability in percent; draws cannot tell those near zero and one from these."""
    if probability < 0.01:
        return "under 1%"
    if probability > 0.99:
        return "over 99%"
    return f"{probability:.0%}"
