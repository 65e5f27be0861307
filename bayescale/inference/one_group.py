"""One group's runs laid out alone, its members new to the draws."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayescale.models.design import Design
from bayescale.models.lay_out import padded
from bayescale.models.rows import Rows
from bayescale.parts.inputs import Schedule


def only_group(
    design: Design | Rows, observed: NDArray[Any], runs: NDArray[np.int_]
) -> Design | Rows:
    """Lay out one group's runs alone, its members new; padded, so that few shapes are compiled."""
    at = runs[np.minimum(np.arange(padded(len(runs))), len(runs) - 1)]
    weights = np.array(observed)[at]
    weights[len(runs) :] = 0.0
    outside = np.array(np.asarray(design.weights).any(axis=1))
    outside[runs] = False
    if isinstance(design, Rows):
        return _part_of_rows(design, at, weights, outside)
    return _part_of_design(design, at, weights, outside, len(runs))


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


def _part_of_design(design: Design, at: Any, weights: Any, outside: Any, runs: int) -> Design:
    of_runs = ("params", "active", "tokens", "flops", "stderr", "scores")
    family = _members(design.family, at, outside, design.known_families)
    unknown = np.flatnonzero(np.isin(at[:runs], design.unknown))
    return dataclasses.replace(
        design,
        **{name: np.asarray(getattr(design, name))[at] for name in of_runs},
        unknown=unknown,
        family=family.member,
        middle=np.asarray(design.middle)[: family.known],
        weights=weights,
        known_runs=0,
        known_families=family.known,
        families=family.known + family.new,
        known_unknown=0,
    )


def _part_of_rows(rows: Rows, at: Any, weights: Any, outside: Any) -> Rows:
    groups = {name: np.asarray(index)[at] for name, index in rows.groups.items()}
    sizes = []
    for name, known, _ in rows.members:
        members = _members(rows.groups[name], at, outside, known)
        groups[name] = members.member
        sizes.append((name, members.known, members.known + members.new))
    part = dataclasses.replace(
        rows,
        inputs={name: _of_runs(values, at) for name, values in rows.inputs.items()},
        groups=groups,
        stderr=np.asarray(rows.stderr)[at],
        scores=np.asarray(rows.scores)[at],
        order=np.asarray(rows.order)[at],
        members=tuple(sizes),
    )
    return part.with_weights(weights)


def _of_runs(values: Any, at: Any) -> Any:
    """Take an input of some runs; of a schedule the series that they are on."""
    if not isinstance(values, Schedule):
        return np.asarray(values)[at]
    series, row = np.unique(np.asarray(values.row)[at], return_inverse=True)
    steps = np.asarray(values.steps)[series]
    return Schedule(np.asarray(values.rates)[series], steps, row, np.asarray(values.node)[at])
