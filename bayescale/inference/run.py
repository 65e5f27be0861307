"""The sampling half of a fit: a model and a table in, a posterior out."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Sequence
from typing import TypeVar

import jax

import bayescale.base.progress as show
from bayescale.base.errors import FitError
from bayescale.base.version import __version__
from bayescale.inference.labels import to_datasets
from bayescale.inference.posterior import Posterior
from bayescale.inference.sampler import sample
from bayescale.inference.transition import WINDOW, compile_program
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.model import Model
from bayescale.tables.table import Table

CHAINS, WINDOWS, DRAWS = 4, 5, 800
LIBRARIES = ("numpyro", "jax", "jaxlib", "numpy", "xarray", "arviz-stats")

P = TypeVar("P", bound=Posterior)


def run(
    kind: type[P],
    model: Model,
    table: Table,
    *,
    seed: int,
    chains: int = CHAINS,
    warmup: int = WINDOWS * WINDOW,
    draws: int = DRAWS,
    progress: bool = True,
    left_out: Sequence[str] = (),
) -> P:
    """Sample the posterior of a model given a table, with NUTS.

    Parameters
    ----------
    kind
        Class of what is given back.
    model, table
        The model, and what was measured.
    seed, chains, warmup, draws, progress
        As of `fit`.
    left_out
        Groups of the model's card that the table does not tell, which is said.

    Raises
    ------
    FitError
        Too few chains, warm-up or draws.
    ModelError
        The table lacks what the model needs, or is none.
    """
    chosen = on_table(model, table)
    for name, value, least in (
        ("chains", chains, 1),
        ("warmup", warmup, 2 * WINDOW),
        ("draws", draws, 4),
    ):
        if value < least:
            raise FitError(f"{name} must be at least {least}; given: {value}")
    grid, used = lay_out(chosen, table), versions()
    windows = -(-warmup // WINDOW)
    with jax.enable_x64(True), show.progress(chains, windows * WINDOW + draws, progress) as report:
        began = time.perf_counter()
        for group in left_out:
            report.say(f"without {group} of the card, which table {table.name} does not tell")
        report.say(f"compiling {chosen.name} (half a minute at most; less when cached)")
        program = compile_program(chosen, grid)
        compiled = time.perf_counter()
        report.say(f"sampling {chains} chains of {windows * WINDOW} + {draws}")
        found = sample(
            program,
            grid,
            seed=seed,
            chains=chains,
            windows=windows,
            draws=draws,
            tell=report.advance,
        )
        ended = time.perf_counter()
    posterior, stats = to_datasets(chosen, table, found)
    return kind(
        model=chosen,
        table=table,
        posterior=posterior,
        sample_stats=stats,
        seed=seed,
        versions=used,
        seconds={"compile": compiled - began, "sample": ended - compiled},
    )


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide the draws."""
    found = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "bayescale": __version__, **found}
