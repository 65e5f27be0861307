"""The level of a law at its reference run, which data pin down better than any coefficient.

A law that drifts leaves its floor and its amplitudes free to trade: only their sum is told. So the
floor is sampled around what the others and the level say, which straightens a curved ridge. Only
the coordinates of the sampler depend on this, not the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from bayescale.models.grid import Grid
from bayescale.models.record import ModelRecord
from bayescale.models.sites import taken
from bayescale.parts.coefficients import OF_BENCHMARKS, Coefficient
from bayescale.parts.drift import RELEASED

STEPS = 4  # of Newton, each no longer than one on the log


def reference_inputs(model: ModelRecord) -> dict[str, float]:
    """Give the inputs of the reference run as a law reads them: one where they are over its own."""
    return {
        column.name: 1.0 if column.reference else model.reference.get(column.name, 1.0)
        for column in model.law.columns
    }


def reference_place(model: ModelRecord) -> dict[str, float]:
    """Give where members without data are told: the reference run, on its date."""
    return reference_inputs(model) | ({RELEASED: 0.0} if RELEASED in model.drift else {})


@lru_cache(maxsize=256)
def pinned_by_level(model: ModelRecord) -> str:
    """Name the coefficient of a drifting law that moves its level most; "" where there is none."""
    if not model.learns_drift or model.of_leaderboard:
        return ""
    numbers = [c.name for c in model.law.coefficients if not c.dims and _members_of(model, c)]
    with jax.ensure_compile_time_eval():
        moved = jax.grad(lambda real: log_law(model, reference_inputs(model), real))(usual(model))
        return max(numbers, key=lambda name: abs(float(moved[name])), default="")


def usual(model: ModelRecord) -> dict[str, Array]:
    """Give the prior medians of a law's coefficients, on the real line."""
    return {c.name: jnp.asarray(c.prior.location) for c in model.coefficients if _of(model, c)}


def log_law(model: ModelRecord, inputs: Mapping[str, Any], real: Mapping[str, Array]) -> Array:
    """Give the log of the response, from real-line values of the coefficients."""
    where = {name: jnp.asarray(value) for name, value in inputs.items()}
    found: Array = jnp.log(model.law.given(where, taken(model.law.coefficients, real)))
    return found


def log_residuals(grid: Grid, given: Array) -> Array:
    """Give the mean over benchmarks of log measured less log expected, shape (run,); 0 for none."""
    own = jnp.asarray(grid.own, int)
    scores = jnp.asarray(grid.scores)[:, own]
    seen = (jnp.asarray(grid.weights)[:, own] > 0) & (scores > 0)  # a difference may be negative
    logs = jnp.log(jnp.where(seen, scores, 1.0))
    away = jnp.where(seen, logs - jnp.broadcast_to(given, seen.shape[::-1]).T, 0.0)
    return away.sum(axis=1) / jnp.maximum(seen.sum(axis=1), 1)


def level_given(
    model: ModelRecord,
    grid: Grid,
    coefficient: Coefficient,
    others: Mapping[str, Array],
    group: str = "",
) -> Array:
    """Give the value of a coefficient at which the law has the level that data say.

    Parameters
    ----------
    model, grid
        As of the density.
    coefficient
        The coefficient.
    others
        Values of the law's others; of each member, where a group is given.
    group
        The group of runs whose members have a value each; the others then differ by member.

    Returns
    -------
    Array
        A number, or shape (member,).
    """
    start = usual(model)
    reference = reference_inputs(model)
    residuals = log_residuals(grid, log_law(model, grid.inputs, start))
    seen = jnp.where((jnp.asarray(grid.weights) > 0).any(axis=1), 1.0, 0.0)
    mine, count = (grid.groups[group], grid.counts(group)[1]) if group else (0, 1)
    member = jnp.broadcast_to(jnp.asarray(mine), seen.shape)
    total, number = (jnp.zeros(count).at[member].add(v) for v in (residuals * seen, seen))
    level = log_law(model, reference, start) + total / jnp.maximum(number, 1)
    level = level if group else level[0]
    rest = {name: others[name] for name in start if name != coefficient.name}

    def above(value: Array) -> Array:
        return log_law(model, reference, {**rest, coefficient.name: value}) - level

    def step(_: int, value: Array) -> Array:
        gap, slope = jax.jvp(above, (value,), (jnp.ones_like(value),))
        return value - jnp.tanh(gap / slope)

    first = jnp.broadcast_to(start[coefficient.name], level.shape)
    found: Array = jax.lax.fori_loop(0, STEPS, step, first)
    return found


def _members_of(model: ModelRecord, coefficient: Coefficient) -> bool:
    """Tell whether a coefficient has one value, or one for each member of one group of runs."""
    rules = model.pooling.get(coefficient.name, ())
    return len(rules) < 2 and not any(rule.group in OF_BENCHMARKS for rule in rules)


def _of(model: ModelRecord, coefficient: Coefficient) -> bool:
    return coefficient.name in {c.name for c in model.law.coefficients}
