"""A table laid out for a model: its reference run, and its arrays."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import tomli_w
from numpy.typing import NDArray

from bayescale.base.errors import ModelError
from bayescale.base.words import quoted, suggest
from bayescale.models.cells import cells_beyond, known_cells, lay_out_cells
from bayescale.models.dates import years_from_reference
from bayescale.models.grid import WITHIN, Grid
from bayescale.models.inputs import at_reference, fail, read_inputs, reference_run
from bayescale.models.plan import RUN, UNKNOWN, plan
from bayescale.models.record import ModelRecord, group_names
from bayescale.models.responses import item_problems, response_problems, unit_problems
from bayescale.models.values import UNKNOWN_TOKENS
from bayescale.parts.drift import CELL, RELEASED
from bayescale.tables.frames import ACCURACY
from bayescale.tables.table import Table, grid_positions, group_columns, members

M = TypeVar("M", bound=ModelRecord)


def lay_out(
    model: ModelRecord,
    table: Table,
    known: Mapping[str, Sequence[str]] | None = None,
    anchors: Sequence[str] | None = None,
) -> Grid:
    """Lay a table out for a model.

    Parameters
    ----------
    model
        Its law says which inputs it needs, its pooling which groups.
    table
        The table; every value has weight one.
    known
        For each group the members of the fit that is asked, in the order of its draws, "run"
        included; those of the table by default. Others come after them.
    anchors
        The anchor benchmark of each skill; by default those that the table can measure.

    Returns
    -------
    Grid

    Raises
    ------
    ModelError
        `table` is no table; an input is missing, empty or not positive, a mixture does not sum to
        one, a group is missing, or no benchmark measures what the law gives. All problems are named
        at once.
    """
    model = on_table(model, table)
    of_scores = model.of_leaderboard  # which closed models have too, whose tokens nobody knows
    table, unknown = with_usual_tokens(table) if of_scores else (table, [])
    marks, names = table.benchmarks, group_names(model)
    inputs, problems = read_inputs(model, table)
    scores = (marks["unit"] == ACCURACY).to_numpy()
    linked = scores if model.link is not None else np.zeros(len(marks), bool)
    if of_scores:
        problems += unit_problems(model, table, marks.index[~linked])
    else:
        problems += response_problems(model, table, marks.index[~linked])
    if linked.any():
        noise = model.score_noise or model.noise
        problems += item_problems(noise, table, marks.index[linked])
    own = {*group_columns(table), *({RUN} if of_scores else ())}
    fail(problems + _group_problems(model, table, own))
    row, column = grid_positions(table)
    shape = (len(table.runs), len(marks))
    values, weights, stderr = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    values[row, column] = table.scores["score"]
    weights[row, column] = 1.0
    stderr[row, column] = table.scores["stderr"]
    fitted = {name: list((known or {}).get(name, _members(table, name))) for name in names}
    index = {n: list(dict.fromkeys([*fitted[n], *_members(table, n)])) for n in names}
    groups = {n: pd.Index(index[n]).get_indexer(_column(table, n)) for n in names if n != RUN}
    order = np.zeros(len(table.runs))
    if model.along:
        groups[WITHIN] = groups[model.along.within]
        order = np.log(table.runs[model.along.by].to_numpy(float))
    sizes = [(name, len(fitted[name]), len(index[name])) for name in names]
    scaled = _scaled(model, table, inputs)
    have = list((known or {}).get(CELL, known_cells(model, scaled, groups, index)))
    beyond = [] if known is None else cells_beyond(model, have, index)
    if model.drift:
        sizes.append((CELL, len(have), len(have) + len(beyond)))
    runs = table.runs.index if known is None else known.get(RUN, ())
    known_unknown = int(table.runs.index[unknown].isin(list(runs)).sum())
    chosen = model.anchors(table).values() if anchors is None else anchors
    told = {site.group for site in plan(model).told()} - {RUN}
    grid = Grid(
        inputs=scaled,
        groups=groups,
        middle={group: dict.fromkeys(scaled, np.zeros(0)) for group in sorted(told)},
        unknown=np.asarray(unknown, int),
        chance=marks["chance"].fillna(0.0).to_numpy(float),
        top=marks["ceiling"].fillna(1.0).to_numpy(float),
        items=marks["items"].fillna(np.inf).to_numpy(float),
        resolution=marks["resolution"].to_numpy(float),
        stderr=stderr,
        scores=values,
        weights=weights,
        order=order,
        previous=np.full(shape, -1),
        gap=np.zeros(shape),
        cells=lay_out_cells(model, have, beyond, scaled, index),
        within={group: _holders(model, group, groups, fitted) for group in sorted(told)},
        members=(*sizes, (UNKNOWN, known_unknown, len(unknown))),
        linked=tuple(bool(of_score) for of_score in linked),
        anchors=tuple(list(marks.index).index(name) for name in chosen),
        absolute=(*(c.name for c in model.law.columns if c.reference is None), RELEASED),
    )
    return grid.with_weights(weights)


def fitted_members(model: ModelRecord, table: Table) -> dict[str, list[str]]:
    """List the members of each group in the order of a fit's draws.

    Runs, runs of unknown tokens and cells of drifts are told too.
    """
    found = {name: _members(table, name) for name in {*group_names(model), RUN}}
    whole, unknown = with_usual_tokens(table) if model.of_leaderboard else (table, [])
    groups = {n: pd.Index(found[n]).get_indexer(_column(table, n)) for n in found}
    scaled = _scaled(model, whole, read_inputs(model, whole)[0]) if model.drift else {}
    cells = known_cells(model, scaled, groups, found)
    return found | {CELL: cells, UNKNOWN: list(table.runs.index[unknown])}


def _holders(
    model: ModelRecord,
    group: str,
    groups: Mapping[str, NDArray[np.intp]],
    fitted: Mapping[str, Sequence[str]],
) -> dict[str, NDArray[np.int_]]:
    """Say which member of other groups holds all runs of each member of the fit; -1 for none."""
    found = {}
    for other in plan(model).holders(group):
        pairs = pd.DataFrame({"member": groups[group], "holder": groups[other]})
        each = pairs.groupby("member")["holder"].agg(["first", "nunique"])
        alone = each.loc[each["nunique"] == 1, "first"]
        found[other] = alone.reindex(range(len(fitted[group])), fill_value=-1).to_numpy(int)
    return found


def on_table(model: M, table: Table) -> M:
    """Give the model with a reference run: geometric means of the table's inputs.

    Parameters
    ----------
    model
        The model.
    table
        Only its inputs are looked at, never what was measured.

    Returns
    -------
    ModelRecord
        Itself, where its card says everything.

    Raises
    ------
    ModelError
        `table` is no table, or an input is missing, empty or not positive.
    """
    if not isinstance(table, Table):
        raise ModelError(
            f"a Table is needed, not {table!r:.80}: load_table gives a bundled one by name, "
            "read_table one of your own, Table.from_wide or Table.from_long one from a frame"
        )
    owners = {c.reference for c in model.law.columns if c.reference}
    if owners <= set(model.reference):
        return model
    found = reference_run(model, table)
    missing = {name: value for name, value in found.items() if name not in model.reference}
    card = tomllib.loads(model.card)
    card["reference"] = {**card.get("reference", {}), **missing}
    return replace(model, reference={**model.reference, **missing}, card=tomli_w.dumps(card))


def with_usual_tokens(table: Table) -> tuple[Table, list[int]]:
    """Fill in tokens, from FLOPs or by their prior's median; and the places of these last."""
    runs = table.runs
    active = runs["params_active"].fillna(runs["params"])
    tokens = runs["tokens"].fillna(runs["flops"] / (6 * active))
    unknown = np.flatnonzero(tokens.isna())
    tokens = tokens.fillna(UNKNOWN_TOKENS[0])
    flops = runs["flops"].fillna(6 * active * tokens)
    return replace(table, runs=runs.assign(tokens=tokens, flops=flops)), list(unknown)


def padded(count: int) -> int:
    """Give the next power of two, or none."""
    return int(2 ** np.ceil(np.log2(count))) if count else 0


def filled(index: Sequence[int] | NDArray[np.int_]) -> NDArray[np.int_]:
    """Repeat the last of a list until it has the padded length."""
    found = np.asarray(index, int)
    return found[np.minimum(np.arange(padded(len(found))), len(found) - 1)]


def _scaled(model: ModelRecord, table: Table, inputs: Mapping[str, Any]) -> dict[str, Any]:
    dates = {RELEASED: years_from_reference(model, table)} if RELEASED in model.drift else {}
    return {name: at_reference(model, name, given) for name, given in inputs.items()} | dates


def _column(table: Table, group: str) -> Any:
    return table.runs.index if group == RUN else table.runs[group].astype(str)


def _members(table: Table, group: str) -> list[str]:
    """List members in the order of draws: runs as the table has them, others sorted."""
    return list(table.runs.index) if group == RUN else members(table, group)


def _group_problems(model: ModelRecord, table: Table, known: set[str]) -> list[str]:
    problems = []
    for name in group_names(model):
        if name not in known:
            several = [g for g in table.groups if table.runs[g].nunique() > 1]
            problems.append(
                f'pooling needs a column "{name}" of groups{suggest(name, table.groups)}; add it, '
                f"or pool over one with several members of table {table.name}: "
                f"{quoted(several) or 'it has none'}"
            )
    if model.along and model.along.by not in table.inputs:
        problems.append(
            f'[along] needs a column "{model.along.by}" of numbers'
            f"{suggest(model.along.by, table.inputs)}; table {table.name} has "
            f"{quoted(table.inputs)}"
        )
    elif model.along and not (table.runs[model.along.by] > 0).all():
        problems.append(f'[along] needs positive numbers in column "{model.along.by}" of every run')
    return problems
