"""`bayescale compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayescale.base.errors import CompareError
from bayescale.base.files import check_writable
from bayescale.base.runtime import keep_compiled
from bayescale.cli.cards import read_backtest
from bayescale.cli.group import examples
from bayescale.cli.options import CsvOut, Json, Quiet, Seed
from bayescale.cli.output import save_csv, show_json
from bayescale.cli.own_law import load_fit, with_law

EXAMPLES = examples(
    "bayescale compare skills.nc compute.nc",
    "bayescale compare skills.nc observational.nc compute.nc --json",
    "bayescale compare skills.nc compute.nc --backtest card.json",
    "bayescale compare skills.nc compute.nc --by family --refit bad",
    "bayescale compare skills.nc compute.nc --by run --folds 10 --seed 1",
    "bayescale compare overtraining.nc --by corpus --refit all --json",
)


@with_law
def compare(
    fits: Annotated[list[Path], typer.Argument(metavar="FIT...", help="One or more fit files.")],
    as_json: Json = False,
    csv: CsvOut = None,
    backtest: Annotated[
        list[Path] | None,
        typer.Option("--backtest", help="JSON of `bayescale backtest` of these models."),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            help="What is left out together: row, run, family, benchmark, or a column of groups."
        ),
    ] = "row",
    refit: Annotated[
        str,
        typer.Option(
            help="none: importance sampling (PSIS); bad: refits where that fails; all: refits only."
        ),
    ] = "none",
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Leave groups out in so many folds, each by one refit."),
    ] = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Compare fits of the same table: what each predicts unseen, weights, and doubts in words.

    One score is left out at a time, or all of a run, a family or a benchmark together.
    """
    if csv is not None:
        check_writable(csv)
    names = [path.stem for path in fits]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CompareError(
            f"two fits have the file name {', '.join(twice)}: rename one, so that they can be told "
            "apart"
        )
    keep_compiled()
    import bayescale as bs

    loaded = {name: load_fit(path) for name, path in zip(names, fits, strict=True)}
    result = bs.compare(
        loaded,
        backtests=[card for path in backtest or () for card in read_backtest(path)["cards"]],
        by=by,
        refit=refit,
        folds=folds,
        seed=seed,
        progress=not quiet,
    )
    if csv is not None:
        save_csv(result.frame, csv)
    if as_json:
        show_json(
            {
                "comparison": result.frame,
                "doubts": list(result.doubts),
                "task": result.task,
                "groups": result.groups,
            }
        )
        return
    typer.echo(str(result))
