"""How checks of frames are made and worded: all problems at once, with their columns and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pa

from bayescale.base.errors import TableError
from bayescale.base.words import ROWS_NAMED, quoted, suggest

TRUE_WORDS = frozenset({"true", "yes", "1", "1.0"})
FALSE_WORDS = frozenset({"false", "no", "0", "0.0", ""})
NAMES_MATCHED = 20  # the nearest names are looked for, which takes long among thousands


@dataclass(frozen=True)
class Source:
    """Where a frame came from, so that a problem can name the file and the line."""

    file: str = ""
    row: str = "row"

    def problem(self, text: str) -> str:
        """Put the file's name before the text of a problem."""
        return f"{self.file}: {text}" if self.file else text


def fail(problems: Sequence[str]) -> None:
    """Raise one `TableError` that lists every problem; return when there is none."""
    unique = list(dict.fromkeys(problems))
    if len(unique) == 1:
        raise TableError(unique[0])
    if unique:
        lines = "\n".join(f"  {number}. {text}" for number, text in enumerate(unique, 1))
        raise TableError(f"{len(unique)} problems in the table:\n{lines}")


def where(frame: pd.DataFrame, bad: pd.Series, source: Source) -> str:
    """Name the first few rows of a mask by line or row number, with their run and benchmark."""
    rows = frame[bad]
    words = []
    for label, row in rows.head(ROWS_NAMED).iterrows():
        names = [f'{key} "{row[key]}"' for key in ("run", "benchmark") if key in frame.columns]
        words.append(f"{source.row} {label}" + (f" ({', '.join(names)})" if names else ""))
    more = f" and {len(rows) - ROWS_NAMED} more" if len(rows) > ROWS_NAMED else ""
    return ", ".join(words) + more


def missing_columns(frame: pd.DataFrame, required: Iterable[str], source: Source) -> list[str]:
    """Report required columns that are not there, with the likely misspelling."""
    problems = []
    for column in required:
        if column in frame.columns:
            continue
        hint = " (leave a field empty where it is unknown)" if column == "tokens" else ""
        problems.append(
            source.problem(
                f'no column "{column}"{suggest(column, map(str, frame.columns))}{hint}; '
                f"the columns are {quoted(frame.columns, most=12)}"
            )
        )
    return problems


def unknown_names(
    frame: pd.DataFrame, column: str, known: Iterable[str], source: Source
) -> list[str]:
    """Report rows of `frame` whose `column` holds a name that is not known."""
    known = list(known)
    problems = []
    strangers = frame[~frame[column].isin(known)]
    for number, (name, rows) in enumerate(strangers.groupby(column, sort=False)):
        if number == NAMES_MATCHED:
            more = strangers[column].nunique() - NAMES_MATCHED
            problems.append(source.problem(f"and {more} more unknown names of {column}s"))
            break
        lines = ", ".join(str(label) for label in rows.index[:ROWS_NAMED])
        problems.append(
            source.problem(
                f'unknown {column} "{name}" ({source.row} {lines})'
                f"{suggest(str(name), known)}; known: {quoted(known, most=15)}"
            )
        )
    return problems


def as_text(column: pd.Series) -> pd.Series:
    """Turn a column into text without spaces around it, "" where it is empty."""
    return column.astype("str").where(column.notna(), "").str.strip()


def to_numbers(frame: pd.DataFrame, column: str, source: Source, needed: bool = False) -> list[str]:
    """Turn a column into float64 in place (6*N*D overflows int64), NaN where it is empty."""
    if column not in frame.columns:
        frame[column] = float("nan")
        return []
    given = frame[column]
    # pandas would turn a bool into 0.0 or 1.0 without a word.
    numbers = pd.to_numeric(given.astype("object"), errors="coerce").astype("float64")
    empty = given.isna() | (given.astype("str").str.strip() == "")
    bad = numbers.isna() & ~empty
    frame[column] = numbers
    problems = []
    if needed and empty.any():
        rows = where(frame, empty, source)
        problems.append(source.problem(f'column "{column}": is empty: {rows}'))
    if bad.any():
        rows = where(frame, bad, source)
        problems.append(
            source.problem(
                f'column "{column}": {quoted(given[bad])} is not a number; write plain numbers '
                f"such as 7e9: {rows}"
            )
        )
    return problems


def to_bools(frame: pd.DataFrame, column: str, source: Source) -> list[str]:
    """Turn a column of words such as "yes" into bool in place, False where it is not there."""
    if column not in frame.columns:
        frame[column] = False
        return []
    words = as_text(frame[column]).str.lower()
    bad = ~words.isin(TRUE_WORDS | FALSE_WORDS)
    frame[column] = words.isin(TRUE_WORDS)
    if not bad.any():
        return []
    return [
        source.problem(
            f'column "{column}": {quoted(words[bad])} is neither true nor false: '
            f"{where(frame, bad, source)}"
        )
    ]


def schema_problems(schema: pa.DataFrameSchema, frame: pd.DataFrame, source: Source) -> list[str]:
    """Check the columns that are there, and word each failed check with its rows."""
    if frame.empty:
        return [source.problem("the table is empty: it has a header but no rows")]
    # A wide line becomes several score rows with one label: positions tell them apart.
    numbered = frame.reset_index(drop=True)
    try:
        schema.validate(numbered, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return []
    problems = []
    for (column, check), group in cases.groupby(["column", "check"], sort=False):
        bad = pd.Series(numbered.index.isin(group["index"]), index=frame.index)
        text = "is given twice" if check == "field_uniqueness" else check
        values = ", ".join(dict.fromkeys(map(_plain, group["failure_case"][:ROWS_NAMED])))
        rows = where(frame, bad, source)
        problems.append(source.problem(f'column "{column}": {values} {text}: {rows}'))
    return problems


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return f'"{value}"'


def rule(test: Callable[[pd.Series], pd.Series], error: str) -> pa.Check:
    """Return a check of the values of a column that are there, and its words."""
    return pa.Check(test, error=error, ignore_na=True)
