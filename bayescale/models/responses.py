"""Whether what a table measured is what a law of a quantity gives, in words."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bayescale.base.words import quoted
from bayescale.models.record import ModelRecord
from bayescale.parts.part import Noise
from bayescale.tables.frames import ACCURACY
from bayescale.tables.table import Table

ANY_UNIT = "of the response"  # of a law that any quantity may follow
BOUNDED_UNITS = (ACCURACY, "error")


def own_responses(model: ModelRecord, table: Table) -> list[str]:
    """List what a table measured of the law itself: all but scores behind a link."""
    units = table.benchmarks["unit"]
    return [str(name) for name in units.index if not (model.link and units[name] == ACCURACY)]


def item_problems(noise: Noise, table: Table, names: Iterable[str]) -> list[str]:
    """Say where a noise counts right answers of tests whose length is not known."""
    items = table.benchmarks["items"]
    unknown = [name for name in names if noise.counted and pd.isna(items[name])]
    if not unknown:
        return []
    text = (
        f"noise {noise.name} counts right answers, and how many items {quoted(unknown)} of table "
        f"{table.name} has is not known: choose another noise, such as beta"
    )
    return [text]


def unit_problems(model: ModelRecord, table: Table, others: pd.Index) -> list[str]:
    """Say what of a table is no score, where a model is of scores."""
    if not len(others):
        return []
    units = table.benchmarks["unit"]
    text = (
        f"{model.law.name} is of scores, and {quoted(others)} of table {table.name} is in "
        f"{quoted(sorted(set(units[others])))}: choose with table.select(benchmarks=[...]) "
        "(command line: --benchmark)"
    )
    return [text]


def response_problems(model: ModelRecord, table: Table, own: pd.Index) -> list[str]:
    """Say what is wrong with the responses that are to be the law's own."""
    law, units = model.law, table.benchmarks["unit"]
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
    if uncounted := item_problems(model.noise, table, own):
        return uncounted
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
