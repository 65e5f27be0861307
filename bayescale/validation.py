"""What must hold of a table's frames; all problems are reported at once, with their rows."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pa

from bayescale.errors import TableError

TEXT_DEFAULTS = {"params_convention": "", "released": "", "lineage": ""}
RUN_COLUMNS = (
    "family",
    "params",
    "params_convention",
    "params_active",
    "tokens",
    "flops",
    "released",
    "lineage",
    "instruct",
)
RUN_REQUIRED = ("run", "family", "params", "tokens")
RUN_NUMBERS = ("params", "params_active", "tokens", "flops")
SCORE_COLUMNS = ("run", "benchmark", "score", "stderr")
BENCHMARK_DEFAULTS: dict[str, float | str] = {
    "chance": 0.0,
    "ceiling": 1.0,
    "items": float("nan"),
    "resolution": 0.0,
    "unit": "accuracy",
}
BENCHMARK_NUMBERS = ("chance", "ceiling", "items", "resolution")
MOE_COLUMN = "moe"
RUN_INPUTS = ("run", *RUN_COLUMNS, MOE_COLUMN)
STDERR_SUFFIX = "_stderr"
# Smaller than any trained network, larger than any count in billions or trillions.
LEAST_COUNT = 1e5
TRUE_WORDS = frozenset({"true", "yes", "1", "1.0"})
FALSE_WORDS = frozenset({"false", "no", "0", "0.0", ""})
ROWS_NAMED = 5


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


def suggest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ' (did you mean "x"?)' for the known name nearest to a misspelt one, or ''."""
    by_lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=cutoff)
    return f' (did you mean "{by_lower[near[0]]}"?)' if near else ""


def quoted(names: Iterable[object], most: int = ROWS_NAMED) -> str:
    """List the first few names in quotes and count the rest."""
    every = [f'"{name}"' for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


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


def score_columns(
    frame: pd.DataFrame, known: list[str] | None, source: Source
) -> tuple[list[str], list[str]]:
    """Find the columns of a wide frame that hold scores, and the columns that nothing explains.

    A column of text that resembles no known name is a note and is let be.
    """
    missing = missing_columns(frame, RUN_REQUIRED, source)
    others = [str(column) for column in frame.columns if column not in RUN_INPUTS]
    chosen, problems = [], list(missing)
    for column in others:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        # Strict for text, or a column "notes" would pass for a misspelt "tokens".
        cutoff = 0.6 if numeric and known is not None else 0.8
        hint = suggest(column, [*RUN_INPUTS, *(known or [])], cutoff)
        if known is not None and column in known:
            chosen.append(column)
        elif column.endswith(STDERR_SUFFIX) and column.removesuffix(STDERR_SUFFIX) in others:
            continue
        elif known is None and numeric and not hint:
            chosen.append(column)
        elif any(f'did you mean "{column}"' in problem for problem in missing):
            continue
        elif hint or numeric:
            problems.append(
                source.problem(
                    f'column "{column}" is neither a column of runs nor a known benchmark{hint}; '
                    "rename it or take it out"
                )
            )
    if not chosen and not problems:
        problems.append(source.problem("no column of benchmark scores"))
    return chosen, problems


def clean_runs(frame: pd.DataFrame, source: Source) -> tuple[pd.DataFrame, list[str]]:
    """Bring a runs frame to its standard columns and types, and list what is wrong with it."""
    problems = missing_columns(frame, RUN_REQUIRED, source)
    frame = frame.copy()
    for column in RUN_NUMBERS:
        problems += _to_numbers(frame, column, source, needed=column == "params")
    bad = frame["params_active"] > frame["params"]
    if bad.any():
        problems.append(
            source.problem(
                'column "params_active": is above params, the total; swap them: '
                f"{where(frame, bad, source)}"
            )
        )
    for column, default in TEXT_DEFAULTS.items():
        frame[column] = _text(frame[column]) if column in frame.columns else default
    for column in ("instruct", MOE_COLUMN):
        problems += _to_bools(frame, column, source)
    for column in ("run", "family"):
        if column in frame.columns:
            frame[column] = _text(frame[column])
    problems += _schema_problems(RUNS_SCHEMA, frame, source)
    return frame, problems


def clean_scores(frame: pd.DataFrame, source: Source) -> tuple[pd.DataFrame, list[str]]:
    """Bring a scores frame to `run, benchmark, score, stderr` and list what is wrong with it.

    A row whose score is empty is a missing score, so it is left out.
    """
    problems = missing_columns(frame, SCORE_COLUMNS[:3], source)
    frame = frame.copy()
    for column in ("score", "stderr"):
        problems += _to_numbers(frame, column, source)
    for column in ("run", "benchmark"):
        if column in frame.columns:
            frame[column] = _text(frame[column])
    if "score" in frame.columns:
        frame = frame[frame["score"].notna()]
    problems += _schema_problems(SCORES_SCHEMA, frame, source)
    if {"run", "benchmark"} <= set(frame.columns):
        pairs = frame.assign(line=frame.index.astype(str))
        pairs = pairs[pairs.duplicated(["run", "benchmark"], keep=False)]
        for (run, benchmark), rows in list(pairs.groupby(["run", "benchmark"], sort=False)):
            problems.append(
                source.problem(
                    f'run "{run}" has {len(rows)} scores on benchmark "{benchmark}" '
                    f"({source.row}s {', '.join(rows['line'])}); keep one"
                )
            )
    return frame, problems


def clean_benchmarks(frame: pd.DataFrame, source: Source) -> tuple[pd.DataFrame, list[str]]:
    """Bring a benchmarks frame to its standard columns and types, and list what is wrong."""
    problems = missing_columns(frame, ("benchmark",), source)
    frame = frame.copy()
    for column, default in BENCHMARK_DEFAULTS.items():
        if column not in frame.columns:
            frame[column] = default
    for column in BENCHMARK_NUMBERS:
        problems += _to_numbers(frame, column, source)
        frame[column] = frame[column].fillna(BENCHMARK_DEFAULTS[column])
    # A chance above one is percent, and told as such below.
    bad = (frame["chance"] >= frame["ceiling"]) & (frame["chance"] <= 1)
    frame["unit"] = _text(frame["unit"]).replace("", "accuracy")
    if "benchmark" in frame.columns:
        frame["benchmark"] = _text(frame["benchmark"])
    if bad.any():
        problems.append(
            source.problem(
                'column "chance": is not below the ceiling, so no score can be told from '
                f"guessing; correct one of them: {where(frame, bad, source)}"
            )
        )
    problems += _schema_problems(BENCHMARKS_SCHEMA, frame, source)
    return frame, problems


def unknown_names(
    frame: pd.DataFrame, column: str, known: Iterable[str], source: Source
) -> list[str]:
    """Report rows of `frame` whose `column` holds a name that is not known."""
    known = list(known)
    problems = []
    for name, rows in frame[~frame[column].isin(known)].groupby(column, sort=False):
        lines = ", ".join(str(label) for label in rows.index[:ROWS_NAMED])
        problems.append(
            source.problem(
                f'unknown {column} "{name}" ({source.row} {lines})'
                f"{suggest(str(name), known)}; known: {quoted(known, most=15)}"
            )
        )
    return problems


def _text(column: pd.Series) -> pd.Series:
    return column.astype("str").where(column.notna(), "").str.strip()


def _to_numbers(
    frame: pd.DataFrame, column: str, source: Source, needed: bool = False
) -> list[str]:
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


def _to_bools(frame: pd.DataFrame, column: str, source: Source) -> list[str]:
    if column not in frame.columns:
        frame[column] = False
        return []
    words = _text(frame[column]).str.lower()
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


def _schema_problems(schema: pa.DataFrameSchema, frame: pd.DataFrame, source: Source) -> list[str]:
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


def _check(test: Callable[[pd.Series], pd.Series], error: str) -> pa.Check:
    return pa.Check(test, error=error, ignore_na=True)


def _iso_date(column: pd.Series) -> pd.Series:
    parsed = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
    return parsed.notna() | (column == "")


FINITE = _check(lambda s: s.abs() < float("inf"), "is not finite")
POSITIVE = _check(lambda s: s > 0, "is not above zero")
NOT_EMPTY = _check(lambda s: s != "", "is empty")
IN_UNIT = _check(lambda s: (s >= 0) & (s <= 1), "is outside [0, 1]")


BILLIONS = _check(lambda s: (s <= 0) | (s >= LEAST_COUNT), "looks like billions: multiply by 1e9")
TRILLIONS = _check(lambda s: (s <= 0) | (s >= 100), "looks like trillions: multiply by 1e12")
TOKEN_BILLIONS = _check(
    lambda s: (s < 100) | (s >= LEAST_COUNT), "looks like billions: multiply by 1e9"
)

RUNS_SCHEMA = pa.DataFrameSchema(
    {
        "run": pa.Column(str, NOT_EMPTY, unique=True, required=False),
        "family": pa.Column(str, NOT_EMPTY, required=False),
        # Empty and unreadable params are reported where the column is read.
        "params": pa.Column(float, [FINITE, POSITIVE, BILLIONS], nullable=True),
        "params_active": pa.Column(float, [FINITE, POSITIVE, BILLIONS], nullable=True),
        "tokens": pa.Column(float, [FINITE, POSITIVE, TRILLIONS, TOKEN_BILLIONS], nullable=True),
        "flops": pa.Column(float, [FINITE, POSITIVE], nullable=True),
        "released": pa.Column(str, _check(_iso_date, "is not a date such as 2024-06-15")),
    }
)
SCORES_SCHEMA = pa.DataFrameSchema(
    {
        "run": pa.Column(str, NOT_EMPTY, required=False),
        "benchmark": pa.Column(str, NOT_EMPTY, required=False),
        "score": pa.Column(
            float,
            [
                _check(lambda s: s >= 0, "is below 0: scores lie in [0, 1]"),
                _check(
                    lambda s: s <= 1,
                    "is above 1: scores lie in [0, 1]; if these are percent, divide them by 100",
                ),
            ],
        ),
        "stderr": pa.Column(float, [FINITE, IN_UNIT], nullable=True),
    }
)
BENCHMARKS_SCHEMA = pa.DataFrameSchema(
    {
        "benchmark": pa.Column(str, NOT_EMPTY, unique=True, required=False),
        "chance": pa.Column(float, IN_UNIT),
        "ceiling": pa.Column(float, IN_UNIT),
        "items": pa.Column(float, POSITIVE, nullable=True),
        "resolution": pa.Column(float, IN_UNIT),
    }
)
