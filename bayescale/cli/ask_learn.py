"""`bayescale ask update`, `place` and `next-run`: learn something, or plan to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.base.errors import BayescaleError
from bayescale.cli.asking import (
    Family,
    Flops,
    OneBenchmark,
    Params,
    Plot,
    Ratio,
    Tokens,
    opened,
    query,
    show,
)
from bayescale.cli.group import examples
from bayescale.cli.options import At, CsvOut, FitFile, Interval, Json, Quiet, Seed, count
from bayescale.cli.output import check_free, note
from bayescale.cli.own_law import with_law

if TYPE_CHECKING:
    from bayescale.fits import Fit
    from bayescale.inference.posterior import Posterior

UPDATE_EXAMPLES = examples(
    "bayescale ask update skills.nc my_small_run.csv --out mine.nc",
    "bayescale ask update skills.nc my_small_run.csv --refit never --plot learned.png",
)
PLACE_EXAMPLES = examples(
    "bayescale ask place skills.nc agent_scores.csv --rows planned.csv",
    "bayescale ask place skills.nc my_exam.csv --chance 0.25 --items 400 --csv placed.csv",
)
NEXT_RUN_EXAMPLES = examples(
    "bayescale ask next-run chinchilla.nc candidates.csv --for predict --params 100B --tokens 10T",
    "bayescale ask next-run chinchilla.nc candidates.csv --for required --target 2.0 "
    "--tokens-per-param 20",
    "bayescale ask next-run chinchilla.nc candidates.csv --for allocate --flops 1e25 --batch 3 "
    "--budget 1e22",
)
Out = Annotated[
    Path | None, typer.Option(help="Write the fit that knows more to this file, to be asked.")
]
Overwrite = Annotated[bool, typer.Option("--yes-overwrite", help="Replace an existing --out.")]


@with_law
def update(
    fit: FitFile,
    new: Annotated[Path, typer.Argument(help="A file of new runs, on benchmarks that are known.")],
    out: Out = None,
    refit: Annotated[
        str, typer.Option(help="auto (where weights are bad), never or always.")
    ] = "auto",
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> None:
    """Condition a fit on new runs, without a refit where weights will do."""
    if out is not None:
        check_free(out, overwrite)
    asked = opened(fit, csv, plot)
    import bayescale as bs

    table = bs.read_table(new, benchmarks=asked.table.benchmarks)
    answer = asked.update(table, refit=refit, interval=interval, seed=seed, progress=not quiet)
    _keep(answer.fit, out)
    show(answer, as_json=as_json, csv=csv, plot=plot)


@with_law
def place(
    fit: FitFile,
    scores: Annotated[
        Path, typer.Argument(help="A CSV with columns run, benchmark, score, and maybe stderr.")
    ],
    rows: Annotated[
        Path | None,
        typer.Option(help="A CSV of planned models, or runs; every run of the fit if left out."),
    ] = None,
    chance: Annotated[float, typer.Option(help="Score of guessing.")] = 0.0,
    items: Annotated[float | None, typer.Option(help="Number of questions.")] = None,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
    quiet: Quiet = False,
) -> None:
    """Place a new benchmark, by scores of a handful of runs, on the skills that are known."""
    asked = opened(fit, csv, plot)
    from bayescale.cli.predict import read_rows
    from bayescale.tables.read import read_frame

    frame, _ = read_frame(scores)
    answer = asked.place(
        frame,
        None if rows is None else read_rows(rows),
        chance=chance,
        items=items,
        interval=interval,
        seed=seed,
        progress=not quiet,
    )
    show(answer, as_json=as_json, csv=csv, plot=plot)


def _keep(fit: Posterior | None, out: Path | None) -> None:
    from bayescale.inference.storage import save_fit

    if fit is not None and out is not None:
        save_fit(fit, out)
        note(f"wrote {out}")


@with_law
def next_run(
    fit: FitFile,
    candidates: Annotated[
        Path, typer.Argument(help="A CSV of runs that could be made: inputs, and maybe a cost.")
    ],
    question: Annotated[
        str, typer.Option("--for", help="The question to be surer of: predict, required, allocate.")
    ] = "predict",
    target: Annotated[
        float | None, typer.Option(help="Of required: the score or loss to reach.")
    ] = None,
    want: Annotated[str, typer.Option(help="Of required: what of.")] = "flops",
    family: Family = None,
    params: Params = None,
    tokens: Tokens = None,
    flops: Flops = None,
    tokens_per_param: Ratio = None,
    at: At = None,
    cost: Annotated[
        str | None, typer.Option(help="Column of the cost; 6 x params x tokens if left out.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="How many runs to choose; one if left out.")
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(help="Width of the interval to come down to, for as little as can be."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(parser=count, metavar="COST", help="What they may cost.")
    ] = None,
    benchmark: OneBenchmark = None,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
) -> None:
    """Find which run would shrink the uncertainty of a question most for its FLOPs."""
    asked = opened(fit, csv, plot)
    from bayescale.cli.predict import read_rows

    frame = read_rows(candidates, asked, extra=cost).frame
    given = query(
        asked,
        at,
        family=family,
        params=params,
        tokens=tokens,
        flops=flops,
        tokens_per_param=tokens_per_param,
    )
    of = _named(asked, question, given, target, want, benchmark, interval, seed)
    answer = asked.next_run(
        frame,
        of,
        cost=cost,
        batch=batch,
        budget=budget,
        width=width,
        benchmark=benchmark,
        interval=interval,
        seed=seed,
    )
    show(answer, as_json=as_json, csv=csv, plot=plot)


def _named(
    fit: Fit,
    question: str,
    given: dict[str, Any],
    target: float | None,
    want: str,
    benchmark: str | None,
    interval: float,
    seed: int,
) -> Any:
    """Ask the question that is to be surer of."""
    if question == "predict":
        return fit.predict(**given, benchmark=benchmark, kind="mean", interval=interval, seed=seed)
    if question == "required":
        if target is None:
            raise typer.BadParameter("required needs a target", param_hint="--target")
        return fit.required(
            target, want, benchmark=benchmark, interval=interval, seed=seed, **given
        )
    if question == "allocate":
        budget = given.pop("flops", None)
        if budget is None:
            raise typer.BadParameter("allocate needs a budget", param_hint="--flops")
        return fit.allocate(budget, benchmark=benchmark, interval=interval, seed=seed, **given)
    raise BayescaleError(f"--for must be predict, required or allocate; given: {question}")
