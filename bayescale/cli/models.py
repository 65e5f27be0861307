"""`bayescale models` and `bayescale priors`."""

from __future__ import annotations

from typing import Annotated

import typer

from bayescale.cli.group import examples
from bayescale.cli.options import LEADERBOARD, Json, ModelName, Seed, TableName
from bayescale.cli.output import show_frame, show_json
from bayescale.cli.tables import open_table
from bayescale.runtime import keep_compiled

EXAMPLES = examples("bayescale models", "bayescale models --json")
PRIORS_EXAMPLES = examples("bayescale priors skills", "bayescale priors skills --draws 5 --json")


def models(as_json: Json = False) -> None:
    """List the bundled models with the claim that each makes."""
    import pandas as pd

    import bayescale as bs

    names = bs.list_models()
    frame = pd.DataFrame({"model": names, "claim": [bs.load_model(name).claim for name in names]})
    if as_json:
        show_json(frame)
    else:
        show_frame(frame)


def priors(
    model: ModelName,
    draws: Annotated[
        int, typer.Option(min=0, help="Also print this many prior predictive draws of the scores.")
    ] = 0,
    table: TableName = LEADERBOARD,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Show the priors of a model in score units, and what scores they expect."""
    keep_compiled()
    import bayescale as bs

    card = bs.load_model(model)
    result = {"priors": card.priors()}
    if draws:
        result["draws"] = card.prior_scores(open_table(table), draws=draws, seed=seed)
    if as_json:
        show_json(result)
        return
    for title, frame in result.items():
        show_frame(frame, title)
