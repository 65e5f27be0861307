"""`bayescale plot`: pictures of a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.cli.group import examples
from bayescale.cli.options import Benchmarks, FitFile
from bayescale.cli.output import note
from bayescale.errors import BayescaleError
from bayescale.files import atomic_path, check_writable
from bayescale.runtime import keep_compiled

if TYPE_CHECKING:
    from bayescale.fit import Fit

app = typer.Typer(help="Draw pictures of a fit.", no_args_is_help=True)

FORMATS = (".png", ".svg", ".pdf")

Out = Annotated[Path, typer.Option(help="The picture to write: .png, .svg or .pdf.")]


def _prepare(path: Path, out: Path) -> Fit:
    if out.suffix.lower() not in FORMATS:
        raise BayescaleError(f"cannot write to {out}: end its name in {', '.join(FORMATS)}")
    check_writable(out)
    keep_compiled()
    import matplotlib as mpl

    mpl.use("agg")  # a picture goes to a file; a machine without a screen is fine
    import bayescale as bs

    return bs.load_fit(path)


def _save(axes: Any, out: Path) -> None:
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
def fans(
    fit: FitFile,
    out: Out,
    family: Annotated[
        list[str] | None, typer.Option("--family", help="A family; may be repeated.")
    ] = None,
    benchmark: Benchmarks = None,
) -> None:
    """Draw scores against compute with fans of prediction intervals."""
    posterior = _prepare(fit, out)
    import bayescale as bs

    _save(bs.plot_fans(posterior, families=family, benchmarks=benchmark), out)


@app.command(epilog=examples("bayescale plot coverage skills.nc --out coverage.png"))
def coverage(fit: FitFile, out: Out) -> None:
    """Draw how often intervals hold what was observed, against their nominal probability."""
    posterior = _prepare(fit, out)
    import bayescale as bs

    _save(bs.plot_coverage(posterior), out)


@app.command(epilog=examples("bayescale plot loadings skills.nc --out loadings.png"))
def loadings(fit: FitFile, out: Out) -> None:
    """Draw how each benchmark depends on each latent skill."""
    posterior = _prepare(fit, out)
    import bayescale as bs

    _save(bs.plot_loadings(posterior), out)


@app.command(epilog=examples("bayescale plot trace skills.nc --out trace.png"))
def trace(fit: FitFile, out: Out) -> None:
    """Draw the chains of the population-level sites."""
    posterior = _prepare(fit, out)
    import bayescale as bs

    _save(bs.plot_trace(posterior), out)


@app.command(epilog=examples("bayescale plot rank skills.nc --out rank.png"))
def rank(fit: FitFile, out: Out) -> None:
    """Draw rank histograms of the chains: flat where they agree."""
    posterior = _prepare(fit, out)
    import bayescale as bs

    _save(bs.plot_rank(posterior), out)
