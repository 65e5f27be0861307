"""The cells of drifts on a table: intervals of an input, each with an increment.

Increments are members of the group "cell". Those between the reference run and the farthest runs of
the fit are known; those beyond are new members in a prediction, the same for every question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bayescale.base.intervals import Floats
from bayescale.models.grid import Cells
from bayescale.models.record import ModelRecord
from bayescale.parts.drift import RELEASED, STEP, STEP_OF_DATES
from bayescale.parts.inputs import Input

BEYOND, GROWTH = 8, 1.5  # cells beyond, each wider than the one before: 25 e-folds and more
FLOPS = "flops"
SIZES = ("params_active", "params")


class Cell(NamedTuple):
    """One cell: the `number`-th from the reference run, on a side, of all or of a member."""

    along: str
    group: str
    member: str
    side: str
    number: int

    @property
    def name(self) -> str:
        """Its name in files: "params +2", or "params corpus=c4 +2" of what a member has alone."""
        whose = f"{self.group}={self.member} " if self.group else ""
        return f"{self.along} {whose}{self.side}{self.number}"


def cell(name: str) -> Cell:
    """Read a cell's name."""
    along, _, rest = name.partition(" ")
    whose, _, last = rest.rpartition(" ")
    group, _, member = whose.partition("=")
    return Cell(along, group, member, last[0], int(last[1:]))


def drifting(columns: Sequence[Input]) -> list[str]:
    """Name what a law may drift along: inputs with a reference of their own, and compute."""
    own = [c.name for c in columns if c.kind == "number" and c.reference == c.name]
    return own if FLOPS in own or not factors(own, FLOPS) else [*own, FLOPS]


def factors(inputs: Collection[str], along: str) -> tuple[str, ...]:
    """Name the inputs whose product a drift is along: compute is that of size and tokens.

    None where the law reads nothing of the kind, or it is along the date.
    """
    if along in inputs:
        return (along,)
    size = [name for name in SIZES if name in inputs]
    return (size[0], "tokens") if along == FLOPS and size and "tokens" in inputs else ()


def distance(inputs: Mapping[str, Any], along: str, log: Callable[[Any], Any] = np.log) -> Any:
    """Give how many e-folds, or years, each run is from the reference run, shape (run,)."""
    if along == RELEASED:
        return inputs[RELEASED]
    return sum(log(inputs[name]) for name in factors(inputs, along))


def known_cells(
    model: ModelRecord,
    inputs: Mapping[str, Any],
    groups: Mapping[str, Any],
    members: Mapping[str, Sequence[str]],
) -> list[str]:
    """Name the cells between the reference run and the farthest runs, of each member where apart.

    None of a drift that starts at the edge of the data: all of its cells are beyond.

    Parameters
    ----------
    model
        Its drifts.
    inputs
        Of each run, over those of the reference run, shape (run,) each.
    groups
        For each group the index of each run's member, shape (run,).
    members
        For each group the names of its members.
    """
    found = []
    for along, drift in model.drift.items():
        if drift.origin == "edge":
            continue
        away: Floats = distance(inputs, along)
        for group in drift.parts:
            for i, member in enumerate(members[group] if group else [""]):
                mine = away[groups[group] == i] if group else away
                for side, farthest in (("-", -mine), ("+", mine)):
                    count = int(np.ceil(np.max(farthest, initial=0.0) / step(along)))
                    found += [Cell(along, group, member, side, j + 1) for j in range(count)]
    return [each.name for each in found]


def cells_of(known: Sequence[str], members: Mapping[str, Collection[str]]) -> list[int]:
    """Find, among known cells, those that all runs share and those of some members of groups."""
    read = [cell(name) for name in known]
    return [i for i, one in enumerate(read) if not one.group or one.member in members[one.group]]


def cells_beyond(
    model: ModelRecord, known: Sequence[str], members: Mapping[str, Sequence[str]]
) -> list[str]:
    """Name the cells that a prediction has beside the known ones."""
    count = _counts(known)
    found = []
    for along, drift in model.drift.items():
        for group in drift.parts:
            for member in members[group] if group else [""]:
                for side in "-+":
                    last = count[along, group, member, side]
                    found += [
                        Cell(along, group, member, side, last + j + 1).name for j in range(BEYOND)
                    ]
    return found


def lay_out_cells(
    model: ModelRecord,
    known: Sequence[str],
    beyond: Sequence[str],
    inputs: Mapping[str, Any],
    members: Mapping[str, Sequence[str]],
) -> Cells:
    """Say where the cells lie, and whose they are; edges are not told yet."""
    count = _counts(known)
    order = list(model.drift)
    parts = [(along, group) for along, drift in model.drift.items() for group in drift.parts]
    at, start, width, part, whose = [], [], [], [], []
    for name in (*known, *beyond):
        one = cell(name)
        last = count[one[:-1]]
        wide = step(one.along) * GROWTH ** np.maximum(np.arange(1, one.number + 1) - last, 0)
        sign = 1.0 if one.side == "+" else -1.0
        at.append(order.index(one.along))
        start.append(sign * wide[:-1].sum())
        width.append(sign * wide[-1])
        part.append(parts.index((one.along, one.group)))
        whose.append(list(members[one.group]).index(one.member) if one.group else 0)
    return Cells(
        start=np.array(start, float),
        width=np.array(width, float),
        along=np.array(at, int),
        part=np.array(part, int),
        member=np.array(whose, int),
        away=np.array([distance(inputs, a) for a in order]) if order else np.zeros((0, 0)),
        from_edge=tuple(drift.origin == "edge" for drift in model.drift.values()),
        groups=tuple(group for _, group in parts),
    )


def beyond_edge() -> Floats:
    """Give where the cells beyond an edge of the data end, in e-folds from it, zero first."""
    found: Floats = np.cumsum([0.0, *STEP * GROWTH ** np.arange(1, BEYOND + 1)])
    return found


def step(along: str) -> float:
    """Give how wide a cell between runs is."""
    return STEP_OF_DATES if along == RELEASED else STEP


def _counts(known: Sequence[str]) -> Counter[tuple[str, ...]]:
    """Count the known cells on each side, of all and of each member."""
    return Counter(cell(name)[:-1] for name in known)
