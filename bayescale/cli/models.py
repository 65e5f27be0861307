"""`bayescale models` and `bayescale priors`."""

from __future__ import annotations

from typing import Annotated

import typer

from bayescale.base.runtime import keep_compiled
from bayescale.cli.coefficients import significant
from bayescale.cli.fit import table_for
from bayescale.cli.group import examples
from bayescale.cli.options import (
    Inputs,
    Json,
    Measured,
    ModelName,
    OwnTable,
    Response,
    Seed,
    columns,
    leaderboard_of,
)
from bayescale.cli.output import show_frame, show_json
from bayescale.cli.own_law import load_model, with_law

EXAMPLES = examples("bayescale models", "bayescale models --json")
PRIORS_EXAMPLES = examples(
    "bayescale priors skills",
    "bayescale priors data-constrained --draws 5 --json",
    "bayescale priors power-floor --draws 5 --table my_runs.csv --response loss --input x=flops",
)


def models(as_json: Json = False) -> None:
    """List the bundled models: the law of each, the table it was written for, and its claim."""
    import pandas as pd

    import bayescale as bs

    cards = [bs.load_model(name) for name in bs.list_models()]
    frame = pd.DataFrame(
        {
            "model": [card.name for card in cards],
            "law": [card.law.name for card in cards],
            "table": [card.table or leaderboard_of(card) or "" for card in cards],
            "claim": [card.claim for card in cards],
        }
    )
    if as_json:
        show_json(frame)
    else:
        show_frame(frame)


@with_law
def priors(
    model: ModelName,
    draws: Annotated[
        int,
        typer.Option(
            min=0, help="Also print this many prior predictive draws of what a table has."
        ),
    ] = 0,
    table: OwnTable = None,
    response: Response = None,
    benchmark: Measured = None,
    inputs: Inputs = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Show the priors of a model or a law, and what measurements they expect."""
    given = columns(inputs)
    keep_compiled()
    from bayescale.models.cards import customise

    card = customise(load_model(model), inputs=given)
    found = card.priors()
    if not found["in_score_units"].any():
        found = found.drop(columns="in_score_units")
    result = {"priors": found}
    if draws:
        data = table_for(card, table, response=response, benchmark=benchmark)
        result["draws"] = card.prior_scores(data, draws=draws, seed=seed)
    if as_json:
        show_json(result)
        return
    for title, frame in result.items():
        show_frame(significant(frame), title)
