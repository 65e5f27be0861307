"""`bayescale plot`: pictures of a fit and of a prior; `plot_backtest` adds those of trust."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.base.errors import BayescaleError
from bayescale.base.files import atomic_path, check_writable
from bayescale.base.runtime import keep_compiled
from bayescale.cli.fit import table_for
from bayescale.cli.group import examples
from bayescale.cli.options import (
    Benchmarks,
    FitFile,
    Inputs,
    Measured,
    ModelName,
    OwnTable,
    Response,
    Seed,
    columns,
    count,
    pairs,
)
from bayescale.cli.output import note
from bayescale.cli.own_law import load_fit, load_model, with_law

if TYPE_CHECKING:
    from bayescale.fits import Fit

app = typer.Typer(
    help="Draw pictures of a fit, a prior, a backtest and a comparison.", no_args_is_help=True
)

FORMATS = (".png", ".svg", ".pdf")

Out = Annotated[Path, typer.Option(help="The picture to write: .png, .svg or .pdf.")]


OfMember = Annotated[
    str | None,
    typer.Option(
        "--of",
        metavar="GROUP=MEMBER",
        help="A member, as in corpus=c4, whose law and runs to draw.",
    ),
]
By = Annotated[
    str | None, typer.Option(help="A group; the first that the law is pooled over if left out.")
]
At = Annotated[
    list[str] | None,
    typer.Option(
        metavar="INPUT=COUNT",
        help="Another input, as in experts=8; that of the reference run if left out; may be "
        "repeated.",
    ),
]


def check_out(out: Path) -> None:
    """Refuse a place that no picture can be written to, and get ready to draw one."""
    if out.suffix.lower() not in FORMATS:
        raise BayescaleError(f"cannot write to {out}: end its name in {', '.join(FORMATS)}")
    check_writable(out)
    keep_compiled()
    import matplotlib as mpl

    mpl.use("agg")  # a picture goes to a file; a machine without a screen is fine


def prepare(path: Path, out: Path) -> Fit:
    check_out(out)

    return load_fit(path)


def _member(text: str | None) -> tuple[str, str] | None:
    """Read --of: a group and its member."""
    return next(iter(pairs([text] if text else [], "--of", "corpus=c4").items()), None)


def _others(texts: list[str] | None) -> dict[str, float]:
    """Read --at: values of inputs that a picture keeps."""
    # A flag may be zero, which is no count.
    given = pairs(texts, "--at", "experts=8").items()
    return {name: 0.0 if text == "0" else count(text) for name, text in given}


def save(axes: Any, out: Path) -> None:
    """Write the figure that an axes, or an array of axes, belongs to."""
    import numpy as np

    figure = np.atleast_1d(np.asarray(axes, dtype=object)).flat[0].figure
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight")
    note(f"wrote {out}")


@app.command(
    epilog=examples(
        "bayescale plot fans skills.nc --family qwen2 --family llama-3 --benchmark MMLU --out x.png"
    )
)
@with_law
def fans(
    fit: FitFile,
    out: Out,
    family: Annotated[
        list[str] | None, typer.Option("--family", help="A family; may be repeated.")
    ] = None,
    benchmark: Benchmarks = None,
) -> None:
    """Draw scores against compute with fans of prediction intervals."""
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_fans(posterior, families=family, benchmarks=benchmark), out)


@app.command(epilog=examples("bayescale plot loadings skills.nc --out loadings.png"))
@with_law
def loadings(fit: FitFile, out: Out) -> None:
    """Draw how each benchmark depends on each latent skill."""
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_loadings(posterior), out)


@app.command(epilog=examples("bayescale plot trace skills.nc --out trace.png"))
@with_law
def trace(fit: FitFile, out: Out) -> None:
    """Draw the chains of the population-level sites."""
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_trace(posterior), out)


@app.command(epilog=examples("bayescale plot rank skills.nc --out rank.png"))
@with_law
def rank(fit: FitFile, out: Out) -> None:
    """Draw rank histograms of the chains: flat where they agree."""
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_rank(posterior), out)


@app.command(
    epilog=examples(
        "bayescale plot contours chinchilla.nc --out contours.png",
        "bayescale plot contours overtraining.nc --of corpus=c4 --out contours.png",
    )
)
@with_law
def contours(
    fit: FitFile,
    out: Out,
    x: Annotated[str, typer.Option(help="The input of the horizontal axis.")] = "params",
    y: Annotated[str, typer.Option(help="The input of the vertical axis.")] = "tokens",
    of: OfMember = None,
    at: At = None,
) -> None:
    """Draw a law over two inputs, with the data, lines of equal compute and the best path."""
    member, others = _member(of), _others(at)
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_contours(posterior, x, y, of=member, at=others), out)


@app.command(
    epilog=examples(
        "bayescale plot isoflops chinchilla.nc --out isoflops.png",
        "bayescale plot isoflops chinchilla.nc --budget 1e20 --budget 1e21 --out isoflops.png",
    )
)
@with_law
def isoflops(
    fit: FitFile,
    out: Out,
    budget: Annotated[
        list[float] | None,
        typer.Option("--budget", help="FLOPs; may be repeated; those of the table if left out."),
    ] = None,
    of: OfMember = None,
    at: At = None,
) -> None:
    """Draw a law against size at fixed compute, with the best size of each budget."""
    member, others = _member(of), _others(at)
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_isoflops(posterior, budget or None, of=member, at=others), out)


@app.command(
    epilog=examples(
        "bayescale plot curve bnsl.nc --out curve.png",
        "bayescale plot curve overtraining.nc --x flops --by corpus --out curve.png",
    )
)
@with_law
def curve(
    fit: FitFile,
    out: Out,
    x: Annotated[
        str | None, typer.Option(help="The input; the only one of the law if left out.")
    ] = None,
    by: By = None,
    member: Annotated[
        list[str] | None, typer.Option("--member", help="A member of --by; may be repeated.")
    ] = None,
    at: At = None,
    seed: Seed = 0,
) -> None:
    """Draw a law along one input, to a decade beyond the data."""
    others = _others(at)
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_curve(posterior, x, by=by, members=member or None, at=others, seed=seed), out)


@app.command(
    epilog=examples(
        "bayescale plot forest overtraining.nc --out forest.png",
        "bayescale plot forest overtraining.nc --coefficient eta --units paper --out forest.png",
    )
)
@with_law
def forest(
    fit: FitFile,
    out: Out,
    coefficient: Annotated[
        list[str] | None,
        typer.Option("--coefficient", help="A coefficient; may be repeated; all if left out."),
    ] = None,
    by: By = None,
    units: Annotated[
        str, typer.Option(help="reference (at the reference run) or paper (as it prints them).")
    ] = "reference",
) -> None:
    """Draw coefficients of the members of a group, beside the population and the prior."""
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_forest(posterior, coefficient or None, by=by, units=units), out)


@app.command(
    epilog=examples(
        "bayescale plot residuals chinchilla.nc --out residuals.png",
        "bayescale plot residuals overtraining.nc --against multiplier --out residuals.png",
    )
)
@with_law
def residuals(
    fit: FitFile,
    out: Out,
    against: Annotated[
        str | None, typer.Option(help="An input or a group; the law's first input if left out.")
    ] = None,
    by: By = None,
    of: OfMember = None,
) -> None:
    """Draw what was measured over what the law expects, and name outliers."""
    member = _member(of)
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_residuals(posterior, against, by=by, of=member), out)


@app.command(
    epilog=examples(
        "bayescale plot drift chinchilla.nc --out drift.png",
    )
)
@with_law
def drift(fit: FitFile, out: Out, of: OfMember = None, seed: Seed = 0) -> None:
    """Draw how far a law's shape has drifted along each input, and may beyond the data."""
    member = _member(of)
    posterior = prepare(fit, out)
    import bayescale as bs

    save(bs.plot_drift(posterior, member, seed=seed), out)


@app.command(
    epilog=examples(
        "bayescale plot prior chinchilla --out prior.png",
        "bayescale plot prior power-floor --table my_runs.csv --response loss --input x=flops "
        "--out prior.png",
    )
)
@with_law
def prior(
    model: ModelName,
    out: Out,
    table: OwnTable = None,
    response: Response = None,
    benchmark: Measured = None,
    inputs: Inputs = None,
    x: Annotated[
        str | None, typer.Option(help="The input to draw along; the law's first if left out.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Draw what the priors of a model or a law expect of a table; nothing is fitted."""
    given = columns(inputs)
    check_out(out)
    import bayescale as bs
    from bayescale.models.cards import customise

    card = customise(load_model(model), inputs=given)
    data = table_for(card, table, response=response, benchmark=benchmark)
    save(bs.plot_prior(card, data, x, seed=seed), out)
