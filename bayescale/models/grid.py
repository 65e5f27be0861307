"""`Grid`: the arrays that a model sees, runs by benchmarks.

A run is one point where something was measured: its inputs, the groups it belongs to, and on each
benchmark (a score, a loss) what was seen. A value that is missing, or held out, has weight zero,
and nothing about a fit depends on it. Members of groups beyond those of the fit (a new family, a
new run) come after the known ones, so that a prediction is the same model on a longer grid.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.base.intervals import Floats

WITHIN = "_within"  # the group along which neighbours share noise, beside those that are pooled


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("start", "width", "along", "part", "member", "away", "edges"),
    meta_fields=("groups", "from_edge"),
)
@dataclass(frozen=True)
class Cells:
    """Where the cells of drifts lie, known ones first; shape (cell,) each.

    Parameters
    ----------
    start, width
        In e-folds from where the drift is zero, to its left where the width is negative.
    along, part
        Positions of the input, and of the part of its drift: what all share, or a group's.
    member
        Index of the member whose it is; 0 where all share it.
    away
        Of each run along each input that drifts, in e-folds from the reference run, (input, run).
    edges
        The least and the largest of these among the runs that have some weight, (input, 2).
    groups
        The group of each part; "" where all share it.
    from_edge
        Of each input, whether its drift is zero up to these edges, not at the reference run alone.
    """

    start: Any = field(default_factory=partial(np.zeros, 0))
    width: Any = field(default_factory=partial(np.zeros, 0))
    along: Any = field(default_factory=partial(np.zeros, 0, int))
    part: Any = field(default_factory=partial(np.zeros, 0, int))
    member: Any = field(default_factory=partial(np.zeros, 0, int))
    away: Any = field(default_factory=partial(np.zeros, (0, 0)))
    edges: Any = field(default_factory=partial(np.zeros, (0, 2)))
    groups: tuple[str, ...] = ()
    from_edge: tuple[bool, ...] = ()

    @property
    def place(self) -> Any:
        """Where each cell starts, in e-folds from the reference run, shape (cell,)."""
        if not any(self.from_edge):
            return self.start
        along, right = jnp.asarray(self.along), (jnp.asarray(self.width) > 0).astype(int)
        edge = jnp.asarray(self.edges)[along, right]
        return self.start + jnp.where(jnp.asarray(self.from_edge)[along], edge, 0.0)

    def seeing(self, seen: Any) -> Cells:
        """Take the edges from the runs that are seen; from all of them where none is."""
        if not np.size(self.away):
            return self
        away = np.asarray(self.away)[:, seen if np.any(seen) else slice(None)]
        edges = np.stack([away.min(axis=1), away.max(axis=1)], axis=1)
        return dataclasses.replace(self, edges=edges)

    def first(self, count: int) -> Cells:
        """Keep so many cells."""
        arrays = ("start", "width", "along", "part", "member")
        kept: dict[str, Any] = {n: np.asarray(getattr(self, n))[:count] for n in arrays}
        return dataclasses.replace(self, **kept)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        "inputs",
        "groups",
        "middle",
        "unknown",
        "chance",
        "top",
        "items",
        "resolution",
        "stderr",
        "scores",
        "weights",
        "order",
        "previous",
        "gap",
        "cells",
        "within",
    ),
    meta_fields=("members", "linked", "anchors", "absolute"),
)
@dataclass(frozen=True)
class Grid:
    """Arrays of a table.

    Parameters
    ----------
    inputs
        For each input of the law its values over those of the reference run, shape (run,); a
        mixture has shape (run, domain), a series is a `Schedule`. Where a leaderboard's run does
        not tell its tokens, they are their prior median.
    groups
        For each group the index of each run's member, shape (run,).
    middle
        For each group whose members are told at their own place, by input: its mean over the
        member's runs that have some weight, shape (member of the fit,); NaN for a member without
        any.
    unknown
        Positions of the runs whose tokens are not known, shape (unknown,).
    chance, top, items, resolution
        Of each benchmark, shape (benchmark,); `items` is infinite when not known.
    stderr
        Known standard errors, NaN where there is none, shape (run, benchmark).
    scores, weights
        Measured values and their weights (1 measured, 0 missing or held out), (run, benchmark).
    order
        Log of the input along which neighbours share noise, shape (run,).
    previous, gap
        For each value that of its neighbour before it that has some weight, as an index of runs (-1
        for none), and the distance between them in `order`; shape (run, benchmark).
    members
        For each group its name, how many members were in the fit, and how many there are; so for
        "run", for the "unknown" token counts, and for each "cell" of drifts.
    linked
        For each benchmark whether it is a score behind the link, or the law's own response.
    anchors
        Position of each skill's anchor benchmark.
    absolute
        The inputs that are used as they are: their means are not geometric.
    cells
        The cells of drifts.
    within
        For each group whose members are told at their own place, by group that may hold it: the
        member that holds all of a member's runs, -1 for none, shape (member of the fit,).
    """

    inputs: dict[str, Any]
    groups: dict[str, Any]
    middle: dict[str, dict[str, Any]]
    unknown: Any
    chance: Any
    top: Any
    items: Any
    resolution: Any
    stderr: Any
    scores: Any
    weights: Any
    order: Any
    previous: Any
    gap: Any
    members: tuple[tuple[str, int, int], ...]
    linked: tuple[bool, ...]
    anchors: tuple[int, ...]
    absolute: tuple[str, ...]
    cells: Cells = field(default_factory=Cells)
    within: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """Number of runs, new ones included."""
        return int(self.weights.shape[0])

    @property
    def benchmarks(self) -> int:
        """Number of benchmarks."""
        return len(self.linked)

    @property
    def own(self) -> tuple[int, ...]:
        """Positions of the benchmarks that measure the law's own response."""
        return tuple(j for j, linked in enumerate(self.linked) if not linked)

    @property
    def scored(self) -> tuple[int, ...]:
        """Positions of the benchmarks behind the link."""
        return tuple(j for j, linked in enumerate(self.linked) if linked)

    @property
    def others(self) -> tuple[int, ...]:
        """Positions of the benchmarks that anchor no skill."""
        return tuple(j for j in range(self.benchmarks) if j not in self.anchors)

    def counts(self, group: str) -> tuple[int, int]:
        """Give how many members of a group were in the fit, and how many there are."""
        return next((known, total) for name, known, total in self.members if name == group)

    def size(self, axis: str) -> int:
        """Give the length of an axis of a coefficient."""
        sizes = {
            "skill": len(self.anchors),
            "benchmark": len(self.scored),
            "response": len(self.own),
            "other": len(self.others),
        }
        if axis != "contrast":
            return sizes[axis]
        return next(int(x.shape[-1]) - 1 for x in self.inputs.values() if np.ndim(x) == 2)

    def with_weights(self, weights: Any) -> Grid:
        """Return the same grid with other weights, as if the other values were not there."""
        values = np.asarray(weights)
        previous, gap = _neighbours(self.order, self.groups.get(WITHIN), values)
        seen = (values > 0).any(axis=1)
        middle = {group: self._means(group, inputs, seen) for group, inputs in self.middle.items()}
        return dataclasses.replace(
            self,
            weights=weights,
            previous=previous,
            gap=gap,
            middle=middle,
            cells=self.cells.seeing(seen),
        )

    def _means(self, group: str, inputs: dict[str, Any], seen: Any) -> dict[str, Floats]:
        known, total = self.counts(group)
        member = np.asarray(self.groups[group])[seen]
        count = np.bincount(member, minlength=total)[:known]
        found = {}
        for name in inputs:
            values = np.asarray(self.inputs[name], float)[seen]
            geometric = name not in self.absolute
            sums = np.bincount(member, np.log(values) if geometric else values, minlength=total)
            mean = sums[:known] / np.where(count, count, np.nan)
            found[name] = np.exp(mean) if geometric else mean
        return found


def _neighbours(order: Any, within: Any, weights: Floats) -> tuple[Any, Floats]:
    """Find for each value its neighbour before it, among the values that have some weight."""
    previous = np.full(weights.shape, -1)
    gap = np.zeros(weights.shape)
    if within is None:
        return previous, gap
    by = np.asarray(order)
    for column in range(weights.shape[1]):
        seen = np.flatnonzero(weights[:, column] > 0)
        ranked = seen[np.lexsort((by[seen], np.asarray(within)[seen]))]
        same = np.asarray(within)[ranked[1:]] == np.asarray(within)[ranked[:-1]]
        later, earlier = ranked[1:][same], ranked[:-1][same]
        previous[later, column] = earlier
        gap[later, column] = by[later] - by[earlier]
    return previous, gap
