"""The frames of a table brought to their standard columns and types, with all that is wrong.

Longer than 400 lines since each frame's schema stands beside the words for what breaks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import pandera.pandas as pa

from bayescale.base.counts import LEAST_COUNT
from bayescale.base.words import quoted, suggest
from bayescale.tables.validation import (
    Source,
    as_text,
    missing_columns,
    rule,
    schema_problems,
    to_bools,
    to_numbers,
    where,
)

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
RUN_NUMBERS = ("params", "params_active", "tokens", "flops")
LEADERBOARD_REQUIRED = ("run", "family", "params", "tokens")
ONE_FAMILY = "all"  # of runs that are no leaderboard's and name no family
SCORE_COLUMNS = ("run", "benchmark", "score", "stderr")
STDERR_SUFFIX = "_stderr"
ACCURACY = "accuracy"
WORDS = ("instruct", "lineage", "params_convention")  # columns of every run that may be groups
BENCHMARK_DEFAULTS: dict[str, float | str] = {
    "chance": 0.0,
    "ceiling": 1.0,
    "items": float("nan"),
    "resolution": 0.0,
    "unit": ACCURACY,
}
BENCHMARK_NUMBERS = ("chance", "ceiling", "items", "resolution")
ACCURACY_ONLY = ("chance", "ceiling", "items")
MOE_COLUMN = "moe"
RUN_INPUTS = ("run", *RUN_COLUMNS, MOE_COLUMN)
# Scores, runs and benchmarks are joined into one frame, where a name stands for one column.
TAKEN = (*SCORE_COLUMNS[1:], *BENCHMARK_DEFAULTS)
MOST = 0.5  # a column with a larger share of numbers is one of numbers, with misprints


def is_leaderboard(benchmarks: pd.DataFrame | None) -> bool:
    """Whether a benchmark is an accuracy, as all are that name no unit."""
    if benchmarks is None or "unit" not in benchmarks.columns:
        return True
    return bool(as_text(benchmarks["unit"]).isin(["", ACCURACY]).any())


def required_of_runs(leaderboard: bool) -> tuple[str, ...]:
    """Columns without which runs cannot be read."""
    return LEADERBOARD_REQUIRED if leaderboard else ("run",)


def score_columns(
    frame: pd.DataFrame, benchmarks: pd.DataFrame | None, source: Source
) -> tuple[list[str], list[str]]:
    """Find the columns of a wide frame that hold scores, and the columns that nothing explains.

    A column of text that resembles no known name is a group or a note and is let be.
    """
    known = None if benchmarks is None else list(benchmarks["benchmark"])
    missing = missing_columns(frame, required_of_runs(is_leaderboard(benchmarks)), source)
    others = [c for c in map(str, frame.columns) if c not in RUN_INPUTS or c in (known or [])]
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


def long_scores(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """Turn columns of scores, and those of their standard errors, into rows."""
    parts = []
    for column in columns:
        part = pd.DataFrame({"run": frame["run"], "benchmark": column, "score": frame[column]})
        spread = column + STDERR_SUFFIX
        part["stderr"] = frame[spread] if spread in frame.columns else float("nan")
        parts.append(part)
    return pd.concat(parts)


def filled_columns(frame: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """Extra columns that can be groups or inputs: text with empty cells is a note, no group."""
    return [
        column
        for column in columns
        if column not in TAKEN
        and (pd.api.types.is_numeric_dtype(frame[column]) or as_text(frame[column]).ne("").all())
    ]


def split_responses(
    frame: pd.DataFrame, responses: Sequence[str], units: Mapping[str, str], source: Source
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, list[str]]:
    """Take a frame of runs apart into scores, runs and benchmarks."""
    frame = frame.rename(columns=lambda name: str(name).strip())
    problems = missing_columns(frame, responses, source)
    if not responses:
        problems.append(source.problem("response: name the column that was measured"))
    problems += [
        source.problem(
            f'units: "{name}" is no response{suggest(name, responses)}; '
            f"the responses are {quoted(responses)}"
        )
        for name in units
        if name not in responses
    ]
    if problems:
        return frame, frame, frame, problems
    if "run" not in frame.columns:
        frame.insert(0, "run", [str(number) for number in range(1, len(frame) + 1)])
    spreads = [response + STDERR_SUFFIX for response in responses]
    runs = frame.drop(columns=[*responses, *spreads], errors="ignore")
    benchmarks = pd.DataFrame(
        {
            "benchmark": list(responses),
            "unit": [units.get(response, "nats/token") for response in responses],
        }
    )
    return long_scores(frame, responses), runs, benchmarks, []


def clean_runs(
    frame: pd.DataFrame, source: Source, leaderboard: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Bring runs to the standard columns, then extra ones, and list what is wrong with them."""
    frame = frame.rename(columns=lambda name: str(name).strip())
    problems = []
    if len(twice := frame.columns[frame.columns.duplicated()].unique()):
        problems.append(source.problem(f"two columns are called {quoted(twice)}; rename one"))
        frame = frame.loc[:, ~frame.columns.duplicated()]
    problems += missing_columns(frame, required_of_runs(leaderboard), source)
    # Whether a mixture's compute is known matters where flops are compared across families.
    flags = ("instruct", MOE_COLUMN) if leaderboard else ("instruct",)
    extras = [c for c in frame.columns if c not in ("run", *RUN_COLUMNS, *flags)]
    if taken := [column for column in extras if column in TAKEN]:
        problems.append(
            source.problem(
                f"column {quoted(taken)}: is a name of a column of scores or benchmarks; rename it"
            )
        )
    for column in RUN_NUMBERS:
        problems += to_numbers(frame, column, source, leaderboard and column == "params")
    bad = frame["params_active"] > frame["params"]
    if bad.any():
        problems.append(
            source.problem(
                'column "params_active": is above params, the total; swap them: '
                f"{where(frame, bad, source)}"
            )
        )
    if not leaderboard and "family" not in frame.columns:
        frame["family"] = ONE_FAMILY
    for column, default in TEXT_DEFAULTS.items():
        frame[column] = as_text(frame[column]) if column in frame.columns else default
    for column in flags:
        problems += to_bools(frame, column, source)
    for column in ("run", "family"):
        if column in frame.columns:
            frame[column] = as_text(frame[column])
    for column in extras:
        problems += _clean_extra(frame, column, source)
    schema = runs_schema(leaderboard, [c for c in extras if frame[c].dtype == "float64"])
    problems += schema_problems(schema, frame, source)
    names = ["run"] if "run" in frame.columns else []
    known = [column for column in RUN_COLUMNS if column in frame.columns]
    moe = [MOE_COLUMN] if leaderboard else []
    return frame[[*names, *known, *extras, *moe]], problems


def _clean_extra(frame: pd.DataFrame, column: str, source: Source) -> list[str]:
    """Make a column float64, an input, or text, a group, in place."""
    given = frame[column]
    # A frame from a spreadsheet may hold numbers as objects.
    kind = pd.api.types.infer_dtype(given, skipna=True)
    if pd.api.types.is_numeric_dtype(given) or kind in (
        "integer",
        "floating",
        "mixed-integer-float",
        "boolean",
        "decimal",
        "empty",
    ):
        return to_numbers(frame, column, source)
    words = as_text(given)
    frame[column] = words
    empty = words == ""
    numbers = pd.to_numeric(words[~empty], errors="coerce").notna()
    misprints = ~empty & ~numbers.reindex(words.index, fill_value=False)
    if numbers.mean() > MOST and misprints.any():
        return [
            source.problem(
                f'column "{column}": {quoted(words[misprints].unique())} is not a number as the '
                "others are; write plain numbers such as 7e9, or words throughout where the "
                f"column is a group: {where(frame, misprints, source)}"
            )
        ]
    if not empty.any():
        return []
    also = " (as NA and None are in a CSV file)" if source.row == "line" else ""
    return [
        source.problem(
            f'column "{column}": is empty{also}, and a column of words is a group that each run '
            f"belongs to; fill it in or take the column out: {where(frame, empty, source)}"
        )
    ]


def clean_scores(frame: pd.DataFrame, source: Source) -> tuple[pd.DataFrame, list[str]]:
    """Bring a scores frame to `run, benchmark, score, stderr` and list what is wrong with it.

    A row whose score is empty is a missing score, so it is left out.
    """
    problems = missing_columns(frame, SCORE_COLUMNS[:3], source)
    frame = frame.copy()
    for column in ("score", "stderr"):
        problems += to_numbers(frame, column, source)
    for column in ("run", "benchmark"):
        if column in frame.columns:
            frame[column] = as_text(frame[column])
    told = bool(problems) or frame.empty
    frame = frame[frame["score"].notna()]
    if frame.empty and not told:
        problems.append(source.problem("there is no score: every field of scores is empty"))
    else:
        problems += schema_problems(SCORES_SCHEMA, frame, source)
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
    if "unit" not in frame.columns:
        frame["unit"] = ACCURACY
    frame["unit"] = as_text(frame["unit"]).replace("", ACCURACY)
    if "benchmark" in frame.columns:
        frame["benchmark"] = as_text(frame["benchmark"])
    accuracy = frame["unit"] == ACCURACY
    for column in BENCHMARK_NUMBERS:
        problems += to_numbers(frame, column, source)
        default = BENCHMARK_DEFAULTS[column]
        if column not in ACCURACY_ONLY:
            frame[column] = frame[column].fillna(default)
            continue
        frame[column] = frame[column].where(frame[column].notna() | ~accuracy, default)
        bad = frame[column].notna() & ~accuracy
        if bad.any():
            problems.append(
                source.problem(
                    f'column "{column}": is for benchmarks of unit "{ACCURACY}"; leave it empty: '
                    f"{where(frame, bad, source)}"
                )
            )
    # A chance above one is percent, and told as such below.
    bad = (frame["chance"] >= frame["ceiling"]) & (frame["chance"] <= 1)
    if bad.any():
        problems.append(
            source.problem(
                'column "chance": is not below the ceiling, so no score can be told from '
                f"guessing; correct one of them: {where(frame, bad, source)}"
            )
        )
    problems += schema_problems(BENCHMARKS_SCHEMA, frame, source)
    if accuracy.any():
        problems += schema_problems(ACCURACY_SCHEMA, frame[accuracy], source)
    return frame, problems


def range_problems(scores: pd.DataFrame, benchmarks: pd.DataFrame, source: Source) -> list[str]:
    """Check scores against the scale of their benchmark: [0, 1], or any finite number."""
    if not {"benchmark", "score"} <= set(scores.columns) or "benchmark" not in benchmarks.columns:
        return []
    plain = benchmarks.loc[benchmarks["unit"] != ACCURACY, "benchmark"]
    quantity = scores["benchmark"].isin(plain)
    problems = []
    for schema, rows in (
        (FRACTIONS_SCHEMA, scores[~quantity]),
        (QUANTITIES_SCHEMA, scores[quantity]),
    ):
        if len(rows):
            problems += schema_problems(schema, rows, source)
    return problems + _ceiling_problems(scores[~quantity], benchmarks, source)


def _ceiling_problems(scores: pd.DataFrame, benchmarks: pd.DataFrame, source: Source) -> list[str]:
    """Name the scores above what their benchmark is said to allow at most."""
    columns = (scores["score"], benchmarks.get("ceiling", pd.Series(dtype=str)))
    if not all(map(pd.api.types.is_numeric_dtype, columns)):
        return []  # which is told where they are read
    known = benchmarks.drop_duplicates("benchmark").set_index("benchmark")["ceiling"]
    above = scores[
        (scores["score"] > scores["benchmark"].map(known).astype(float)) & (scores["score"] <= 1)
    ]
    if above.empty:
        return []
    runs = above.get("run", above.index)
    told = [
        f"{run} on {benchmark}: {score:g} > {known[benchmark]:g}"
        for run, benchmark, score in zip(runs, above["benchmark"], above["score"], strict=True)
    ]
    return [
        source.problem(
            'column "score": lies above the ceiling of its benchmark; correct the score, or the '
            f"ceiling: {quoted(told, most=5)}"
        )
    ]


def name_clashes(runs: pd.DataFrame, names: Iterable[str], source: Source) -> list[str]:
    """Refuse a name that stands for a benchmark and for a column of runs."""
    clashes = [
        name
        for name in names
        if name in runs.columns and not (name in RUN_NUMBERS and runs[name].isna().all())
    ]
    if not clashes:
        return []
    return [
        source.problem(
            f"{quoted(clashes)}: is a benchmark and a column of runs; rename one or take it out"
        )
    ]


def is_date(column: pd.Series) -> pd.Series:
    """Tell which words are dates such as 2024-06-15: those in order are in the order of time."""
    parsed = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
    return parsed.notna() & (column.str.len() == len("2024-06-15"))


def _iso_date(column: pd.Series) -> pd.Series:
    return is_date(column) | (column == "")


def _past(column: pd.Series) -> pd.Series:
    parsed = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
    # A day more: it may have begun where the run was released.
    return ~(parsed > pd.Timestamp.now() + pd.Timedelta(days=1))


FINITE = rule(lambda s: s.abs() < float("inf"), "is not finite")
POSITIVE = rule(lambda s: s > 0, "is not above zero")
NOT_NEGATIVE = rule(lambda s: s >= 0, "is below zero")
NOT_EMPTY = rule(lambda s: s != "", "is empty")
IN_UNIT = rule(lambda s: (s >= 0) & (s <= 1), "is outside [0, 1]")
BILLIONS = rule(lambda s: (s <= 0) | (s >= LEAST_COUNT), "looks like billions: multiply by 1e9")
TRILLIONS = rule(lambda s: (s <= 0) | (s >= 100), "looks like trillions: multiply by 1e12")
TOKEN_BILLIONS = rule(
    lambda s: (s < 100) | (s >= LEAST_COUNT), "looks like billions: multiply by 1e9"
)


def runs_schema(leaderboard: bool, inputs: Iterable[str]) -> pa.DataFrameSchema:
    """Return what must hold of runs; small counts may be meant where no accuracy is measured."""
    params, tokens = [FINITE, POSITIVE], [FINITE, POSITIVE]
    if leaderboard:
        params.append(BILLIONS)
        tokens += [TRILLIONS, TOKEN_BILLIONS]
    columns = {
        "run": pa.Column(str, NOT_EMPTY, unique=True, required=False),
        "family": pa.Column(str, NOT_EMPTY, required=False),
        # Empty and unreadable params are reported where the column is read.
        "params": pa.Column(float, params, nullable=True),
        "params_active": pa.Column(float, params, nullable=True),
        "tokens": pa.Column(float, tokens, nullable=True),
        "flops": pa.Column(float, [FINITE, POSITIVE], nullable=True),
        "released": pa.Column(
            str,
            [
                rule(_iso_date, "is not a date such as 2024-06-15"),
                rule(_past, "lies in the future"),
            ],
        ),
    }
    extras = {column: pa.Column(float, FINITE, nullable=True) for column in inputs}
    return pa.DataFrameSchema(columns | extras)


SCORES_SCHEMA = pa.DataFrameSchema(
    {
        "run": pa.Column(str, NOT_EMPTY, required=False),
        "benchmark": pa.Column(str, NOT_EMPTY, required=False),
    }
)
FRACTIONS_SCHEMA = pa.DataFrameSchema(
    {
        "score": pa.Column(
            float,
            [
                rule(lambda s: s >= 0, "is below 0: scores lie in [0, 1]"),
                rule(
                    lambda s: s <= 1,
                    "is above 1: scores lie in [0, 1]; if these are percent, divide them by 100",
                ),
            ],
        ),
        "stderr": pa.Column(float, [FINITE, IN_UNIT], nullable=True),
    }
)
QUANTITIES_SCHEMA = pa.DataFrameSchema(
    {
        "score": pa.Column(float, FINITE),
        "stderr": pa.Column(float, [FINITE, NOT_NEGATIVE], nullable=True),
    }
)
BENCHMARKS_SCHEMA = pa.DataFrameSchema(
    {
        "benchmark": pa.Column(str, NOT_EMPTY, unique=True, required=False),
        "resolution": pa.Column(float, [FINITE, NOT_NEGATIVE]),
    }
)
ACCURACY_SCHEMA = pa.DataFrameSchema(
    {
        "chance": pa.Column(float, IN_UNIT),
        "ceiling": pa.Column(float, IN_UNIT),
        "items": pa.Column(float, POSITIVE, nullable=True),
        "resolution": pa.Column(float, IN_UNIT),
    }
)
