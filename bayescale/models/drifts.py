"""How far the shape of a model's law has drifted at each run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from bayescale.models.cells import distance
from bayescale.models.grid import Grid
from bayescale.models.level import log_residuals
from bayescale.models.plan import plan
from bayescale.models.record import ModelRecord
from bayescale.models.sites import Pulled, normal, site, spread
from bayescale.models.values import Values
from bayescale.parts.drift import CELL, DRIFT, hinges

USUAL_NOISE = 0.01  # of the log response, where a noise tells none


def sample_drift(model: ModelRecord, grid: Grid, values: Values, given: Array) -> Array:
    """Sample the increments, and give what they add to the log response, shape (run,).

    Parameters
    ----------
    model, grid, values
        As of the density.
    given
        What the law gives for each run.
    """
    known, total = grid.counts(CELL)
    rules = [rule for drift in model.drift.values() for rule in drift.parts.values()]
    scales = jnp.stack([spread(DRIFT, rule, ()) for rule in rules])[grid.cells.part]
    members, blocks = plan(model).sites[DRIFT], []
    if known:
        pull = log_residuals(grid, jnp.log(given)), _noise(model, values)
        blocks.append(site(members.name, Pulled(0.0, scales[:known], *pull).to_event(1)))
    if total > known:
        blocks.append(site(members.new, normal(0.0, scales[known:], (total - known,))))
    return jnp.concatenate(blocks) @ reach(model, grid, values.inputs)


def reach(model: ModelRecord, grid: Grid, inputs: Mapping[str, Any]) -> Array:
    """Give what a unit increment of each cell adds to each run, shape (cell, run)."""
    cells, nobody = grid.cells, jnp.zeros(grid.runs, int)
    parts = [(d.order, group) for d in model.drift.values() for group in d.parts]
    away = jnp.stack([distance(inputs, along, jnp.log) for along in model.drift])
    mine = jnp.stack([grid.groups[group] if group else nobody for _, group in parts])[cells.part]
    order = jnp.array([order for order, _ in parts])[cells.part]
    start, width = jnp.asarray(cells.start), jnp.asarray(cells.width)
    found = hinges(order[:, None], away[cells.along], start[:, None], width[:, None])
    return jnp.where(mine == jnp.asarray(cells.member)[:, None], found, 0.0)


def _noise(model: ModelRecord, values: Values) -> Array:
    """Give the spread of a measured log response about its mean, roughly: noises differ."""
    names = {c.name for c in model.noise.coefficients}
    spread = jnp.asarray(USUAL_NOISE)
    if "spread" in names and model.noise.name.endswith("-log"):
        spread = jnp.exp(jnp.mean(values.of_runs["spread"]))
    if "degrees" in names:  # what a Student-t tells of its centre
        degrees = 1.0 + jnp.exp(jnp.mean(values.of_runs["degrees"]))
        spread = spread * jnp.sqrt((degrees + 3) / (degrees + 1))
    return spread
