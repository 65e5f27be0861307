"""The table that a command works on: a bundled one or a file, with the user's own runs joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayescale.errors import TableError

if TYPE_CHECKING:
    from bayescale.table import Table


def open_table(name: str, added: Sequence[Path] | None = None) -> Table:
    """Load a bundled table by name, or read a file or folder; then join files of more runs."""
    import bayescale as bs

    bundled = bs.list_tables()
    if name in bundled:
        table = bs.load_table(name)
    elif Path(name).exists():
        table = bs.read_table(name)
    else:
        raise TableError(
            f"no table {name!r}: it is neither a file nor a bundled table ({', '.join(bundled)})"
        )
    for path in added or ():
        table = table.add(bs.read_table(path, benchmarks=table.benchmarks))
    return table
