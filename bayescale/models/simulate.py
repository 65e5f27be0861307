"""Draws from the prior: of scores, and of whole data sets."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import pandas as pd
from numpyro.handlers import seed as seeded
from numpyro.handlers import trace

from bayescale.models.density import distribution
from bayescale.models.evaluate import BATCH, bounds
from bayescale.models.grid import Grid
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.record import ModelRecord
from bayescale.tables.table import Table

Arrays = dict[str, np.ndarray[Any, Any]]
# Random numbers of many sites compile slowly and run once: less optimised, in half the time.
ONCE = {"xla_backend_optimization_level": 0}


def simulate(model: ModelRecord, grid: Grid, *, draws: int, seed: int) -> tuple[Arrays, Arrays]:
    """Draw coefficients from the prior, and scores from the coefficients.

    Parameters
    ----------
    model, grid
        The model, and the runs and benchmarks to simulate; scores are not looked at.
    draws, seed
        Number of draws, and the seed.

    Returns
    -------
    sites : dict
        Every site, shape (draw, ...).
    grids : dict
        `expected` and `score`, shape (draw, run, benchmark); scores are not clipped.
    """
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.PRNGKey(seed), draws)
        sites, grids = _simulate(model, grid, keys)
        return _as_numpy(sites), _as_numpy(grids)


@partial(jax.jit, static_argnames=("model",), compiler_options=ONCE)
def _simulate(model: ModelRecord, grid: Grid, keys: Any) -> Any:
    def one(key: Any) -> Any:
        site_key, noise_key = jax.random.split(key)
        with trace() as sites, seeded(rng_seed=site_key):
            expected, measured = distribution(model, grid)
        drawn = {name: site["value"] for name, site in sites.items() if site["type"] == "sample"}
        return drawn, {"expected": expected.T, "score": measured.sample(noise_key).T}

    return jax.lax.map(one, keys, batch_size=BATCH)


def _as_numpy(arrays: Any) -> Arrays:
    return {name: np.asarray(values) for name, values in arrays.items()}


def prior_scores(
    model: ModelRecord, table: Table, *, draws: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Draw scores from the prior, for the runs of a table.

    Parameters
    ----------
    model
        The model.
    table
        Gives runs, families and benchmarks; its scores are not looked at.
    draws
        Number of draws.
    seed
        Seed.

    Returns
    -------
    DataFrame
        Columns `draw`, `run`, `benchmark`, `expected`, `score`.
    """
    model = on_table(model, table)
    grid = lay_out(model, table)
    _, grids = simulate(model, grid, draws=draws, seed=seed)
    index = pd.MultiIndex.from_product(
        [range(draws), table.runs.index, table.benchmarks.index], names=["draw", "run", "benchmark"]
    )
    return pd.DataFrame(
        {
            "expected": grids["expected"].reshape(-1),
            "score": np.clip(grids["score"], *bounds(grid)).reshape(-1),
        },
        index=index,
    ).reset_index()
