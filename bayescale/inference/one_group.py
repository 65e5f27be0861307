"""One group's runs laid out alone, its members new to the draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayescale.models.grid import Cells, Grid
from bayescale.models.lay_out import padded
from bayescale.models.plan import RUN, UNKNOWN
from bayescale.parts.drift import CELL
from bayescale.parts.inputs import Schedule


def only_group(grid: Grid, observed: NDArray[Any], runs: NDArray[np.int_]) -> Grid:
    """Lay out one group's runs alone, its members new; padded, so that few shapes are compiled."""
    at = runs[np.minimum(np.arange(padded(len(runs))), len(runs) - 1)]
    weights = np.array(observed)[at]
    weights[len(runs) :] = 0.0
    outside = np.array(np.asarray(grid.weights).any(axis=1))
    outside[runs] = False
    unknown = np.flatnonzero(np.isin(at[: len(runs)], grid.unknown))
    groups = {name: np.asarray(index)[at] for name, index in grid.groups.items()}
    sizes, middle, within, cells = [], {}, {}, grid.cells
    for name, known, _ in grid.members:
        if name == CELL:
            cells = _cells(grid, at, groups)
            sizes.append((name, known, len(cells.part)))
            continue
        members = _Members(at, 0, len(at))
        if name == UNKNOWN:
            members = _Members(unknown, 0, len(unknown))
        elif name != RUN:
            members = _members(grid.groups[name], at, outside, known)
            groups[name] = members.member
        sizes.append((name, members.known, members.known + members.new))
        if name in grid.middle:
            told = grid.middle[name]
            middle[name] = {k: np.asarray(v)[: members.known] for k, v in told.items()}
            held = grid.within.get(name, {})
            within[name] = {k: np.asarray(v)[: members.known] for k, v in held.items()}
    if np.size(cells.away):
        cells = dataclasses.replace(cells, away=np.asarray(cells.away)[:, at])
    part = dataclasses.replace(
        grid,
        inputs={name: _of_runs(values, at) for name, values in grid.inputs.items()},
        groups=groups,
        unknown=unknown,
        stderr=np.asarray(grid.stderr)[at],
        scores=np.asarray(grid.scores)[at],
        order=np.asarray(grid.order)[at],
        cells=cells,
        members=tuple(sizes),
    )
    # What members of the fit are told at, and where data end, stays as it was for the draws.
    return dataclasses.replace(
        part.with_weights(weights), middle=middle, within=within, cells=cells
    )


class _Members(NamedTuple):
    """Members of a pooled group as one of its parts sees them."""

    member: NDArray[np.int_]
    known: int
    new: int


def _members(index: Any, at: Any, outside: Any, known: int) -> _Members:
    """Give members new numbers: those of the fit, if any of these runs has one, then new ones."""
    all_runs = np.asarray(index)
    mine = all_runs[at]
    new = np.setdiff1d(mine, all_runs[outside])
    kept = known if len(np.setdiff1d(mine, new)) else 0
    place = np.where(np.isin(mine, new), kept + np.searchsorted(new, mine), mine)
    return _Members(place, kept, padded(len(new)))


def _cells(grid: Grid, at: NDArray[np.int_], groups: Mapping[str, Any]) -> Cells:
    """Add cells of their own for members that are new, as wide as those they had in the fit."""
    cells = grid.cells
    part, member = np.asarray(cells.part), np.asarray(cells.member)
    added: list[int] = []
    whose: list[int] = []
    for i, group in enumerate(cells.groups):
        before = np.asarray(grid.groups[group])[at] if group else ()
        for old, now in sorted({*zip(before, groups.get(group, ()), strict=True)}):
            own = np.flatnonzero((part == i) & (member == old)) if old != now else ()
            added += [int(cell) for cell in own]
            whose += [int(now)] * len(own)
    spare = padded(len(added)) - len(added)  # cells of nobody
    index = np.array([*range(len(part)), *added, *[0] * spare], int)
    taken = {f: np.asarray(getattr(cells, f))[index] for f in ("start", "width", "along", "part")}
    return replace(cells, **taken, member=np.array([*member, *whose, *[-1] * spare], int))


def _of_runs(values: Any, at: Any) -> Any:
    """Take an input of some runs; of a schedule the series that they are on."""
    if not isinstance(values, Schedule):
        return np.asarray(values)[at]
    series, row = np.unique(np.asarray(values.row)[at], return_inverse=True)
    steps = np.asarray(values.steps)[series]
    return Schedule(np.asarray(values.rates)[series], steps, row, np.asarray(values.node)[at])
