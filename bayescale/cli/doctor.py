"""`bayescale doctor`."""

from __future__ import annotations

import typer

from bayescale.base.runtime import keep_compiled
from bayescale.cli.group import examples
from bayescale.cli.options import Json
from bayescale.cli.output import show_json

EXAMPLES = examples("bayescale doctor", "bayescale doctor --json")


def doctor(as_json: Json = False) -> None:
    """Show versions, devices, cache and records, and what looks wrong."""
    keep_compiled()
    from bayescale.cli.checkup import checkup

    found = checkup()
    if as_json:
        show_json(found.to_dict())
        return
    size = found.cache_bytes / 1e6
    lines = {
        "bayescale": found.bayescale,
        "python": f"{found.python} on {found.platform}",
        **found.versions,
        "processors": str(found.cpus),
        "devices": ", ".join(found.devices),
        "cache": f"{found.cache} ({found.cache_entries} programs, {size:.1f} MB)",
        "tables": ", ".join(found.tables) or "none",
        "models": ", ".join(found.models) or "none",
    }
    width = max(len(name) for name in lines)
    for name, text in lines.items():
        typer.echo(f"{name:<{width}}  {text}")
    for warning in found.warnings:
        typer.secho(f"warning: {warning}", fg=typer.colors.YELLOW)
    if not found.warnings:
        typer.secho("nothing looks wrong", fg=typer.colors.GREEN)
