"""Options and arguments that several commands share, and how their text is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayescale.counts import parse_count
from bayescale.errors import BayescaleError

LEADERBOARD = "open-llm-leaderboard"


def count(text: str | float) -> float:
    """Read 7B or 1.5e9 for an option; bad text is an error of usage."""
    try:
        return parse_count(str(text))
    except BayescaleError as error:
        raise typer.BadParameter(str(error)) from None


FitFile = Annotated[Path, typer.Argument(metavar="FIT", help="A fit file, such as skills.nc.")]
ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="A bundled model (see `bayescale models`) or a card.")
]
TableName = Annotated[
    str, typer.Option("--table", help="A bundled table (see `bayescale data list`) or a file.")
]
Added = Annotated[
    list[Path] | None,
    typer.Option("--add", help="A file of your own runs, joined to the table; may be repeated."),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same numbers.")]
Chains = Annotated[int, typer.Option(min=1, help="Number of chains.")]
Warmup = Annotated[int | None, typer.Option(min=1, help="Warm-up steps a chain; 500 if left out.")]
Draws = Annotated[
    int | None,
    typer.Option(
        min=1, help="Draws kept a chain; 800 if left out, 1600 in the demo, 300 in a backtest."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
CsvOut = Annotated[Path | None, typer.Option("--csv", help="Write the frame to this CSV file.")]
Benchmarks = Annotated[
    list[str] | None,
    typer.Option("--benchmark", help="A benchmark; may be repeated. All of them if left out."),
]
Response = Annotated[
    list[str] | None,
    typer.Option(
        "--response",
        help="A column that was measured, such as loss, in a file of runs; may be repeated.",
    ),
]
