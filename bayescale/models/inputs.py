"""The inputs of a law, taken from a table's columns; each bad one is told in words."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.base.errors import ModelError
from bayescale.base.intervals import Floats
from bayescale.base.words import quoted, suggest
from bayescale.models.record import ModelRecord, group_names
from bayescale.parts.inputs import Input, Schedule
from bayescale.tables.compute import as_read
from bayescale.tables.table import Table, members

SHARES_OFF = 1e-3  # how far from one the shares of a mixture may sum


def read_inputs(model: ModelRecordRecord, table: Table) -> tuple[dict[str, Any], list[str]]:
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


def _numbers(model: ModelRecordRecord, table: Table, column: Input, given: str) -> tuple[Floats, list[str]]:
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


def _schedule(model: ModelRecordRecord, table: Table, given: str) -> tuple[Any, list[str]]:
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


def reference_run(model: ModelRecordRecord, table: Table) -> dict[str, float]:
    """Give the geometric mean of each input that the law wants over that of a reference run.

    Raises
    ------
    ModelError
        An input is missing, empty or not positive.
    """
    columns, problems = read_inputs(model, table)
    fail(problems)
    owners = {column.name for column in model.law.columns if column.reference == column.name}
    return {
        name: float(f"{_geometric_mean(values):.4g}")
        for name, values in columns.items()
        if name in owners
    }


def _geometric_mean(values: Any) -> float:
    rates = values.rates[values.rates > 0] if isinstance(values, Schedule) else values
    return float(np.exp(np.mean(np.log(rates))))


def at_reference(model: ModelRecordRecord, name: str, values: Any) -> Any:
    """Divide an input by the reference run's; a schedule's rates, for a series."""
    column = next(column for column in model.law.columns if column.name == name)
    if column.reference is None:
        return values
    if isinstance(values, Schedule):
        return dataclasses.replace(values, rates=values.rates / model.reference[column.reference])
    return values / model.reference[column.reference]


def fail(problems: list[str]) -> None:
    """Raise one error that names every problem; return when there is none."""
    if problems:
        raise ModelError("\n".join(dict.fromkeys(problems)))
