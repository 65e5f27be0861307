"""`solve`: where a function of each draw first comes to zero, along a path."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats

HUGE = 1e150  # in the place of an infinite value


def solve(
    gap: Callable[[Floats], Floats],
    grid: Floats,
    draws: int,
    *,
    rising: bool | None,
    lowest_of: int = 1,
) -> Floats:
    """Find the first place where a function of each draw changes its sign.

    Parameters
    ----------
    gap
        From places, shape (draw or 1, point), to values, shape (draw, point).
    grid
        Places to look at first, rising.
    draws
        Number of draws.
    rising
        Looked for is the first value above zero (True) or below (False), be it the very first; or
        the first change from either sign (None).
    lowest_of
        The search starts at the lowest of this many first places of each draw.

    Returns
    -------
    array (draw,)
        To relative precision of 1e-12; infinite where there is none. A place whose value is not
        known counts as not there yet.
    """
    began = np.where(gap(grid[None, :1])[:, 0] >= 0, HUGE, -HUGE)
    before = {None: began, True: np.full(draws, -HUGE), False: np.full(draws, HUGE)}[rising]

    def known(places: Floats) -> Floats:
        values = np.clip(gap(places), -HUGE, HUGE)
        return np.where(np.isnan(values), before[:, None], values)

    seen = known(grid[None, :])
    positive = seen >= 0
    there: NDArray[np.bool_]
    there = {None: positive != positive[:, :1], True: positive, False: seen <= 0}[rising]
    start = seen[:, : max(lowest_of, 1)].argmin(axis=1)
    there &= np.arange(len(grid)) >= start[:, None]
    first = np.where(there.any(axis=1), there.argmax(axis=1), -1)
    found = np.where(first == start, grid[start], np.inf)
    places = np.log(grid)
    low, high = places[np.maximum(first - 1, 0)], places[first]

    def at(place: Floats, draw: Floats) -> Floats:
        # Draws that have been found leave the search: the rest keep their shape by staying put.
        wide = np.full(draws, places[0])
        chosen = np.asarray(draw, int)
        wide[chosen] = place
        values: Floats = known(np.exp(wide)[:, None])[chosen, 0]
        return values

    if rising is not None:
        # Between two places a curve may come to the value and leave it again.
        sign = 1.0 if rising else -1.0
        best = np.where(np.arange(len(grid)) >= start[:, None], sign * seen, -HUGE).argmax(axis=1)
        hidden = np.flatnonzero((first < 0) & (best > start) & (best < len(grid) - 1))
        if len(hidden):
            around = tuple(places[best[hidden] + k] for k in (-1, 0, 1))
            peak = elementwise.find_minimum(
                lambda place, draw: -sign * at(place, draw), around, args=(hidden.astype(float),)
            )
            hits = np.asarray(peak.f_x) <= 0
            first[hidden[hits]] = best[hidden[hits]]
            low[hidden[hits]] = around[0][hits]
            high[hidden[hits]] = np.asarray(peak.x)[hits]
    inside = np.flatnonzero(first > start)
    if not len(inside):
        return found
    result = elementwise.find_root(
        at,
        (low[inside], high[inside]),
        args=(inside.astype(float),),
        tolerances={"xatol": 1e-12, "xrtol": 1e-13},
    )
    if not np.all(result.success):
        raise AskError(
            f"in {int(np.sum(~result.success))} draws no place could be found between two at "
            "which the law lies on either side: its values jump there, or are not numbers"
        )
    found[inside] = np.exp(np.asarray(result.x))
    return found
