"""`Asked`: checked queries of a fit, laid out, whose unknown inputs differ by draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bayescale.base.between import Between, drawn_between
from bayescale.base.intervals import Floats
from bayescale.base.words import told
from bayescale.inference.posterior import Posterior
from bayescale.models.evaluate import Evaluation
from bayescale.models.plan import RUN
from bayescale.models.record import ModelRecord, group_names
from bayescale.parts.drift import RELEASED
from bayescale.predict.layout import FAMILY, Layout
from bayescale.tables.table import Table

UNCHECKED = "an extrapolation that no measurement checks"
COUNTS = ("params", "params_active", "tokens", "flops")
OF_A_RUN = (FAMILY, "params", "params_active", "tokens")  # of a leaderboard
FAR = 3.0  # times the range of an input, in both directions: worth a word


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries of a fit.

    Parameters
    ----------
    frame
        A row each: what was given, and what that says of the family and the run.
    layout
        Their layout.
    doubts
        Sentences to read with whatever is made of them.
    drawn
        Inputs that are not known, as draws, shape (draw, query).
    """

    frame: pd.DataFrame
    layout: Layout
    doubts: tuple[str, ...]
    drawn: Mapping[str, Floats] = field(default_factory=dict)

    def evaluate(
        self, seed: int, changed: Mapping[str, Floats] | None = None, *, one_run: bool = False
    ) -> Evaluation:
        """Run the model forward; see `Layout.evaluate`."""
        return self.layout.evaluate(seed, {**self.drawn, **(changed or {})}, one_run=one_run)

    def expected(
        self, seed: int, changed: Mapping[str, Floats] | None = None, *, one_run: bool = False
    ) -> Floats:
        """Give expected values alone; see `Layout.expected`."""
        return self.layout.expected(seed, {**self.drawn, **(changed or {})}, one_run=one_run)


def query_columns(model: ModelRecord, table: Table) -> list[str]:
    """List the columns that a query to a fit may have.

    A run of a leaderboard has scores of its own to be asked for by name, and a new one is told by
    its size and data, from which its compute follows; a law is asked at its inputs.
    """
    if model.of_leaderboard:
        date = [RELEASED] if RELEASED in model.drift else []
        return [RUN, *OF_A_RUN, *date, *own_inputs(model), *own_groups(model)]
    wanted = [model.inputs.get(name, name) for name in model.law.inputs]
    groups = [*table.groups, *group_names(model)]
    return list(dict.fromkeys([*wanted, *table.inputs, *groups, *COUNTS]))


def own_inputs(model: ModelRecord) -> list[str]:
    """List the columns that a law of scores reads beside params, tokens and FLOPs."""
    read = [model.inputs.get(name, name) for name in model.law.inputs]
    return [name for name in read if name not in (*COUNTS, "multiplier")]


def flags(model: ModelRecord) -> list[str]:
    """List those of them that are 0 or 1, such as whether a model was tuned."""
    kinds = {model.inputs.get(c.name, c.name): c.kind for c in model.law.columns}
    return [name for name in own_inputs(model) if kinds[name] == "flag"]


def own_groups(model: ModelRecord) -> list[str]:
    """List the groups that a model tells apart beside families and runs."""
    return [name for name in group_names(model) if name not in (FAMILY, RUN)]


def split_unknown(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, dict[int, Between]]]:
    """Put the middle in the place of each range, and give the ranges by column and row."""
    ranges: dict[str, dict[int, Between]] = {}
    plain = rows.copy()
    for name in map(str, rows):
        found = {i: v for i, v in enumerate(rows[name]) if isinstance(v, Between)}
        if found:
            ranges[name] = found
            values = [v.middle if isinstance(v, Between) else v for v in rows[name]]
            plain[name] = pd.Series(values, index=rows.index).infer_objects()
    return plain, ranges


def drawn_inputs(
    ranges: Mapping[str, Mapping[int, Between]], queries: pd.DataFrame, draws: int, seed: int
) -> dict[str, Floats]:
    """Draw unknown inputs; the same range of one input is one number, in all rows that give it."""
    found = {}
    for name, rows in ranges.items():
        values = np.tile(queries[name].to_numpy(float), (draws, 1))
        for i, given in rows.items():
            values[:, i] = drawn_between(given, draws, seed=seed, name=f"{name} {given}")
        found[name] = values
    return found


def beyond(name: str, values: Any, seen: Any) -> list[str]:
    """Say where values of an input lie far outside those that a fit has seen."""
    asked, known = (np.ravel(np.asarray(v, float)) for v in (values, seen))
    asked, known = asked[asked > 0], known[known > 0]
    if not len(asked) or not len(known):
        return []
    ends = (
        (asked.max(), asked.max() / known.max(), "beyond", known.max()),
        (asked.min(), known.min() / asked.min(), "below", known.min()),
    )
    return [
        f"{name} of {told(float(value))} is {times:.0f} times {where} the fit's "
        f"{told(float(end))}: {UNCHECKED}"
        for value, times, where, end in ends
        if times > FAR
    ]


def told_ranges(ranges: Mapping[str, Mapping[int, Between]]) -> list[str]:
    """Say which inputs are drawn from a range."""
    texts = dict.fromkeys(
        f"{name} not known: drawn between {str(given).replace('~', ' and ')}, any factor as likely"
        for name, rows in ranges.items()
        for given in rows.values()
    )
    return list(texts)


def as_table(fit: Posterior, queries: pd.DataFrame, names: Sequence[str]) -> Table:
    """Make a table without measurements of the queries, as far as a law looks at one."""
    runs = queries.reindex(columns=list(dict.fromkeys([*queries.columns, *COUNTS])))
    active = runs["params_active"].fillna(runs["params"])
    runs["flops"] = runs["flops"].fillna(6 * active * runs["tokens"])
    if RELEASED not in runs:
        runs[RELEASED] = ""
    for name in {*names, *fit.table.groups}:
        # A nameless member is new; no member of a table has an empty name.
        runs[name] = runs[name].fillna("").astype(str) if name in runs else ""
    nothing = fit.table.scores.iloc[:0]
    return Table(
        scores=nothing,
        runs=runs,
        benchmarks=fit.table.benchmarks,
        name="of queries",
        series=fit.table.series,
    )
