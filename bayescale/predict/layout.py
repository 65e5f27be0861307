"""Queried runs as a model sees them, beside what each draw of a fit says of them.

A layout holds the queried runs alone: of the fit's own runs and families only those that a query
names, with their draws. It can be evaluated again and again at other inputs, which may differ by
draw, as when a question is solved in each draw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.base.intervals import Floats
from bayescale.models.design import UNKNOWN_TOKENS, Design, make_design
from bayescale.models.evaluate import Evaluation, evaluate, expected_values
from bayescale.models.model import Model
from bayescale.models.record import EFFECT, group_names
from bayescale.models.rows import Rows, at_reference, make_rows
from bayescale.tables.compute import ACTIVE, COMPUTE, completed
from bayescale.tables.table import members

if TYPE_CHECKING:
    from bayescale.fits import Fit
    from bayescale.tables.table import Table

Sites = dict[str, NDArray[Any]]
RUN, FAMILY, UNKNOWN = "run", "family", "unknown"


@dataclass(frozen=True, eq=False)
class Layout:
    """Queries laid out, padded so that few shapes are compiled.

    Parameters
    ----------
    model
        The model.
    design
        The queried runs.
    sites
        Draws of every site, of the members that the design knows, shape (draw, ...).
    position
        Row of the design of each query.
    inputs
        Inputs of each query by column, in the table's units, shape (query,) each; for a law what
        was given, and nothing that follows from it.
    by_draw
        Fields of the design that differ by draw.
    new
        A number of each new member, by group.
    """

    model: Model
    design: Design | Rows
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
            self.model, self.design, self.sites, seed=seed, **self._fields(changed, one_run)
        )
        each = (found.expected, found.score, found.log_density)
        return Evaluation(*(values[:, self.position] for values in each))

    def expected(
        self, seed: int, changed: Mapping[str, Floats] | None = None, *, one_run: bool = False
    ) -> Floats:
        """Give the expected values of `evaluate` alone, which takes a tenth of the time."""
        fields = self._fields(changed, one_run)
        found = expected_values(self.model, self.design, self.sites, seed=seed, **fields)
        return found[:, self.position]

    def _fields(self, changed: Mapping[str, Floats] | None, one_run: bool) -> dict[str, Any]:
        fields = dict(self.by_draw)
        if changed:
            fields |= self._changed(changed)
        new = dict(self.new)
        for name in {RUN, UNKNOWN} & new.keys() if one_run else ():
            new[name] = np.zeros_like(new[name])  # one run has one departure, and one token count
        return {"by_draw": fields, "members": new}

    def _changed(self, changed: Mapping[str, Floats]) -> dict[str, Any]:
        given = {name: np.asarray(values, float) for name, values in changed.items()}
        if isinstance(self.design, Design):
            return self._changed_runs(self.design, given)
        return {"inputs": self._changed_rows(self.design, given)}

    def _changed_runs(self, design: Design, given: dict[str, Floats]) -> dict[str, Any]:
        size = (self.draws, design.runs)
        if "params" in given and "params_active" not in given:
            # A mixture of experts keeps its share of active parameters.
            share = (np.asarray(design.active) / np.asarray(design.params))[self.position]
            given["params_active"] = given["params"] * share
        found = {}
        for name, own in (("params", "params"), ("params_active", "active"), ("tokens", "tokens")):
            if name in given:
                values = np.broadcast_to(np.asarray(getattr(design, own), float), size).copy()
                found[own] = self._padded(values, given[name])
        return found

    def _changed_rows(self, rows: Rows, given: dict[str, Floats]) -> dict[str, Any]:
        # Two of params, tokens, FLOPs and their ratio tell the others: what was given stays where
        # nothing moves it. A mixture of experts keeps its share of active parameters.
        if "params" in given and {"params", ACTIVE} <= self.inputs.keys() and ACTIVE not in given:
            given[ACTIVE] = given["params"] * self.inputs[ACTIVE] / self.inputs["params"]
        moved = len(given.keys() & COMPUTE.keys()) > 1
        own = {k: v for k, v in self.inputs.items() if not (k in given or (moved and k in COMPUTE))}
        values = completed(own | given) if moved else completed(given | own)
        found = dict(rows.inputs)
        size = (self.draws, rows.runs)
        for column in self.model.law.columns:
            name = self.model.inputs.get(column.name, column.name)
            told = _told(name, values)
            if column.kind not in ("number", "flag") or told is None:
                continue
            wide = np.broadcast_to(np.asarray(rows.inputs[column.name], float), size).copy()
            scaled = at_reference(self.model, column.name, told)
            found[column.name] = self._padded(wide, scaled)
        untouched = {name: v for name, v in rows.inputs.items() if found[name] is v}
        return found | {name: _repeated(v, self.draws) for name, v in untouched.items()}

    def _padded(self, wide: Floats, values: Any) -> Floats:
        """Set values of queries, shape (draw, query), into those of the design's rows."""
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


def padded(count: int) -> int:
    """Give the next power of two, or none."""
    return int(2 ** np.ceil(np.log2(count))) if count else 0


def _filled(index: Sequence[int] | NDArray[np.int_]) -> NDArray[np.int_]:
    """Repeat the last of a list until it has the padded length."""
    found = np.asarray(index, int)
    return found[np.minimum(np.arange(padded(len(found))), len(found) - 1)]


def grouped_sites(model: Model) -> dict[str, str]:
    """Name the group whose members a site holds, along its first axis."""
    found = {
        f"{name}_{rule.group}": rule.group
        for name, rules in model.pooling.items()
        for rule in rules
    }
    return found | {f"{EFFECT}_{group}": group for group in model.effects}


def lay_out_runs(fit: Fit, queries: pd.DataFrame, *, seed: int) -> Layout:
    """Lay out queries to a fit of a leaderboard.

    Parameters
    ----------
    fit
        The fit.
    queries
        Columns `family`, `params`, `tokens`, and maybe `run` and `params_active`, checked. A run of
        the fit has its own effects; others are new.
    seed
        Seed of the families that are not named.

    Returns
    -------
    Layout
    """
    whole = make_design(fit.table, tuple(fit.model.anchors(fit.table).values()))
    families = list(fit.table.families)
    runs = _which_runs(fit.table, queries)
    of_known = [families[i] for i in np.asarray(whole.family)[runs.known]]
    named = _which_families(families, of_known, runs.new["family"])
    design = _design_of(whole, runs, named)
    sites = _sites_of(fit, whole, runs, named)
    by_draw = {}
    if named.unnamed.any():
        draws = len(next(iter(sites.values())))
        chosen = np.random.default_rng(seed).integers(len(families), size=draws)
        by_draw["family"] = _any_family(design, named.unnamed, chosen)
    filler = range(padded(len(named.new)) - len(named.new))
    new = {
        FAMILY: np.array([*map(number_of, named.new), *filler], np.uint32),
        RUN: np.arange(len(runs.new), dtype=np.uint32),
        UNKNOWN: np.arange(len(design.unknown) - design.known_unknown, dtype=np.uint32),
    }
    given = {name: queries[name].to_numpy(float) for name in ("params", "tokens")}
    return Layout(fit.model, design, sites, runs.position, given, by_draw, new)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Rows of a layout: runs of the fit, then new ones, each padded.

    Parameters
    ----------
    known
        Rows of the fit's runs that are queried.
    new
        Queries of new runs.
    position
        Row of the layout of each query.
    """

    known: NDArray[np.int_]
    new: pd.DataFrame
    position: NDArray[np.int_]


def _which_runs(table: Table, queries: pd.DataFrame) -> _Runs:
    names = queries["run"] if "run" in queries else pd.Series([None] * len(queries))
    named = names.notna().to_numpy()
    rows, own = np.unique(table.runs.index.get_indexer(names[named]), return_inverse=True)
    known, others = _filled(rows), np.arange((~named).sum())
    position = np.empty(len(queries), int)
    position[named] = own
    position[~named] = len(known) + others
    return _Runs(known, queries[~named].iloc[_filled(others)], position)


@dataclass(frozen=True, eq=False)
class _Families:
    """Families of a layout: those of the fit, then new ones, each padded.

    Parameters
    ----------
    known
        Positions of the fit's families that are kept.
    new
        Names of new ones.
    of_run
        Family of each row of the layout.
    unnamed
        Whether a row of the layout names no family.
    """

    known: NDArray[np.int_]
    new: list[str]
    of_run: NDArray[np.int_]
    unnamed: NDArray[np.bool_]


def _which_families(families: list[str], of_known: list[str], of_new: pd.Series) -> _Families:
    names = [*of_known, *of_new]
    unnamed = np.array([*(False for _ in of_known), *of_new.isna()], bool)
    known = np.arange(len(families))
    if not unnamed.any():
        known = _filled(sorted(families.index(name) for name in {*names} & {*families}))
    new = [name for name in dict.fromkeys(of_new.dropna()) if name not in families]
    # Padding repeats a family: its first place counts.
    place = {families[i]: j for j, i in reversed(list(enumerate(known)))}
    place |= {name: len(known) + j for j, name in enumerate(new)}
    return _Families(known, new, np.array([place.get(n, 0) for n in names], int), unnamed)


def _design_of(whole: Design, runs: _Runs, families: _Families) -> Design:
    """Give known runs as they are in the whole design, and new ones without scores after them."""
    kept, params = runs.known, runs.new["params"].to_numpy(float)
    active = params
    if "params_active" in runs.new:
        active = runs.new["params_active"].fillna(runs.new["params"]).to_numpy(float)
    tokens = runs.new["tokens"].to_numpy(float)
    known_unknown = np.flatnonzero(np.isin(kept, whole.unknown))
    missing = len(kept) + np.flatnonzero(np.isnan(tokens))
    blank = np.zeros((len(kept) + len(params), whole.benchmarks))
    return dataclasses.replace(
        whole,
        params=np.concatenate([whole.params[kept], params]),
        active=np.concatenate([whole.active[kept], active]),
        tokens=np.concatenate([whole.tokens[kept], np.nan_to_num(tokens, nan=UNKNOWN_TOKENS[0])]),
        flops=np.concatenate([whole.flops[kept], np.full(len(params), np.nan)]),
        unknown=np.concatenate([known_unknown, missing]).astype(int),
        family=families.of_run,
        middle=whole.middle[families.known],
        stderr=np.full(blank.shape, np.nan),
        scores=blank,
        weights=blank,
        known_runs=len(kept),
        known_families=len(families.known),
        families=len(families.known) + padded(len(families.new)),
        known_unknown=len(known_unknown),
    )


def _sites_of(fit: Fit, whole: Design, runs: _Runs, families: _Families) -> Sites:
    """Give the draws of the runs, families and unknown token counts that a layout knows."""
    sites = _chosen(fit, {RUN: runs.known, FAMILY: families.known})
    if "tokens_unknown" in sites:
        unknown = runs.known[np.isin(runs.known, whole.unknown)]
        where = np.searchsorted(whole.unknown, unknown)
        sites["tokens_unknown"] = sites["tokens_unknown"][:, where]
    return sites


def _any_family(
    design: Design, unnamed: NDArray[np.bool_], chosen: NDArray[np.int_]
) -> NDArray[np.int_]:
    """Give a family that is not named as one of the known: another in each draw, one for all."""
    found = np.tile(design.family, (len(chosen), 1))
    found[:, unnamed] = chosen[:, None]
    return found


def lay_out_rows(fit: Fit, queries: pd.DataFrame, as_table: Table) -> Layout:
    """Lay out queries to a fit of a law of a quantity.

    Parameters
    ----------
    fit
        The fit.
    queries
        What was given of each query.
    as_table
        The queries as a table without measurements, as far as a law looks at one, padded.

    Returns
    -------
    Layout

    Raises
    ------
    ModelError
        See `make_rows`.
    """
    known = {name: members(fit.table, name) for name in group_names(fit.model)}
    design = make_rows(fit.model, as_table, known)
    new = {}
    for name, fitted in known.items():
        later = [m for m in members(as_table, name) if m not in set(fitted)]
        new[name] = np.array([number_of(str(member)) for member in later], np.uint32)
    numbers = [c for c in queries if c not in fit.table.groups]
    given = {c: queries[c].to_numpy(float) for c in numbers}
    sites = {name: values for name, values in fit.sites().items() if values.size}
    return Layout(fit.model, design, sites, np.arange(len(queries)), given, {}, new)


def _chosen(fit: Fit, index: Mapping[str, NDArray[np.int_]]) -> Sites:
    """Take the members of groups out of the draws that a layout knows."""
    groups = grouped_sites(fit.model)
    found = {}
    for name, values in fit.sites().items():
        at = index.get(groups.get(name, ""))
        found[name] = values if at is None else values[:, at]
    return found
