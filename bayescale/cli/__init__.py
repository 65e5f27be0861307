"""The command line: each command turns what was typed into one call of the public API."""

from __future__ import annotations

from bayescale.cli.app import app


def main() -> None:
    """Run the command line; the console script `bayescale` calls this."""
    app(prog_name="bayescale")
