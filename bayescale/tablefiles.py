"""`read_table`: CSV (long or wide), Parquet, or a folder of CSV files -> `Table`."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from bayescale import validation as check
from bayescale.errors import TableError
from bayescale.table import Table
from bayescale.validation import Source, fail

TEXT_COLUMNS = ("run", "family", "benchmark", "lineage", "released", "params_convention", "unit")


def read_table(
    path: str | Path, benchmarks: pd.DataFrame | None = None, name: str | None = None
) -> Table:
    """Read a table from a file or a folder and check it.

    Parameters
    ----------
    path
        A `.csv` file in long form (columns `run`, `benchmark`, `score`, with the run columns on
        each row) or wide form (one row per run, one column per benchmark); a `.parquet` file of
        the same; or a folder with `runs.csv`, `scores.csv` and, unless `benchmarks` is given,
        `benchmarks.csv`.
    benchmarks
        Known benchmarks (`Table.benchmarks` of another table); None reads them from the file, or
        takes chance 0 and ceiling 1.
    name
        The table's name; None takes the file's or folder's name.

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
    if path.is_dir():
        return _read_folder(path, benchmarks, name or path.name)
    frame, source = read_frame(path)
    name = name or str(frame.attrs.get("name", path.stem))
    if {"benchmark", "score"} & set(frame.columns):
        return _from_joined(frame, benchmarks, name, source)
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
        fail(check.missing_columns(excluded, ("run", "reason"), source))
        excluded = excluded.reset_index(drop=True)
    sources = (scores_source, runs_source, benchmarks_source)
    return Table.from_long(scores, runs, benchmarks, name, excluded=excluded, source=sources)


def read_frame(path: Path) -> tuple[pd.DataFrame, Source]:
    """Read one file; the index becomes the line number of a CSV file, the row of a Parquet file."""
    if not path.exists():
        raise TableError(f"{path}: no such file")
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
    frame.columns = frame.columns.astype("str").str.strip()
    if frame.empty:
        raise TableError(f"{path}: the table is empty: it has a header but no rows")
    return frame, source


def _read_csv(path: Path) -> pd.DataFrame:
    with warnings.catch_warnings():
        # Where lines have more fields than the header, pandas shifts or drops columns.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(TEXT_COLUMNS, "str"),
            index_col=False,
            encoding="utf-8-sig",
            skip_blank_lines=False,
            skipinitialspace=True,
        )


def _from_joined(
    frame: pd.DataFrame, benchmarks: pd.DataFrame | None, name: str, source: Source
) -> Table:
    """Take a joined long frame apart: facts of a run or benchmark must agree on all its rows."""
    required = (*check.RUN_REQUIRED, *check.SCORE_COLUMNS[1:3])
    fail(check.missing_columns(frame, required, source))
    run_columns = [c for c in (*check.RUN_COLUMNS, check.MOE_COLUMN) if c in frame.columns]
    runs, problems = _distinct(frame, "run", run_columns, source)
    given = [c for c in check.BENCHMARK_DEFAULTS if c in frame.columns]
    if benchmarks is None and given:
        benchmarks, more = _distinct(frame, "benchmark", given, source)
        problems += more
    fail(problems)
    # A row without a benchmark only tells of a run, and one without a run only of a benchmark.
    scores = frame[frame["run"].notna() & frame["benchmark"].notna()]
    excluded = pd.DataFrame(frame.attrs.get("excluded", []), columns=["run", "reason"])
    return Table.from_long(scores, runs, benchmarks, name, excluded=excluded, source=source)


def _distinct(
    frame: pd.DataFrame, key: str, columns: list[str], source: Source
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
                    f"{check.quoted(mine[column])} "
                    f"({source.row}s {', '.join(str(label) for label in mine.index[:5])})"
                )
            )
    # Our own Parquet files keep the order of runs and benchmarks.
    order = {name: place for place, name in enumerate(frame.attrs.get(f"{key}s", []))}
    found = rows.drop_duplicates(key)[[key, *columns]]
    return found.sort_values(key, key=lambda s: s.map(order), kind="stable"), problems
