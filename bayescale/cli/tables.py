"""The table that a command works on: a named one or a file, with the user's own runs joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayescale.base.errors import TableError
from bayescale.base.words import suggest
from bayescale.cli.output import note

if TYPE_CHECKING:
    import pandas as pd

    from bayescale.tables.table import Table

RUNS_NAMED = 20


def open_table(
    name: str, added: Sequence[Path] | None = None, response: Sequence[str] | None = None
) -> Table:
    """Load a table by name, or read a file or folder; then join files of more runs.

    `response` names the columns that were measured, for files of runs that are no leaderboard's;
    a named table knows its own, and files joined to it have the same. Runs of the user's own that
    a rule leaves out are told.
    """
    import bayescale as bs

    named = bs.list_tables()
    if name in named:
        if response:
            raise TableError(
                f"--response is for a file of your own; the table {name!r} knows what it measures"
            )
        table = bs.load_table(name)
    elif Path(name).exists():
        table = _read(Path(name), None, response)
    else:
        raise TableError(
            f"no table {name!r}{suggest(name, named)}: it is neither a file nor a named table "
            f"({', '.join(named)})"
        )
    for path in added or ():
        table = table.add(_read_like(path, table))
    return table


def left_out(table: Table) -> list[str]:
    """Say which runs of a table are left out, a sentence for each reason."""
    from bayescale.base.words import quoted

    return [
        f"left out {quoted(runs, most=RUNS_NAMED)}: {reason}"
        for reason, runs in table.excluded.groupby("reason", sort=False)["run"]
    ]


def _read_like(path: Path, table: Table) -> Table:
    """Read runs to be joined to a table: they measure what it measures."""
    from bayescale.base.words import quoted
    from bayescale.tables.frames import ACCURACY
    from bayescale.tables.read import read_frame

    known = table.benchmarks
    if (known["unit"] == ACCURACY).all():
        return _read(path, known)
    columns = read_frame(path)[0].columns
    measured = [name for name in known.index if name in columns]
    if not measured:
        raise TableError(
            f"{path}: has no column of what {table.name} measures, {quoted(known.index)}; "
            f"its columns are {quoted(columns)}"
        )
    return _read(path, None, measured, known.loc[measured, "unit"].to_dict())


def _read(
    path: Path,
    benchmarks: pd.DataFrame | None,
    response: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
) -> Table:
    import bayescale as bs

    response = response or None  # an option that was not given is an empty list
    table = bs.read_table(path, benchmarks=benchmarks, response=response, units=units)
    for sentence in left_out(table):
        note(f"note: {path}: {sentence}")
    return table
