"""What every card's density is at seeded positions, by the name of each site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpy.typing import NDArray
from numpyro.distributions import biject_to
from numpyro.handlers import seed as seeded
from numpyro.handlers import substitute, trace
from numpyro.infer.util import potential_energy

from bayescale.models.cards import customise, load_model, own_table
from bayescale.models.density import density
from bayescale.models.grid import Grid
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.model import Model
from bayescale.models.sites import from_standard
from bayescale.tables.named import load_table
from bayescale.tables.table import Table

POSITIONS = 20
RUNS = 48  # of a selection
SHRINK = 0.5  # of a standard deviation: positions lie nearer to the prior mean than its draws
BEFORE = {"skills": Path(__file__).parent / "skills_before.toml"}
LEADERBOARD = {
    "benchmarks": ["MMLU", "HellaSwag", "GSM8K", "ARC", "Winogrande"],
    "families": ["bloom", "llama", "llama-2", "opt", "pythia", "qwen1.5", "qwen2", "xglm"],
}

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Stored:
    """Positions of each site on the real line, and the density there.

    Parameters
    ----------
    positions, gradients
        Site to values, shape (position, ...).
    log_density
        Shape (position,).
    """

    positions: Arrays
    gradients: Arrays
    log_density: NDArray[np.float64]


def selection(model: Model) -> Table:
    """Give some runs of the model's own table, spread over it; the same ones whatever the model."""
    if not model.table:
        return load_table("sloth-2024").select(**LEADERBOARD)
    table = own_table(model)
    every = max(len(table.runs) // RUNS, 1)
    return table.select(runs=table.runs.index[::every])


def laid_out(name: str) -> tuple[Model, Grid]:
    """Give a card's model, as before laws and skills drifted, and the grid of its selection."""
    model = customise(load_model(BEFORE.get(name, name)), drift="none")
    table = selection(model)
    table = replace(table, benchmarks=table.benchmarks.assign(ceiling=1.0))
    model = on_table(model, table)
    return model, lay_out(model, table)


def seeded_positions(name: str, model: Model, grid: Grid) -> Arrays:
    """Draw positions of every site, on the real line, shape (position, ...)."""
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.PRNGKey(crc32(name.encode())), POSITIONS)
        found = [_position(model, grid, key) for key in keys]
    return {site: np.stack([one[site] for one in found]) for site in sorted(found[0])}


def _position(model: Model, grid: Grid, key: Any) -> Arrays:
    def near_mean(site: Any) -> Any:
        if site["type"] != "sample":
            return None
        own = jax.random.fold_in(key, crc32(site["name"].encode()))
        base = site["fn"]
        while isinstance(base, dist.Independent | dist.ExpandedDistribution):
            base = base.base_dist
        if isinstance(base, dist.Normal | dist.MultivariateNormal):
            shape = site["fn"].shape()
            return from_standard(site["fn"], SHRINK * jax.random.normal(own, shape))
        return site["fn"].sample(own)

    drawn = trace(substitute(seeded(density, key), substitute_fn=near_mean)).get_trace(model, grid)
    return {
        name: np.asarray(biject_to(site["fn"].support).inv(site["value"]))
        for name, site in drawn.items()
        if site["type"] == "sample" and not site["is_observed"]
    }


def evaluated(model: Model, grid: Grid, positions: Mapping[str, Any]) -> Stored:
    """Evaluate log density and gradient at positions of every site."""

    def log_density(position: Any) -> Any:
        return -potential_energy(density, (model, grid), {}, position)

    with jax.enable_x64(True):
        at = {site: jnp.asarray(values) for site, values in positions.items()}
        value, gradient = jax.jit(lambda at: jax.lax.map(jax.value_and_grad(log_density), at))(at)
        return Stored(
            {site: np.asarray(values) for site, values in at.items()},
            {site: np.asarray(values) for site, values in gradient.items()},
            np.asarray(value),
        )
