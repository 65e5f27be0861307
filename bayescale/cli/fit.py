"""`bayescale fit` and `bayescale summary`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayescale.cli.group import examples
from bayescale.cli.options import (
    LEADERBOARD,
    Added,
    Chains,
    Draws,
    FitFile,
    Json,
    ModelName,
    Quiet,
    Seed,
    TableName,
    Warmup,
)
from bayescale.cli.output import check_free, note, show_frame, show_json
from bayescale.cli.tables import open_table
from bayescale.runtime import keep_compiled

EXAMPLES = examples(
    "bayescale fit skills --out skills.nc",
    "bayescale fit skills --add my_runs.csv --out mine.nc",
    "bayescale fit compute --table my_scores.csv --seed 1",
)
SUMMARY_EXAMPLES = examples("bayescale summary skills.nc", "bayescale summary skills.nc --json")


def fit(
    model: ModelName,
    table: TableName = LEADERBOARD,
    add: Added = None,
    seed: Seed = 0,
    chains: Chains = 4,
    warmup: Warmup = None,
    draws: Draws = None,
    out: Annotated[
        Path | None, typer.Option(help="The fit file to write; MODEL.nc if left out.")
    ] = None,
    quiet: Quiet = False,
    yes_overwrite: Annotated[
        bool, typer.Option("--yes-overwrite", help="Replace the fit file if there is one.")
    ] = False,
) -> None:
    """Fit a model to a table of scores, and write the posterior to one file."""
    keep_compiled()
    path = out or Path(f"{Path(model).stem}.nc")
    check_free(path, yes_overwrite)
    data = open_table(table, add)

    import bayescale as bs

    for doubt in data.doubts():
        note(f"note: {doubt}")
    lengths = {"warmup": warmup, "draws": draws}
    given = {name: value for name, value in lengths.items() if value is not None}
    result = bs.fit(model, data, seed=seed, chains=chains, progress=not quiet, **given)
    result.save(path)
    typer.echo(str(result.summary()))
    note(f"wrote {path}; next: bayescale predict {path} --family NAME --params 72B --tokens 15T")


def summary(
    fit: FitFile,
    all_sites: Annotated[
        bool, typer.Option("--all", help="Every element of every site, not the worst of each site.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether the sampler can be trusted, in words and by site."""
    keep_compiled()
    import bayescale as bs

    found = bs.load_fit(fit).summary()
    frame = found.elements if all_sites else found.frame
    if as_json:
        show_json(
            {
                "verdict": found.verdict.name.lower(),
                "sentences": [str(found.verdict), *found.sentences],
                "max_r_hat": found.max_r_hat,
                "min_ess": found.min_ess,
                "divergences": found.divergences,
                "sites": frame,
            }
        )
        return
    typer.echo(str(found))
    show_frame(frame)
