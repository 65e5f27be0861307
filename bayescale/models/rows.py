"""`Rows`: the arrays that a law of a quantity sees, made from a Table.

A run is one point where something was measured: its inputs, the groups it belongs to, and on each
benchmark (a loss, a score) what was seen. A value that is missing, or held out, has weight zero,
and nothing about a fit depends on it. Members of groups beyond those of the fit come after the
known.

Longer than 400 lines for the words that tell each bad input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.base.errors import ModelError
from bayescale.models.design import grid_positions
from bayescale.models.record import ModelRecord as Model
from bayescale.models.record import group_names
from bayescale.parts.inputs import Input, Schedule
from bayescale.tables.table import Table
from bayescale.tables.validation import quoted, suggest

SCORE_UNIT = "accuracy"
ANY_UNIT = "of the response"  # of a law that any quantity may follow
BOUNDED_UNITS = ("accuracy", "error")
SHARES_OFF = 1e-3  # how far from one the shares of a mixture may sum
Floats = NDArray[np.float64]
# What a table gives for an input that it has no column of.
DERIVED: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "tokens": lambda runs: runs["flops"] / (6 * runs["params_active"].fillna(runs["params"])),
    "multiplier": lambda runs: runs["tokens"] / runs["params"],
    "params_active": lambda runs: runs["params_active"].fillna(runs["params"]),
    "unique_tokens": lambda runs: runs["tokens"],
}


@partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        "inputs",
        "groups",
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
    ),
    meta_fields=("members", "linked"),
)
@dataclass(frozen=True)
class Rows:
    """Arrays of a table, runs by benchmarks.

    Parameters
    ----------
    inputs
        For each input of the law its values over those of the reference run, shape (run,); a
        mixture has shape (run, domain), a series is a `Schedule`.
    groups
        For each pooled group the index of each run's member, shape (run,).
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
        For each group its name, how many members were in the fit, and how many there are.
    linked
        For each benchmark whether it is a score behind the link, or the law's own response.
    """

    inputs: dict[str, Any]
    groups: dict[str, Any]
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

    def counts(self, group: str) -> tuple[int, int]:
        """Give how many members of a group were in the fit, and how many there are."""
        if group == "benchmark":
            return len(self.own), len(self.own)
        return next((known, total) for name, known, total in self.members if name == group)

    def with_weights(self, weights: Any) -> Rows:
        """Return the same rows with other weights, as if the other values were not there."""
        previous, gap = _neighbours(self.order, self.groups.get("_within"), np.asarray(weights))
        return dataclasses.replace(self, weights=weights, previous=previous, gap=gap)


def make_rows(model: Model, table: Table, known: Mapping[str, Sequence[str]] | None = None) -> Rows:
    """Lay a table out for a law of a quantity.

    Parameters
    ----------
    model
        Its law says which inputs it needs, its pooling which groups; it must have a reference for
        every input that is divided by one.
    table
        The table; every value has weight one.
    known
        For each group the members of the fit that is asked; those of the table by default. Others
        come after them.

    Returns
    -------
    Rows

    Raises
    ------
    ModelError
        An input is missing, empty or not positive, a mixture does not sum to one, a group is
        missing, or no benchmark measures what the law gives. All problems are named at once.
    """
    runs, marks = table.runs, table.benchmarks
    columns, problems = _columns(model, table)
    linked = tuple(bool(model.link) and unit == SCORE_UNIT for unit in marks["unit"])
    problems += _response_problems(model, table, marks.index[~np.array(linked)])
    names = group_names(model)
    for name in names:
        if name not in table.groups:
            problems.append(
                f'pooling needs a column "{name}" of groups{suggest(name, table.groups)}; add it, '
                f"or pool over one with several members of table {table.name}: "
                f"{quoted([g for g in table.groups if runs[g].nunique() > 1]) or 'it has none'}"
            )
    if model.along and model.along.by not in table.inputs:
        problems.append(
            f'[along] needs a column "{model.along.by}" of numbers'
            f"{suggest(model.along.by, table.inputs)}; table {table.name} has "
            f"{quoted(table.inputs)}"
        )
    elif model.along and not (runs[model.along.by] > 0).all():
        problems.append(f'[along] needs positive numbers in column "{model.along.by}" of every run')
    _fail(problems)
    row, column = grid_positions(table)
    shape = (len(runs), len(marks))
    scores, weights, stderr = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    scores[row, column] = table.scores["score"]
    weights[row, column] = 1.0
    stderr[row, column] = table.scores["stderr"]
    fitted = known or {name: members(table, name) for name in names}
    index = {name: list(dict.fromkeys([*fitted[name], *members(table, name)])) for name in names}
    groups = {name: pd.Index(index[name]).get_indexer(runs[name]) for name in names}
    order = np.zeros(len(runs))
    if model.along:
        groups["_within"] = groups[model.along.within]
        order = np.log(runs[model.along.by].to_numpy(float))
    rows = Rows(
        inputs={name: at_reference(model, name, values) for name, values in columns.items()},
        groups=groups,
        chance=marks["chance"].fillna(0.0).to_numpy(float),
        top=marks["ceiling"].fillna(1.0).to_numpy(float),
        items=marks["items"].fillna(np.inf).to_numpy(float),
        resolution=marks["resolution"].to_numpy(float),
        stderr=stderr,
        scores=scores,
        weights=weights,
        order=order,
        previous=np.full(shape, -1),
        gap=np.zeros(shape),
        members=tuple((name, len(fitted[name]), len(index[name])) for name in names),
        linked=linked,
    )
    return rows.with_weights(weights)


def members(table: Table, group: str) -> list[str]:
    """List the members of a group, sorted."""
    return sorted(table.runs[group].unique())


def reference_run(model: Model, table: Table) -> dict[str, float]:
    """Give the geometric mean of each input that the law wants over that of a reference run.

    Raises
    ------
    ModelError
        An input is missing, empty or not positive.
    """
    columns, problems = _columns(model, table)
    _fail(problems)
    owners = {column.name for column in model.law.columns if column.reference == column.name}
    return {
        name: float(f"{_geometric_mean(values):.4g}")
        for name, values in columns.items()
        if name in owners
    }


def _geometric_mean(values: Any) -> float:
    rates = values.rates[values.rates > 0] if isinstance(values, Schedule) else values
    return float(np.exp(np.mean(np.log(rates))))


def at_reference(model: Model, name: str, values: Any) -> Any:
    """Divide an input by the reference run's; a schedule's rates, for a series."""
    column = next(column for column in model.law.columns if column.name == name)
    if column.reference is None:
        return values
    if isinstance(values, Schedule):
        return dataclasses.replace(values, rates=values.rates / model.reference[column.reference])
    return values / model.reference[column.reference]


def _response_problems(model: Model, table: Table, own: pd.Index) -> list[str]:
    """Say what is wrong with the responses that are to be the law's own."""
    law, marks, units = model.law, table.benchmarks, table.benchmarks["unit"]
    bounded = [name for name in own if units[name] in BOUNDED_UNITS]
    choose = "choose with table.select(benchmarks=[...]) (command line: --benchmark)"
    if law.response != "error" and law.unit != ANY_UNIT and bounded:
        link = ", or give the card a [score] link" if law.response == "loss" else ""
        text = (
            f"{law.name} gives a {law.response}, and {quoted(bounded)} of table {table.name} is "
            f"{', '.join(sorted(set(units[bounded])))}: {choose}{link}"
        )
        return [text]
    if not len(own):
        text = (
            f"{law.name} gives a {law.response}, and table {table.name} has none: its responses "
            f"are {quoted(table.benchmarks.index)}"
        )
        return [text]
    pooled = any(r.group == "benchmark" for rules in model.pooling.values() for r in rules)
    if len(own) > 1 and not pooled:
        text = (
            f"{law.name} gives one {law.response}, and table {table.name} has {len(own)}: "
            f"{quoted(own)}; {choose}, or pool a coefficient over benchmark"
        )
        return [text]
    scores = table.scores[table.scores["benchmark"].isin(own)]
    if model.noise.counted and (unknown := [name for name in own if pd.isna(marks["items"][name])]):
        text = (
            f"noise {model.noise.name} counts right answers, and how many items {quoted(unknown)} "
            f"of table {table.name} has is not known: choose another noise, such as beta"
        )
        return [text]
    if model.noise.bounded and not scores["score"].between(0, 1).all():
        text = (
            f"noise {model.noise.name} is of shares from 0 to 1, and {quoted(own)} of table "
            f'{table.name} has values outside: choose another noise, such as "student-t-log"'
        )
        return [text]
    wrong = scores["score"] <= 0
    why = (
        "is not positive, and the noise is of positive values (of a log, give the value itself; "
        'else choose another noise, such as "normal")'
    )
    if not model.noise.positive or not wrong.any():
        wrong = scores["benchmark"].isin(bounded) & (scores["score"] > 1)
        why = "is above 1: is it percent? divide by 100"
    if not wrong.any():
        return []
    some = [f"{run} ({value:g})" for run, value in scores.loc[wrong, ["run", "score"]].to_numpy()]
    return [f"{quoted(own)} of table {table.name} {why}: {quoted(some)}"]


def _fail(problems: list[str]) -> None:
    if problems:
        raise ModelError("\n".join(dict.fromkeys(problems)))


def _columns(model: Model, table: Table) -> tuple[dict[str, Any], list[str]]:
    """Take the law's inputs from the table, in the table's units, and list what is wrong."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    for column in model.law.columns:
        given = model.inputs.get(column.name, column.name)
        if column.kind == "series":
            values, wrong = _schedule(model, table, given)
        elif column.kind == "mixture":
            values, wrong = _mixture(table, given)
        else:
            values, wrong = _numbers(model, table, column, given)
        found[column.name] = values
        problems += wrong
    return found, problems


def as_read(runs: pd.DataFrame, name: str) -> pd.Series:
    """Give an input as a law reads it: where runs lack it, from what they have."""
    filled = runs.assign(tokens=runs["tokens"].fillna(DERIVED["tokens"](runs)))
    given = filled[name] if name in filled else pd.Series(np.nan, index=runs.index)
    return given.fillna(DERIVED[name](filled)) if name in DERIVED else given


def _numbers(model: Model, table: Table, column: Input, given: str) -> tuple[Floats, list[str]]:
    runs = table.runs
    series = as_read(runs.drop(columns=list(table.groups)), given)
    if given not in table.inputs and series.isna().all():
        text = (
            f'{model.law.name} needs {column.meaning or column.name} in a column "{given}"'
            f"{suggest(given, table.inputs)}; table {table.name} has "
            f"{quoted(table.inputs, most=12)}; where it has another name, say inputs = "
            f"{{{column.name!r}: COLUMN}} (command line: --input {column.name}=COLUMN)"
        )
        return np.ones(len(runs)), [text]
    values = series.to_numpy(float)
    flag = column.kind == "flag"
    bad = ~np.isin(values, (0.0, 1.0)) if flag else ~(np.isfinite(values) & (values > 0))
    if not bad.any():
        return values, []
    what = "0 or 1" if flag else "a positive number"
    text = (
        f'{model.law.name} needs {what} in column "{given}" of every run; table {table.name} has '
        f"{bad.sum()} without: {quoted(_named(table, bad, values))}"
    )
    return np.where(bad, 1.0, values), [text]


def _named(table: Table, bad: NDArray[np.bool_], values: Floats) -> list[str]:
    pairs = zip(table.runs.index[bad], values[bad], strict=True)
    return [f"{run} ({'empty' if np.isnan(value) else f'{value:g}'})" for run, value in pairs]


def _mixture(table: Table, given: str) -> tuple[Floats, list[str]]:
    columns = [name for name in table.inputs if name.startswith(f"{given}_")]
    if len(columns) < 2:
        text = (
            f'a mixture needs columns "{given}_..." of shares, one for each domain; table '
            f"{table.name} has {quoted(table.inputs, most=12)}"
        )
        return np.full((len(table.runs), 2), 0.5), [text]
    shares = table.runs[columns].to_numpy(float)
    total = shares.sum(axis=1)
    bad = ~((np.abs(total - 1) <= SHARES_OFF) & (shares >= 0).all(axis=1))
    if not bad.any():
        return shares / total[:, None], []
    text = (
        f"shares of a mixture are at least 0 and sum to one; those of {quoted(columns)} do not in "
        f"{bad.sum()} runs of table {table.name}, with their sums: "
        f"{quoted(_named(table, bad, total))}; give shares of all that a run was trained on"
    )
    return np.full(shares.shape, 1 / len(columns)), [text]


def _schedule(model: Model, table: Table, given: str) -> tuple[Any, list[str]]:
    """Pad the series that runs refer to; each run stands at a node of its step.

    A step between nodes becomes a node, of the rate that holds there. A series has a row for each
    set of members that its runs are of, so that no coefficient differs between the runs of one row.
    """
    if given not in table.groups or "step" not in table.inputs or table.series.empty:
        text = (
            f'a series needs a column "{given}" that names a series, a column "step", and a frame '
            f"of series (series, step, value); table {table.name} has {quoted(table.groups)}, "
            f"{quoted(table.inputs)} and {table.series['series'].nunique()} series"
        )
        return None, [text]
    names = members(table, given)
    known = dict(iter(table.series.groupby("series")))
    if unknown := [name for name in names if name not in known]:
        return None, [f"table {table.name} has no series {quoted(unknown)}"]
    of = pd.Categorical(table.runs[given], categories=names).codes.astype(int)
    at = table.runs["step"].to_numpy(float)
    node, problems = np.zeros(len(at), int), []
    nodes: list[tuple[Floats, Floats]] = []
    for i, name in enumerate(names):
        told, rate = (known[name][column].to_numpy(float) for column in ("step", "value"))
        here = of == i
        outside = here & ~((at > told[0]) & (at <= told[-1]))
        if outside.any():
            problems.append(
                f'series "{name}" tells the steps after {told[0]:g}, to {told[-1]:g}; outside are '
                f"the runs {quoted(table.runs.index[outside])}"
            )
            continue
        step = np.union1d(told, at[here])
        node[here] = np.searchsorted(step, at[here])
        nodes.append((step, rate[np.searchsorted(told, step)]))
    if problems:
        return None, problems
    longest = max(len(step) for step, _ in nodes)
    steps, rates = (
        np.stack([np.pad(values, (0, longest - len(values)), mode="edge") for values in series])
        for series in zip(*nodes, strict=True)
    )
    told_apart = [name for name in group_names(model) if name in table.groups]
    row = table.runs.groupby(list(dict.fromkeys([given, *told_apart]))).ngroup().to_numpy()
    _, first = np.unique(row, return_index=True)
    return Schedule(rates=rates[of[first]], steps=steps[of[first]], row=row, node=node), []


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
