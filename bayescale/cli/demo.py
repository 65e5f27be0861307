"""`bayescale demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayescale.base.files import check_writable
from bayescale.base.runtime import keep_compiled
from bayescale.cli.group import examples
from bayescale.cli.options import Chains, Draws, Quiet, Seed, Warmup
from bayescale.cli.output import note, show_frame

EXAMPLES = examples("bayescale demo", "bayescale demo --out somewhere --seed 1")


def demo(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("bayescale-demo"),
    seed: Seed = 0,
    chains: Chains = 4,
    warmup: Warmup = None,
    draws: Draws = None,
    quiet: Quiet = False,
) -> None:
    """Fit the bundled leaderboard without its larger models, then predict them."""
    check_writable(out / "skills.nc")
    keep_compiled()
    from bayescale.cli.run_demo import run_demo

    lengths = {"warmup": warmup, "draws": draws}
    given = {name: value for name, value in lengths.items() if value is not None}
    result = run_demo(out, seed=seed, chains=chains, progress=not quiet, tell=note, **given)
    typer.echo(result.verdict)
    show_frame(
        result.shown, "held-out models: predicted median, 90% interval, and what they scored"
    )
    typer.echo(result.headline)
    for path in result.written:
        note(f"wrote {path}")
