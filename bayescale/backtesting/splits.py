"""`read_split`: a CSV of runs and roles -> folds, each two boolean vectors over a table's rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.base.errors import SplitError
from bayescale.base.words import suggest
from bayescale.tables.table import Table
from bayescale.tables.validation import Source, missing_columns

ROLES = ("train", "test", "drop")
COLUMNS = ("run", "role", "fold", "benchmark")
EVERY_RUN = "*"
ONLY_FOLD = "1"
MOST = 8  # problems that are told; a file for another table has one in each line


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of a table's rows.

    `train` and `test` are boolean, shape (row,), in the order of `Table.scores`; a row in neither
    is dropped. `unlisted` is the number of runs that the file does not name in this fold.
    """

    label: str
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    unlisted: int

    def __str__(self) -> str:
        rest = int((~self.train & ~self.test).sum())
        text = f"{self.train.sum()} rows train, {self.test.sum()} test, {rest} dropped"
        if self.unlisted:
            text += f"; {self.unlisted} runs are not named"
        return f"fold {self.label}: {text}"


@dataclass(frozen=True)
class Rule:
    """How `hold_out` made a split, so that training rows can be divided in the same way."""

    by: str
    keep: int | None
    folds: int
    group: str
    size: str
    cutoffs: tuple[str, ...]
    seed: int


@dataclass(frozen=True, eq=False)
class Split:
    """Folds of a table, in the order of the file, or of a rule.

    `without_score` counts the named pairs of run and benchmark that have no score in the table;
    `notes` are sentences about what is left out; `rule` is None for a file.
    """

    name: str
    folds: tuple[Fold, ...]
    without_score: int = 0
    notes: tuple[str, ...] = ()
    rule: Rule | None = None

    def __str__(self) -> str:
        lines = [f"split {self.name}", *(str(fold) for fold in self.folds), *self.notes]
        if self.without_score:
            lines.append(f"{self.without_score} named run-benchmark pairs have no score: ignored")
        return "\n".join(lines)


def read_split(path: str | Path, table: Table) -> Split:
    """Read which rows of a table each fold trains on, tests on, and drops.

    The CSV has the columns `run` and `role` (train, test, drop), and optionally `fold` (any
    label) and `benchmark`. What is said of a run and a benchmark counts before what is said of
    the run alone (`benchmark` empty or no such column). A run that a fold does not name is
    trained on, unless the fold has a row whose run is `*`: that row's role is then the role of
    every run not named. So `*,drop` restricts a fold to the runs that it names.

    Parameters
    ----------
    path
        The CSV file.
    table
        The table that the split divides.

    Returns
    -------
    Split

    Raises
    ------
    SplitError
        The file is missing, unreadable or empty; a column is missing; a role, run or benchmark is
        unknown; a run has two roles in a fold; a fold leaves nothing to train on or to test.

    Examples
    --------
    >>> print(read_split("split.csv", table))  # doctest: +SKIP
    split split.csv
    fold 1: 720 rows train, 55 test, 0 dropped
    """
    path = Path(path)
    frame = _read(path)
    problems = _problems(frame, table)
    if problems:
        more = [f"and {len(problems) - MOST} more"] if len(problems) > MOST else []
        lines = "\n".join(f"  {text}" for text in [*problems[:MOST], *more])
        raise SplitError(f"{path} cannot split the table {table.name}:\n{lines}")
    folds = tuple(_fold(label, rows, table) for label, rows in frame.groupby("fold", sort=False))
    pairs = frame[(frame["run"] != EVERY_RUN) & (frame["benchmark"] != "")]
    named = pd.MultiIndex.from_frame(pairs[["run", "benchmark"]])
    scored = pd.MultiIndex.from_frame(table.scores[["run", "benchmark"]])
    split = Split(path.name, folds, int((~named.isin(scored)).sum()))
    check_folds(split, table, str(path))
    return split


def check_folds(split: Split, table: Table, source: str) -> None:
    """Refuse folds that leave nothing to train on or to test.

    Raises
    ------
    SplitError
        Names the fold, and what to do.
    """
    if not split.folds:
        raise SplitError(
            f"{source}: nothing of table {table.name} is held out; keep fewer sizes or scores"
        )
    for fold in split.folds:
        for mask, what, advice in (
            (fold.train, "to train on", 'give some runs the role "train"'),
            (fold.test, "to test", 'give some runs that have scores the role "test"'),
        ):
            if not mask.any():
                if split.rule:
                    advice = "keep fewer or more sizes, or choose other cutoffs"
                raise SplitError(
                    f"{source}: fold {fold.label} leaves no rows {what} "
                    f"({len(table.scores)} rows in the table {table.name}); {advice}"
                )


def _read(path: Path) -> pd.DataFrame:
    """All cells as stripped text, with every column, indexed by line number in the file."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except FileNotFoundError:
        raise SplitError(f"no split file {path}; it needs the columns run and role") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SplitError(f"cannot read the split file {path} as CSV: {error}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise SplitError(f"{path}: its lines have more cells than its first line has column names")
    frame.columns = frame.columns.str.strip()
    problems = missing_columns(frame, ("run", "role"), Source(str(path)))
    for column in frame.columns:
        near = [name for name in COLUMNS if name not in frame.columns]
        if column not in COLUMNS and (hint := suggest(column, near)):
            problems.append(f'{path}: unknown column "{column}"{hint}')
    if problems:
        raise SplitError("; ".join(problems))
    with_fold = "fold" in frame.columns
    frame = frame.reindex(columns=list(COLUMNS)).astype("str").fillna("")
    frame = frame.apply(lambda cells: cells.str.strip())
    frame.index += 2  # as an editor counts lines, the header being the first
    frame = frame[(frame != "").any(axis=1)]  # blank lines
    if frame.empty:
        raise SplitError(f"the split file {path} has no rows")
    return frame if with_fold else frame.assign(fold=ONLY_FOLD)


def _problems(frame: pd.DataFrame, table: Table) -> list[str]:
    """Everything wrong with the cells, each with its lines."""
    problems = []

    def report(bad: pd.Series, what: str) -> None:
        if bad.any():
            problems.append(f"{what} (lines {_lines(frame.index[bad])})")

    for column in ("run", "fold"):
        report(frame[column] == "", f"empty {column}")
    for role in frame["role"][~frame["role"].isin(ROLES)].unique():
        report(
            frame["role"] == role,
            f'role "{role}" is none of {", ".join(ROLES)}{suggest(role, ROLES)}',
        )
    reasons = dict(zip(table.excluded["run"], table.excluded["reason"], strict=True))
    for column, known in (("run", table.runs.index), ("benchmark", table.benchmarks.index)):
        allowed = {*known, "", EVERY_RUN} if column == "run" else {*known, ""}
        for name in frame[column][~frame[column].isin(allowed)].unique():
            why = f": {reasons[name]}" if name in reasons else suggest(name, known)
            report(frame[column] == name, f'the table has no {column} "{name}"{why}')
    keys = ["fold", "run", "benchmark"]
    for (fold, run, benchmark), rows in frame[frame.duplicated(keys, keep=False)].groupby(keys):
        on = f' on benchmark "{benchmark}"' if benchmark else ""
        report(
            pd.Series(frame.index.isin(rows.index), frame.index),
            f'run "{run}"{on} has more than one row in fold {fold}',
        )
    return problems


def _lines(lines: pd.Index) -> str:
    """List the first few line numbers and count the rest."""
    more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
    return ", ".join(str(line) for line in lines[:5]) + more


def _fold(label: str, rows: pd.DataFrame, table: Table) -> Fold:
    """Give every table row its role: the most specific row of the file counts."""
    said: dict[tuple[str, str], str] = {
        (run, benchmark): role
        for run, benchmark, role in zip(rows["run"], rows["benchmark"], rows["role"], strict=True)
    }

    def role_of(run: str, benchmark: str) -> str:
        for key in ((run, benchmark), (run, ""), (EVERY_RUN, benchmark), (EVERY_RUN, "")):
            if key in said:
                return said[key]
        return "train"

    scores = table.scores
    role = np.array([*map(role_of, scores["run"], scores["benchmark"])])
    named = set(rows["run"])
    unlisted = sum(run not in named for run in table.runs.index)
    return Fold(label, role == "train", role == "test", unlisted)
