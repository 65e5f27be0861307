"""`bayescale ask`: questions to a fit, before compute is spent.

A command's signature is its options; `question` asks, and `asking.py` has what they share.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.base.errors import BayescaleError
from bayescale.cli.asking import (
    Along,
    EitherSide,
    Family,
    Flops,
    OneBenchmark,
    Params,
    ParamsActive,
    Plot,
    Ratio,
    Tokens,
    one_side,
    opened,
    query,
    show,
)
from bayescale.cli.group import examples
from bayescale.cli.options import (
    At,
    Benchmarks,
    CsvOut,
    FitFile,
    Interval,
    Json,
    Seed,
    count,
    number,
    pairs,
)
from bayescale.cli.own_law import with_law
from bayescale.cli.question import Given, question

if TYPE_CHECKING:
    from bayescale.fits import Fit

app = typer.Typer(
    help="Ask a fit what it takes, what is best, what comes next.", no_args_is_help=True
)


class Kind(StrEnum):
    """What is compared."""

    score = "score"
    mean = "mean"


Sides = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=EitherSide)]
Other = Annotated[
    Path | None, typer.Option("--other", help="A second fit, of another law, that --b is asked of.")
]


def _read_rule(_: Fit, given: Given) -> Given:
    rule = "optimal" if given.pop("optimal") else None
    return {**given, "rule": rule}


def _read_choice(_: Fit, given: Given) -> Given:
    rival = pairs(given["rival"], "--rival", "params=70B")
    return {
        **given,
        "cost": _function(given["cost"]),
        "free": tuple(given["free"] or ()),
        "rival": {name: _plain(text) for name, text in rival.items()} or None,
    }


def _read_sides(fit: Fit, given: Given) -> Given:
    """Read what tells two apart, where they are compared, and a second fit."""
    other = given["other"]
    second = None if other is None else opened(other)
    found = {
        **given,
        "a": one_side(fit, given["a"], "--a"),
        "b": one_side(second or fit, given["b"], "--b"),
        "other": second,
    }
    if "within" in found:
        found["within"] = _span(found["within"])
    if "where" in found:
        found["at"] = found.pop("where")
    return found


@app.command(
    epilog=examples(
        "bayescale ask required skills.nc 0.8 --want params --benchmark MMLU --family qwen2 "
        "--tokens 15T",
        "bayescale ask required chinchilla.nc 2.0 --want flops --tokens-per-param 20",
        "bayescale ask required chinchilla.nc 2.0 --optimal --probability 0.5 --plot needed.png",
    )
)
@with_law
@question(_read_rule)
def required(
    fit: FitFile,
    target: Annotated[float, typer.Argument(help="The score (0.8) or loss (2.0) to reach.")],
    want: Annotated[str, typer.Option(help="What of: flops, params, tokens, ...")] = "flops",
    probability: Annotated[float, typer.Option(help="How sure to be.")] = 0.9,
    optimal: Annotated[
        bool, typer.Option("--optimal", help="Along the best split of each budget.")
    ] = False,
    tokens_per_param: Ratio = None,
    family: Family = None,
    params: Params = None,
    tokens: Tokens = None,
    at: At = None,
    benchmark: OneBenchmark = None,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
) -> None:
    """Find how many params, tokens or FLOPs it takes to reach a score or a loss."""


@app.command(
    epilog=examples(
        "bayescale ask exceed skills.nc --beat 0.8 --benchmark MMLU --family qwen2 --params 32B "
        "--tokens 7T",
        "bayescale ask exceed skills.nc --beat gemma-2-9b --beat family=qwen2,params=72B,tokens=7T "
        "--family mine --params 70B",
    )
)
@with_law
def exceed(
    fit: FitFile,
    beat: Annotated[
        list[str],
        typer.Option(
            help="A score or loss, a run of the fit, or a query NAME=VALUE,...; may be repeated."
        ),
    ],
    family: Family = None,
    params: Params = None,
    params_active: ParamsActive = None,
    tokens: Tokens = None,
    flops: Flops = None,
    at: At = None,
    benchmark: Benchmarks = None,
    kind: Annotated[Kind, typer.Option(help="Measured scores, or expected ones.")] = Kind.score,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
) -> None:
    """Find how probable it is that a planned run beats a score, a model, or all of a set."""
    asked = opened(fit, csv, plot)
    plan = query(
        asked,
        at,
        family=family,
        params=params,
        params_active=params_active,
        tokens=tokens,
        flops=flops,
    )
    answer = asked.exceed(
        *(_rival(asked, text) for text in beat),
        benchmark=benchmark,
        kind=kind.value,
        interval=interval,
        seed=seed,
        **plan,
    )
    show(answer, as_json=as_json, csv=csv, plot=plot)


def _rival(fit: Any, text: str) -> Any:
    """Read --beat: a number, a query, or the name of a run."""
    if "=" in text and text not in fit.table.runs.index:
        return query(fit, text.split(","))
    try:
        return float(text)
    except ValueError:
        return text


@app.command(
    epilog=examples(
        "bayescale ask allocate chinchilla.nc 1e25",
        "bayescale ask allocate chinchilla.nc 1e25 --served 10T --plot split.png",
        "bayescale ask allocate chinchilla.nc 5.88e23 --rival tokens_per_param=59",
        "bayescale ask allocate mine.nc 1e22 --cost costs.py:gpu_flops --free experts",
    )
)
@with_law
@question(_read_choice)
def allocate(
    fit: FitFile,
    budget: Annotated[float, typer.Argument(metavar="FLOPS", help="The budget: 1e25.")],
    served: Annotated[
        float | None,
        typer.Option(parser=count, metavar="TOKENS", help="Tokens to serve, out of the budget."),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(metavar="FILE.py:FUNCTION", help="A cost of your own, from inputs to FLOPs."),
    ] = None,
    free: Annotated[
        list[str] | None, typer.Option(help="An input to choose too; may be repeated.")
    ] = None,
    rival: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Another choice: tokens_per_param=20, params=70B, tokens=2T."
        ),
    ] = None,
    at: At = None,
    benchmark: OneBenchmark = None,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
) -> None:
    """Find the best params and tokens for a budget, and what a rival choice would cost."""


def _plain(text: str) -> float:
    try:
        return float(number(text))
    except (BayescaleError, TypeError):
        raise typer.BadParameter(f"{text!r} is no number", param_hint="--rival") from None


def _function(text: str | None) -> Any:
    """Read --cost: a function in a file."""
    if text is None:
        return None
    from bayescale.parts.userfile import import_file

    file, _, name = text.rpartition(":")
    if not file.endswith(".py"):
        raise typer.BadParameter(f"{text!r}: write it as costs.py:function", param_hint="--cost")
    found = getattr(import_file(Path(file)), name, None)
    if not callable(found):
        raise typer.BadParameter(f"{file} has no function {name!r}", param_hint="--cost")
    return found


@app.command(
    epilog=examples(
        "bayescale ask crossing skills.nc --a family=qwen2 --b family=llama-2 --benchmark MMLU "
        "--tokens-per-param 200",
        "bayescale ask crossing over.nc --a corpus=c4 --b corpus=rpj --tokens-per-param 20",
        "bayescale ask crossing chinchilla.nc --other kaplan.nc --tokens-per-param 20",
    )
)
@with_law
@question(_read_sides)
def crossing(
    fit: FitFile,
    a: Sides = None,
    b: Sides = None,
    along: Along = "flops",
    other: Other = None,
    within: Annotated[
        str | None, typer.Option(metavar="LOW..HIGH", help="Where to look: 1e20..1e27.")
    ] = None,
    tokens_per_param: Ratio = None,
    params: Params = None,
    tokens: Tokens = None,
    at: At = None,
    benchmark: OneBenchmark = None,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
) -> None:
    """Find where two families, corpora or laws cross, and whether they ever do."""


def _span(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, dots, high = text.partition("..")
    if not dots:
        raise typer.BadParameter(f"{text!r}: write it as 1e20..1e27", param_hint="--within")
    return count(low), count(high)


@app.command(
    epilog=examples(
        "bayescale ask gain skills.nc 1e23 --a family=qwen2 --b family=llama-2 --benchmark MMLU "
        "--tokens-per-param 200",
        "bayescale ask gain over.nc 1e21 --a corpus=c4 --b corpus=rpj --tokens-per-param 20 --json",
    )
)
@with_law
@question(_read_sides)
def gain(
    fit: FitFile,
    where: Annotated[
        float, typer.Argument(parser=count, metavar="AMOUNT", help="What --a has of the input.")
    ],
    a: Sides = None,
    b: Sides = None,
    along: Along = "flops",
    other: Other = None,
    tokens_per_param: Ratio = None,
    params: Params = None,
    tokens: Tokens = None,
    at: At = None,
    benchmark: OneBenchmark = None,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
) -> None:
    """Find how many times the compute one needs to be as good as another."""


@app.command(
    epilog=examples(
        "bayescale ask elasticity chinchilla.nc --params 7B --tokens 2T",
        "bayescale ask elasticity skills.nc --family qwen2 --params 7B --tokens 7T --factor 10",
    )
)
@with_law
@question()
def elasticity(
    fit: FitFile,
    factor: Annotated[float, typer.Option(help="By what to multiply.")] = 2.0,
    family: Family = None,
    params: Params = None,
    params_active: ParamsActive = None,
    tokens: Tokens = None,
    flops: Flops = None,
    at: At = None,
    benchmark: Benchmarks = None,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
) -> None:
    """Find what doubling each input brings."""


@app.command(
    epilog=examples(
        "bayescale ask contributions skills.nc --benchmark MMLU --family mine --params 70B",
        "bayescale ask contributions chinchilla.nc --params 70B --tokens 1.4T --plot parts.png",
    )
)
@with_law
@question()
def contributions(
    fit: FitFile,
    family: Family = None,
    params: Params = None,
    params_active: ParamsActive = None,
    tokens: Tokens = None,
    flops: Flops = None,
    at: At = None,
    benchmark: OneBenchmark = None,
    interval: Interval = 0.9,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
    plot: Plot = None,
) -> None:
    """Take a prediction and the width of its interval apart."""


@app.command(
    epilog=examples(
        "bayescale ask checklist chinchilla.nc",
        "bayescale ask checklist chinchilla.nc --json",
    )
)
@with_law
@question()
def checklist(fit: FitFile, as_json: Json = False, csv: CsvOut = None) -> None:
    """List what a reader needs to reproduce a fit."""
