"""`read_table`: CSV (long or wide), Parquet, or a folder of CSV files -> `Table`."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.base.errors import TableError
from bayescale.base.words import quoted
from bayescale.tables import frames
from bayescale.tables.series import SERIES_COLUMNS
from bayescale.tables.table import Table
from bayescale.tables.validation import Source, fail, missing_columns

TEXT_COLUMNS = (
    "run",
    "family",
    "benchmark",
    "lineage",
    "released",
    "params_convention",
    "unit",
    "series",
)


def read_table(
    path: str | Path,
    benchmarks: pd.DataFrame | None = None,
    name: str | None = None,
    response: str | Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
) -> Table:
    """Read a table from a file or a folder and check it.

    Parameters
    ----------
    path
        A `.csv` file in long form (columns `run`, `benchmark`, `score`, with the run columns on
        each row) or wide form (one row per run, one column per benchmark); a `.parquet` file of
        the same; or a folder with `runs.csv`, `scores.csv` and, unless `benchmarks` is given,
        `benchmarks.csv`. With `response`, a `.csv` or `.parquet` file as `Table.from_runs` takes.
    benchmarks
        Known benchmarks (`Table.benchmarks` of another table); None reads them from the file, or
        takes chance 0 and ceiling 1.
    name
        The table's name; None takes the file's or folder's name.
    response
        The column, or columns, that were measured, such as "loss"; None reads a leaderboard.
    units
        Unit of each response; "nats/token" for those that are not named.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        The file is missing or unreadable, or anything in it is wrong; the message names the file,
        the columns and the lines.

    Examples
    --------
    >>> read_table("my_runs.csv", benchmarks=table.benchmarks)  # doctest: +SKIP
    """
    path = Path(path)
    if response is None and units is not None:
        raise TableError("units: are those of responses; name these with response too")
    if response is not None and (path.is_dir() or benchmarks is not None):
        raise TableError(
            f"{path}: response is for a file of runs; leave it out where benchmarks are given or "
            "the folder's benchmarks.csv describes them"
        )
    if path.is_dir():
        return _read_folder(path, benchmarks, name or path.name)
    frame, source = read_frame(path)
    attrs, frame.attrs = frame.attrs, {}  # which pandas would copy at each step
    name = name or str(attrs.get("name", path.stem))
    if response is not None:
        return Table.from_runs(frame, response, units=units, name=name, source=source)
    if {"benchmark", "score"} & set(frame.columns):
        return _from_joined(frame, attrs, benchmarks, name, source)
    missing = missing_columns(frame, frames.LEADERBOARD_REQUIRED, source)
    if missing and benchmarks is None and _is_numeric(frame, "loss"):
        fail(
            [
                *missing,
                source.problem(
                    'it is no leaderboard, and has a column "loss": response="loss" (on the '
                    "command line --response loss) reads it"
                ),
            ]
        )
    return Table.from_wide(frame, benchmarks, name, source=source)


def _read_folder(folder: Path, benchmarks: pd.DataFrame | None, name: str) -> Table:
    scores, scores_source = read_frame(folder / "scores.csv")
    runs, runs_source = read_frame(folder / "runs.csv")
    benchmarks_source = Source()
    if benchmarks is None and (folder / "benchmarks.csv").exists():
        benchmarks, benchmarks_source = read_frame(folder / "benchmarks.csv")
    excluded = None
    if (folder / "excluded.csv").exists():
        excluded, source = read_frame(folder / "excluded.csv")
        fail(missing_columns(excluded, ("run", "reason"), source))
        excluded = excluded.reset_index(drop=True)
    series, series_source = None, Source()
    if (folder / "series.csv").exists():
        series, series_source = read_frame(folder / "series.csv")
    sources = (scores_source, runs_source, benchmarks_source, series_source)
    return Table.from_long(
        scores, runs, benchmarks, name, excluded=excluded, series=series, source=sources
    )


def read_frame(path: Path) -> tuple[pd.DataFrame, Source]:
    """Read one file; the index becomes the line number of a CSV file, the row of a Parquet file."""
    if not path.exists():
        raise TableError(f"{path}: no such file")
    if not path.is_file():
        raise TableError(f"{path}: is a folder, a device or a pipe, not a file of rows")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame, source = pd.read_parquet(path), Source(str(path), "row")
        else:
            frame = _read_csv(path)
            frame.index += 2
            frame, source = frame.dropna(how="all"), Source(str(path), "line")
    except pd.errors.EmptyDataError:
        raise TableError(f"{path}: the file is empty") from None
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise TableError(f"{path}: cannot be read as a table: {error}") from error
    names = frame.columns.astype("str").str.strip()
    if len(twice := names[names.duplicated()].unique()):
        raise TableError(f"{path}: two columns are called {quoted(twice)}; rename or drop one")
    frame.columns = names
    for name in names:
        cells = frame[name] if frame[name].dtype == object else ()
        if any(isinstance(cell, list | dict | tuple | np.ndarray) for cell in cells):
            raise TableError(
                f'{path}: column "{name}": holds lists or records, where a cell is one number or '
                "word; take it apart, or drop it"
            )
    # What pandas calls a column without a name: the row numbers of another frame, mostly.
    frame = frame.loc[:, ~frame.columns.str.fullmatch(r"Unnamed: \d+")]
    if frame.empty:
        raise TableError(f"{path}: the table is empty: it has a header but no rows")
    return frame, source


def _read_csv(path: Path) -> pd.DataFrame:
    if path.suffix.lower() == ".csv":
        with path.open("rb") as file:
            if any(b"\0" in part for part in iter(partial(file.read, 1 << 20), b"")):
                raise ValueError("it holds zero bytes, which no text has: save it as UTF-8 text")
    with warnings.catch_warnings():
        # Where lines have more fields than the header, pandas shifts or drops columns.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # By itself pandas would call a second column of one name "loss.1".
        given: dict[str, Any] = {
            "encoding": "utf-8-sig",
            "skip_blank_lines": False,
            "skipinitialspace": True,
        }
        header = pd.read_csv(path, header=None, nrows=1, dtype="str", **given).iloc[0]
        frame = pd.read_csv(
            path,
            dtype=dict.fromkeys(TEXT_COLUMNS, "str"),
            index_col=False,
            low_memory=False,  # else a column may be read as numbers here and words there
            **given,
        )
    frame.columns = [
        read if pd.isna(name) else name
        for read, name in zip(frame.columns, header.reindex(range(frame.shape[1])), strict=True)
    ]
    return frame


def _is_numeric(frame: pd.DataFrame, column: str) -> bool:
    return column in frame.columns and pd.api.types.is_numeric_dtype(frame[column])


def _from_joined(
    frame: pd.DataFrame,
    attrs: Mapping[Hashable, Any],
    benchmarks: pd.DataFrame | None,
    name: str,
    source: Source,
) -> Table:
    """Take a joined long frame apart: facts of a run or benchmark must agree on all its rows."""
    fail(missing_columns(frame, frames.SCORE_COLUMNS[:3], source))
    given = [c for c in frames.BENCHMARK_DEFAULTS if c in frame.columns]
    problems: list[str] = []
    if benchmarks is None and given:
        benchmarks, problems = _distinct(frame, "benchmark", given, attrs, source)
    leaderboard = frames.is_leaderboard(benchmarks)
    problems = missing_columns(frame, frames.required_of_runs(leaderboard), source) + problems
    others = (*frames.SCORE_COLUMNS, *frames.BENCHMARK_DEFAULTS)
    run_columns = [c for c in frame.columns if c not in others]
    if leaderboard:  # where columns may be notes on scores
        extras = [c for c in run_columns if c not in frames.RUN_INPUTS]
        counts = frame.groupby("run")[extras].nunique(dropna=False)
        constant = counts.columns[(counts <= 1).all()]
        kept = frames.filled_columns(frame[frame["run"].notna()], constant)
        run_columns = [c for c in run_columns if c not in extras or c in kept]
    runs, more = _distinct(frame, "run", run_columns, attrs, source)
    problems = more + problems
    fail(problems)
    # A row without a benchmark only tells of a run, and one without a run only of a benchmark.
    scores = frame[frame["run"].notna() & frame["benchmark"].notna()]
    excluded = pd.DataFrame(attrs.get("excluded", []), columns=["run", "reason"])
    series = pd.DataFrame(attrs.get("series", []), columns=list(SERIES_COLUMNS))
    return Table.from_long(
        scores, runs, benchmarks, name, excluded=excluded, series=series, source=source
    )


def _distinct(
    frame: pd.DataFrame,
    key: str,
    columns: list[str],
    attrs: Mapping[Hashable, Any],
    source: Source,
) -> tuple[pd.DataFrame, list[str]]:
    rows = frame[frame[key].notna()]
    problems = []
    for column in columns:
        counts = rows.groupby(key, sort=False)[column].nunique(dropna=False)
        for name in counts.index[counts > 1]:
            mine = rows[rows[key] == name].drop_duplicates(column)
            problems.append(
                source.problem(
                    f'{key} "{name}" has different values in column "{column}": '
                    f"{quoted(mine[column])} "
                    f"({source.row}s {', '.join(str(label) for label in mine.index[:5])})"
                )
            )
    # Our own Parquet files keep the order of runs and benchmarks.
    order = {name: place for place, name in enumerate(attrs.get(f"{key}s", []))}
    found = rows.drop_duplicates(key)[[key, *columns]]
    return found.sort_values(key, key=lambda s: s.map(order), kind="stable"), problems
