"""Queried runs as a model sees them, beside what each draw of a fit says of them.

A layout holds the queried runs alone: of the fit's own runs and of members of its groups only those
that a query names, with their draws. It can be evaluated again and again at other inputs, which may
differ by draw, as when a question is solved in each draw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.base.intervals import Floats
from bayescale.inference.posterior import Posterior
from bayescale.models.cells import cells_beyond, cells_of
from bayescale.models.dates import dated_runs
from bayescale.models.evaluate import Evaluation, evaluate, expected_values
from bayescale.models.grid import Grid
from bayescale.models.inputs import at_reference
from bayescale.models.lay_out import filled, fitted_members, lay_out, padded
from bayescale.models.plan import RUN, UNKNOWN, plan
from bayescale.models.record import ModelRecord, group_names
from bayescale.parts.drift import CELL
from bayescale.tables.compute import ACTIVE, COMPUTE, completed
from bayescale.tables.table import Table, only_members

Sites = dict[str, NDArray[Any]]
FAMILY = "family"


@dataclass(frozen=True, eq=False)
class Layout:
    """Queries laid out, padded so that few shapes are compiled.

    Parameters
    ----------
    model
        The model.
    grid
        The queried runs.
    sites
        Draws of every site, of the members that the grid knows, shape (draw, ...).
    position
        Row of the grid of each query.
    inputs
        Inputs of each query by column, in the table's units, shape (query,) each; for a law what
        was given, and nothing that follows from it.
    by_draw
        Fields of the grid that differ by draw.
    new
        A number of each new member, by group.
    """

    model: ModelRecord
    grid: Grid
    sites: Sites
    position: NDArray[np.int_]
    inputs: Mapping[str, Floats]
    by_draw: Mapping[str, Any] = field(default_factory=dict)
    new: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(next(iter(self.sites.values())))

    def evaluate(
        self, seed: int, changed: Mapping[str, Floats] | None = None, *, one_run: bool = False
    ) -> Evaluation:
        """Run the model forward for the queries.

        Parameters
        ----------
        seed
            Seed of what is drawn anew: new members, unknown inputs, noise.
        changed
            Inputs that take the place of the queries' own, in the table's units, shape (draw,
            query) each.
        one_run
            Whether all queries are one new run at several places, rather than a run each.

        Returns
        -------
        Evaluation
            Shape (draw, query, benchmark).
        """
        found = evaluate(
            self.model, self.grid, self.sites, seed=seed, **self._fields(changed, one_run)
        )
        each = (found.expected, found.score, found.log_density)
        return Evaluation(*(values[:, self.position] for values in each))

    def expected(
        self, seed: int, changed: Mapping[str, Floats] | None = None, *, one_run: bool = False
    ) -> Floats:
        """Give the expected values of `evaluate` alone, which takes a tenth of the time."""
        fields = self._fields(changed, one_run)
        found = expected_values(self.model, self.grid, self.sites, seed=seed, **fields)
        return found[:, self.position]

    def _fields(self, changed: Mapping[str, Floats] | None, one_run: bool) -> dict[str, Any]:
        fields = dict(self.by_draw)
        if changed:
            given = {name: np.asarray(values, float) for name, values in changed.items()}
            fields["inputs"] = self._changed(given)
        new = dict(self.new)
        for name in {RUN, UNKNOWN} & new.keys() if one_run else ():
            new[name] = np.zeros_like(new[name])  # one run has one departure, and one token count
        return {"by_draw": fields, "members": new}

    def _changed(self, given: dict[str, Floats]) -> dict[str, Any]:
        """Give the law's inputs in each draw where some are changed."""
        # Two of params, tokens, FLOPs and their ratio tell the others: what was given stays where
        # nothing moves it. A mixture of experts keeps its share of active parameters.
        if "params" in given and {"params", ACTIVE} <= self.inputs.keys() and ACTIVE not in given:
            given[ACTIVE] = given["params"] * self.inputs[ACTIVE] / self.inputs["params"]
        moved = len(given.keys() & COMPUTE.keys()) > 1
        own = {k: v for k, v in self.inputs.items() if not (k in given or (moved and k in COMPUTE))}
        values = completed(own | given) if moved else completed(given | own)
        found = dict(self.grid.inputs)
        size = (self.draws, self.grid.runs)
        for column in self.model.law.columns:
            name = self.model.inputs.get(column.name, column.name)
            told = _told(name, values)
            if column.kind not in ("number", "flag") or told is None:
                continue
            usual = np.asarray(self.grid.inputs[column.name], float)
            wide = np.broadcast_to(usual, size).copy()
            found[column.name] = self._padded(wide, at_reference(self.model, column.name, told))
        untouched = {name: v for name, v in self.grid.inputs.items() if found[name] is v}
        return found | {name: _repeated(v, self.draws) for name, v in untouched.items()}

    def _padded(self, wide: Floats, values: Any) -> Floats:
        """Set values of queries, shape (draw, query), into those of the grid's rows."""
        count = len(self.position)
        wide[:, self.position] = np.broadcast_to(values, (self.draws, count))
        # Rows that only pad are the last query once more.
        rest = np.setdiff1d(np.arange(wide.shape[1]), self.position)
        wide[:, rest] = wide[:, self.position[-1:]]
        return wide


def _told(name: str, values: Mapping[str, Any]) -> Any:
    """Give an input from the others, as a table's column is given."""
    if name in values:
        return values[name]
    if name == "params_active":
        return values.get("params")
    if name == "unique_tokens":
        return values.get("tokens")
    return None


def _repeated(value: Any, draws: int) -> Any:
    return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (draws, *np.shape(leaf))), value)


def number_of(name: str) -> np.uint32:
    """Give a member the number that its draws hang on."""
    return np.uint32(crc32(name.encode()))


def lay_out_queries(
    fit: Posterior,
    asked: Table,
    given: Mapping[str, Floats],
    *,
    named: Sequence[str | None] | None = None,
    any_family: NDArray[np.bool_] | None = None,
    least: int = 1,
    seed: int = 0,
) -> Layout:
    """Lay out queries to a fit.

    Parameters
    ----------
    fit
        The fit.
    asked
        New runs, as a table without measurements: a row for each query that names no run of the
        fit.
    given
        What was given of each query, by column, in the table's units.
    named
        For each query the run of the fit that it names, with its own effects, or None; by default
        all are new.
    any_family
        Whether a new run is of one of the known families, another in each draw.
    least
        Rows of new runs are padded to a power of two, and to these.
    seed
        Seed of the families that are not named.

    Returns
    -------
    Layout

    Raises
    ------
    ModelError
        See `lay_out`.
    """
    model, table = fit.model, fit.table
    names = named if named is not None else [None] * len(asked.runs)
    queries = _which_runs(table, names, len(asked.runs), least)
    fitted_runs = dated_runs(model, table)
    runs = pd.concat([fitted_runs.iloc[queries.known], asked.runs.iloc[queries.new]])
    runs = runs.set_axis(pd.RangeIndex(len(runs)), axis="index")
    unnamed = np.zeros(len(runs), bool)
    if any_family is not None:
        unnamed[len(queries.known) :] = any_family[queries.new]
    fitted = fitted_members(model, table)
    groups = [group for group in group_names(model) if group != RUN]
    runs[groups] = runs[groups].fillna("").astype(str)
    kept = {group: _kept(fitted[group], runs[group]) for group in groups}
    # What goes with a family that is another in each draw: itself, and groups that hold it whole.
    drawn = _with_family(table, groups, runs[unnamed]) if unnamed.any() else {}
    for group in drawn:
        kept[group] = np.arange(len(fitted[group]))
        runs.loc[unnamed, group] = fitted[group][0]
    kept |= _holders(model, table, kept)
    known: dict[str, list[Any]] = {g: [fitted[g][i] for i in at] for g, at in kept.items()}
    new = {g: sorted(set(runs[g]) - set(members)) for g, members in known.items()}
    known[RUN] = list(range(len(queries.known)))
    kept[CELL] = np.array(cells_of(fitted[CELL], known), int)
    known[CELL] = [fitted[CELL][i] for i in kept[CELL]]
    new[CELL] = cells_beyond(model, known[CELL], {g: [*known[g], *new[g]] for g in groups})
    anchors = list(model.anchors(table).values())
    grid = lay_out(model, dataclasses.replace(asked, runs=runs), known, anchors)
    kept[RUN] = queries.known
    without = pd.Index(fitted[UNKNOWN]).get_indexer(table.runs.index[queries.known])
    kept[UNKNOWN] = without[without >= 0]
    numbers = {group: _numbers(names) for group, names in new.items() if group != CELL}
    numbers[CELL] = np.array([number_of(name) for name in new[CELL]], np.uint32)
    for group in (RUN, UNKNOWN):
        numbers[group] = np.arange(_new_count(grid, group, len(queries.new)), dtype=np.uint32)
    sites, by_draw = _sites(fit, kept), {}
    if drawn:
        draws = len(next(iter(sites.values())))
        families = np.array(table.families)
        chosen = families[np.random.default_rng(seed).integers(len(families), size=draws)]
        places = {g: pd.Index(fitted[g]).get_indexer(own[chosen]) for g, own in drawn.items()}
        by_draw["groups"] = _any_family(grid, unnamed, places)
    grid = _as_fitted(model, table, _with_room(grid, numbers), kept)
    return Layout(model, grid, sites, queries.position, given, by_draw, numbers)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Rows of a layout: runs of the fit, then new ones, each padded.

    Parameters
    ----------
    known
        Rows of the fit's runs that are queried.
    new
        Rows of the new runs.
    position
        Row of the layout of each query.
    """

    known: NDArray[np.int_]
    new: NDArray[np.int_]
    position: NDArray[np.int_]


def _which_runs(table: Table, named: Sequence[str | None], new: int, least: int) -> _Runs:
    of_fit = np.array([name is not None for name in named], bool)
    at = table.runs.index.get_indexer([name for name in named if name is not None])
    rows, own = np.unique(at, return_inverse=True)
    known = filled(rows)
    position = np.empty(len(named), int)
    position[of_fit] = own
    position[~of_fit] = len(known) + np.arange(new)
    padding = np.arange(max(least, padded(new)) if new else 0)
    return _Runs(known, np.minimum(padding, new - 1), position)


def _kept(fitted: Sequence[str], named: pd.Series) -> NDArray[np.int_]:
    """Give the places of a group's members that are named, and of others up to a power of two."""
    return _with_spare(set(pd.Index(fitted).get_indexer(named.unique())) - {-1}, len(fitted))


def _with_spare(wanted: set[int], count: int) -> NDArray[np.int_]:
    """Add others to some members, up to a power of two."""
    spare = [i for i in range(count) if i not in wanted]
    return np.array(sorted([*wanted, *spare[: padded(len(wanted)) - len(wanted)]]), int)


def _holders(
    model: ModelRecord, table: Table, kept: Mapping[str, NDArray[np.int_]]
) -> dict[str, NDArray[np.int_]]:
    """Keep the members too that hold those of told groups, whose levels rest on theirs."""
    if not any(plan(model).holders(site.group) for site in plan(model).told()):
        return {}
    found: dict[str, NDArray[np.int_]] = {}
    whole = lay_out(model, table)
    for group, others in whole.within.items():
        for other, holder in others.items():
            held = holder[kept[group]]
            wanted = {*found.get(other, kept[other]), *held[held >= 0]}
            known, _ = whole.counts(other)
            found[other] = _with_spare(wanted, known)
    return found


def _numbers(names: Sequence[str]) -> NDArray[np.uint32]:
    """Give each new member a number, by its name; others up to a power of two by their place."""
    padding = [np.uint32(i) for i in range(padded(len(names)) - len(names))]
    return np.array([*(number_of(str(name)) for name in names), *padding], np.uint32)


def _new_count(grid: Grid, group: str, most: int) -> int:
    """Count new members; runs may be no group of the model."""
    return next((total - known for name, known, total in grid.members if name == group), most)


def _with_room(grid: Grid, numbers: Mapping[str, NDArray[np.uint32]]) -> Grid:
    """Make room for as many new members as have numbers."""
    sizes = tuple(
        (group, known, max(total, known + len(numbers.get(group, ()))))
        for group, known, total in grid.members
    )
    return dataclasses.replace(grid, members=sizes)


def _as_fitted(
    model: ModelRecord, table: Table, grid: Grid, kept: Mapping[str, NDArray[np.int_]]
) -> Grid:
    """Tell members at the places where the fit told them, and where its data end."""
    if not grid.middle and not model.drift:
        return grid
    whole = lay_out(model, table)
    middle = {
        group: {name: np.asarray(at)[kept[group]] for name, at in whole.middle[group].items()}
        for group in grid.middle
    }
    within = {
        group: {
            other: _among(np.asarray(holder)[kept[group]], kept[other])
            for other, holder in whole.within[group].items()
        }
        for group in grid.within
    }
    cells = dataclasses.replace(grid.cells, edges=whole.cells.edges)
    return dataclasses.replace(grid, middle=middle, within=within, cells=cells)


def _among(members: NDArray[np.int_], kept: NDArray[np.int_]) -> NDArray[np.int_]:
    """Give the places that members of the fit have among those that a layout keeps."""
    found: NDArray[np.int_] = pd.Index(kept).get_indexer(members)
    return found


def _with_family(
    table: Table, groups: Sequence[str], unnamed: pd.DataFrame
) -> dict[str, pd.Series]:
    """Give the members that a family decides, by family: of groups that hold every family whole."""
    found = {}
    for group in groups:
        own = only_members(table, group)
        if group == FAMILY or (len(own) == len(table.families) and unnamed[group].eq("").all()):
            found[group] = own
    return found


def _any_family(
    grid: Grid, unnamed: NDArray[np.bool_], places: Mapping[str, NDArray[np.int_]]
) -> dict[str, Any]:
    """Give the groups in each draw: runs that name no family share one of the known."""
    draws = len(next(iter(places.values())))
    found = {group: np.tile(index, (draws, 1)) for group, index in grid.groups.items()}
    for group, place in places.items():
        found[group][:, unnamed] = place[:, None]
    return found


def _sites(fit: Posterior, kept: Mapping[str, NDArray[np.int_]]) -> Sites:
    """Take the members of groups that a layout keeps out of the draws."""
    groups = {name: members.group for name, members in plan(fit.model).members.items()}
    found = {}
    for name, values in fit.sites().items():
        at = kept.get(groups.get(name, ""))
        own = values if at is None else values[:, at]
        if own.size:
            found[name] = own
    return found
