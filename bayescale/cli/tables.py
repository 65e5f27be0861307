"""The table that a command works on: a bundled one or a file, with the user's own runs joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayescale.cli.output import note
from bayescale.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

    from bayescale.table import Table

RUNS_NAMED = 20


def open_table(name: str, added: Sequence[Path] | None = None) -> Table:
    """Load a bundled table by name, or read a file or folder; then join files of more runs.

    Runs of the user's own that a rule leaves out are told.
    """
    import bayescale as bs

    bundled = bs.list_tables()
    if name in bundled:
        table = bs.load_table(name)
    elif Path(name).exists():
        table = _read(Path(name), None)
    else:
        raise TableError(
            f"no table {name!r}: it is neither a file nor a bundled table ({', '.join(bundled)})"
        )
    for path in added or ():
        table = table.add(_read(path, table.benchmarks))
    return table


def left_out(table: Table) -> list[str]:
    """Say which runs of a table are left out, a sentence for each reason."""
    from bayescale.validation import quoted

    return [
        f"left out {quoted(runs, most=RUNS_NAMED)}: {reason}"
        for reason, runs in table.excluded.groupby("reason", sort=False)["run"]
    ]


def _read(path: Path, benchmarks: pd.DataFrame | None) -> Table:
    import bayescale as bs

    table = bs.read_table(path, benchmarks=benchmarks)
    for sentence in left_out(table):
        note(f"note: {path}: {sentence}")
    return table
