"""Curves that runs refer to by name, such as learning-rate schedules."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa

from bayescale.base.words import quoted, suggest
from bayescale.tables.validation import (
    Source,
    as_text,
    missing_columns,
    rule,
    schema_problems,
    to_numbers,
    where,
)

SERIES_COLUMNS = ("series", "step", "value")


def no_series() -> pd.DataFrame:
    """Return the frame of a table whose runs refer to no curve."""
    return pd.DataFrame({"series": [], "step": [], "value": []}).astype(
        {"series": "str", "step": "float64", "value": "float64"}
    )


def clean_series(frame: pd.DataFrame, source: Source) -> tuple[pd.DataFrame, list[str]]:
    """Bring curves to `series, step, value`, and list what is wrong with them."""
    problems = missing_columns(frame, SERIES_COLUMNS, source)
    problems += [
        source.problem(
            f'column "{column}" is none of curves{suggest(str(column), SERIES_COLUMNS)}; '
            f"they have {quoted(SERIES_COLUMNS)}"
        )
        for column in frame.columns
        if column not in SERIES_COLUMNS
    ]
    if problems or frame.empty:
        return no_series(), problems
    frame = frame[list(SERIES_COLUMNS)].assign(series=as_text(frame["series"]))
    for column in SERIES_COLUMNS[1:]:
        problems += to_numbers(frame, column, source, needed=True)
    problems += schema_problems(SERIES_SCHEMA, frame, source)
    bad = frame.groupby("series")["step"].diff() <= 0
    if bad.any():
        names = frame.loc[bad, "series"].unique()
        problems.append(
            source.problem(
                f'column "step": does not increase along series {quoted(names)}; sort its rows '
                f"and keep one for each step: {where(frame, bad, source)}"
            )
        )
    return frame.reset_index(drop=True), problems


def join_series(one: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Put two frames of curves together; also return the names that stand for two curves."""
    clashes = []
    shared = set(one["series"]) & set(other["series"])
    for name in sorted(shared):
        curves = [
            frame.loc[frame["series"] == name, ["step", "value"]].reset_index(drop=True)
            for frame in (one, other)
        ]
        if not curves[0].equals(curves[1]):
            clashes.append(name)
    new = other[~other["series"].isin(shared)]
    return pd.concat([one, new], ignore_index=True), clashes


FINITE = rule(lambda s: s.abs() < float("inf"), "is not finite")
SERIES_SCHEMA = pa.DataFrameSchema(
    {
        "series": pa.Column(str, rule(lambda s: s != "", "is empty")),
        "step": pa.Column(float, FINITE, nullable=True),
        "value": pa.Column(float, FINITE, nullable=True),
    }
)
