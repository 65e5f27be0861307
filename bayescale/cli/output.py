"""What commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayescale.base.counts import format_count
from bayescale.base.errors import BayescaleError
from bayescale.base.files import atomic_path, check_writable, plain, with_index, write_json

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("params", "params_active", "tokens", "flops")
WIDE = 200  # columns, where the output is a file or a pipe and has no width of its own
LARGE = 1000.0  # from here on, digits after the point say nothing


def note(text: str) -> None:
    """Tell something that is not the result."""
    typer.secho(text, dim=True, err=True)


def show_json(value: Any) -> None:
    """Print a value as JSON; a number that JSON does not know (NaN, infinity) becomes null."""
    typer.echo(json.dumps(plain(value), indent=2, allow_nan=False))


def show_frame(frame: pd.DataFrame, title: str | None = None) -> None:
    """Print a frame as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    frame = with_index(frame)
    grid = Table(title=title, title_justify="left")
    for column in frame.columns:
        numeric = frame[column].dtype.kind in "iuf"
        grid.add_column(Text(str(column)), justify="right" if numeric else "left")
    for row in frame.itertuples(index=False):
        cells = zip(frame.columns, row, strict=True)
        grid.add_row(*(Text(_cell(str(column), value)) for column, value in cells))
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(grid)


def _cell(column: str, value: Any) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        if column in COUNTS:
            return format_count(value)
        return f"{value:.0f}" if abs(value) >= LARGE else f"{value:.3f}"
    return str(value)


def save_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame to a CSV file, whole or not at all."""
    with atomic_path(path) as temporary:
        with_index(frame).to_csv(temporary, index=False)
    note(f"wrote {path}")


def save_json(value: Any, path: Path) -> None:
    """Write a value to a JSON file, whole or not at all."""
    write_json(path, value)
    note(f"wrote {path}")


def check_free(path: Path, overwrite: bool) -> None:
    """Fail before the work when its result could not be written, or would destroy a file."""
    if path.exists() and not overwrite:
        raise BayescaleError(
            f"{path} is there already: name another file with --out, or add --yes-overwrite"
        )
    check_writable(path)
