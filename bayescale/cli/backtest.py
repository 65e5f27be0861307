"""`bayescale backtest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.cli.group import examples
from bayescale.cli.options import (
    LEADERBOARD,
    Added,
    Chains,
    Draws,
    Quiet,
    Seed,
    TableName,
)
from bayescale.cli.output import save_json, show_json
from bayescale.cli.tables import open_table
from bayescale.files import check_writable
from bayescale.runtime import keep_compiled

EXAMPLES = examples(
    "bayescale backtest skills compute --split split.csv",
    "bayescale backtest skills --table my_scores.csv --split split.csv --json card.json",
)


def backtest(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="One or more models.")],
    split: Annotated[
        Path,
        typer.Option(
            help="A CSV with columns run, role (train, test, drop), maybe fold, benchmark."
        ),
    ],
    table: TableName = LEADERBOARD,
    add: Added = None,
    seed: Seed = 0,
    chains: Chains = 2,
    draws: Draws = None,
    json: Annotated[
        Path | None, typer.Option("--json", help='Write the scorecards to this file ("-": print).')
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Hold rows out, fit, and score the predictions: one fit a fold, compiled once."""
    to_stdout = json is not None and str(json) == "-"
    if json is not None and not to_stdout:
        check_writable(json)
    keep_compiled()
    data = open_table(table, add)

    import bayescale as bs

    loaded = [bs.load_model(model) for model in models]  # all before the first is paid for
    folds = bs.read_split(split, data)
    given = {} if draws is None else {"draws": draws}
    cards: list[dict[str, Any]] = []
    for model in loaded:
        card = bs.backtest(
            model, data, folds, seed=seed, chains=chains, progress=not quiet, **given
        )
        cards.append(card.to_dict())
        typer.echo(str(card), err=to_stdout)
        result = cards if len(loaded) > 1 else cards[0]
        if json is not None and not to_stdout:
            save_json(result, json)
    if to_stdout:
        show_json(result)
