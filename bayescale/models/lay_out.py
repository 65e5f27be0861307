"""A table laid out for a model: its reference run and arrays; lengths that few programs serve."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import tomli_w
from numpy.typing import NDArray

from bayescale.base.errors import ModelError
from bayescale.models.design import Design, make_design
from bayescale.models.record import ModelRecord
from bayescale.models.rows import Rows, make_rows, reference_run
from bayescale.tables.table import Table

M = TypeVar("M", bound=ModelRecord)


def lay_out(model: ModelRecord, table: Table) -> Design | Rows:
    """Lay a table out for a model.

    Raises
    ------
    ModelError
        `table` is no table, or lacks a column that the law or the pooling needs.
    """
    _check(table)
    if model.of_leaderboard:
        return make_design(table, tuple(model.anchors(table).values()))
    return make_rows(on_table(model, table), table)


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
    _check(table)
    if model.of_leaderboard:
        return model
    found = reference_run(model, table)
    missing = {name: value for name, value in found.items() if name not in model.reference}
    if not missing:
        return model
    card = tomllib.loads(model.card)
    card["reference"] = {**card.get("reference", {}), **missing}
    return replace(model, reference={**model.reference, **missing}, card=tomli_w.dumps(card))


def _check(table: object) -> None:
    if not isinstance(table, Table):
        raise ModelError(
            f"a Table is needed, not {table!r:.80}: load_table gives a bundled one by name, "
            "read_table one of your own, Table.from_wide or Table.from_long one from a frame"
        )


def padded(count: int) -> int:
    """Give the next power of two, or none."""
    return int(2 ** np.ceil(np.log2(count))) if count else 0


def filled(index: Sequence[int] | NDArray[np.int_]) -> NDArray[np.int_]:
    """Repeat the last of a list until it has the padded length."""
    found = np.asarray(index, int)
    return found[np.minimum(np.arange(padded(len(found))), len(found) - 1)]
