"""The density of every model: law, effects, loadings, link and noise in one pipeline.

A law gives skills, latent scores or a quantity such as a loss from inputs over those of the
reference run; effects shift it; loadings turn skills into latent scores; a link turns these, or a
loss, into expected scores; a noise says what is measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
from jax import Array

from bayescale.models.drifts import drifting_law, reach
from bayescale.models.grid import Grid
from bayescale.models.level import reference_inputs
from bayescale.models.plan import plan
from bayescale.models.record import OF_SCORES, ModelRecord
from bayescale.models.sites import taken
from bayescale.models.values import (
    Values,
    drifted,
    in_order,
    loaded,
    of_members,
    response,
    sample_effect,
    sample_values,
)


def density(model: ModelRecord, grid: Grid) -> None:
    """Declare the joint density: every coefficient's site, and the scores weighed in.

    Parameters
    ----------
    model
        Law, link, noise and pooling.
    grid
        The data; a score of weight zero has no influence, whatever its value.
    """
    _, measured = distribution(model, grid)
    numpyro.factor("scores", jnp.sum(grid.weights * log_likelihood(measured, grid)))


def log_likelihood(measured: Any, grid: Grid) -> Array:
    """Log density of each score on the grid, shape (run, benchmark); weights are not applied."""
    # A score of weight zero is replaced before it is used, so that not even a NaN can leak.
    observed = jnp.where(grid.weights > 0, grid.scores, 0.5)
    return jnp.broadcast_to(measured.log_prob(observed.T), grid.weights.shape[::-1]).T


def distribution(model: ModelRecord, grid: Grid) -> tuple[Array, Any]:
    """Sample every coefficient and evaluate law, link and noises.

    Parameters
    ----------
    model
        Law, link, noise and pooling.
    grid
        The data; members beyond the known ones are drawn anew.

    Returns
    -------
    expected : Array
        Expected values, shape (benchmark, run): processors work along the last axis, and runs are
        many.
    measured
        Distribution of the measured values, same shape: `log_prob` and `sample`.
    """
    values = sample_values(model, grid)
    given = _law(model, grid, values)
    blocks: list[tuple[tuple[int, ...], Array, Any]] = []
    if grid.own:
        quantity = jnp.broadcast_to(given, (len(grid.own), grid.runs))
        blocks.append((grid.own, quantity, _measured(model, grid, values, grid.own, quantity)))
    if grid.scored and model.link is not None:
        latent, pivot = _latent(model, grid, values, given)
        chance, top = (_of(grid, column, grid.scored) for column in (grid.chance, grid.top))
        known = {model.link.of: latent, "pivot": pivot, "chance": chance, "top": top}
        scores = model.link.given(known, taken(model.link.coefficients, values.of_runs))
        blocks.append((grid.scored, scores, _measured(model, grid, values, grid.scored, scores)))
    if len(blocks) == 1:
        _, expected, measured = blocks[0]
        return expected, measured
    both = Stacked(tuple(m for *_, m in blocks), tuple(at for at, *_ in blocks))
    return both.arranged([expected for _, expected, _ in blocks]), both


@dataclass(frozen=True)
class Stacked:
    """Distributions of some benchmarks each, as one over all."""

    parts: tuple[Any, ...]
    places: tuple[tuple[int, ...], ...]

    def log_prob(self, values: Array) -> Array:
        """Log density, shape (benchmark, run)."""
        pairs = zip(self.parts, self.places, strict=True)
        return self.arranged([part.log_prob(values[jnp.asarray(at)]) for part, at in pairs])

    def sample(self, key: Any) -> Array:
        """One draw, shape (benchmark, run)."""
        keys = jax.random.split(key, len(self.parts))
        return self.arranged([part.sample(k) for part, k in zip(self.parts, keys, strict=True)])

    def arranged(self, blocks: Sequence[Array]) -> Array:
        """Put blocks of rows in the order of the benchmarks."""
        order = jnp.argsort(jnp.asarray([j for at in self.places for j in at]))
        return jnp.concatenate(blocks)[order]


def law_values(model: ModelRecord, grid: Grid, measured: int, run: int) -> dict[str, Array]:
    """Sample the coefficients of the law, in natural units, for one response of one run.

    Parameters
    ----------
    model
        Law and pooling.
    grid
        The data; members beyond the known ones are drawn anew.
    measured
        Position among the law's own responses.
    run
        Position of the run.

    Returns
    -------
    dict
        Coefficient to its value, a number; of one with more dimensions, these.
    """
    found = {}
    sites, coefficients = plan(model).sites, model.law.coefficients
    for name, value in taken(coefficients, sample_values(model, grid).of_runs).items():
        more = sum(dim == "contrast" for dim in sites[name].dims)
        tail = jnp.shape(value)[jnp.ndim(value) - more :]
        wide = jnp.broadcast_to(value, (len(grid.own), grid.runs, *tail))
        found[name] = wide[measured, run]
    return found


def levels_at(
    model: ModelRecord,
    grid: Grid,
    places: dict[str, dict[str, Array]],
    within: dict[str, dict[str, Array]],
) -> dict[str, Array]:
    """Give the values of members that are told at their own place, at another place.

    Parameters
    ----------
    model, grid
        As of `distribution`, which samples the same sites.
    places
        For each group the law's inputs at the new place of each of its members, shape (member,).
    within
        As of the grid: which members of other groups hold them there.

    Returns
    -------
    dict
        Site to its members' values, shape (member, ...).
    """
    values = sample_values(model, grid)
    found = {}
    for site in plan(model).told():
        if site.group in places:
            own = of_members(values, dataclasses.replace(grid, within=within), site.group)
            place = places[site.group]
            moved = drifted(model, grid, values.increments, place)
            last = response(model, site.coefficient, place, own, moved)
            found[site.name] = jnp.moveaxis(last, -1, 0)
    return found


def _law(model: ModelRecord, grid: Grid, values: Values) -> Array:
    """Evaluate the law for each run, drifted and shifted: on logits by a sum, else by a factor."""
    coefficients = taken(model.law.coefficients, values.of_runs)

    def law(inputs: Mapping[str, Any]) -> Array:
        given: Array = model.law.given(inputs, coefficients)
        return given

    if model.drift and values.increments is None:
        given = drifting_law(model, grid, values.population, law)
    else:
        given = law(values.inputs)
    if values.increments is not None:
        given = given + values.increments.T @ reach(model, grid, values.inputs, grid.groups)
    for group in model.effects:
        shift = sample_effect(model, group, grid)
        given = given + shift if model.of_leaderboard else given * jnp.exp(shift)
    return given


def _latent(model: ModelRecord, grid: Grid, values: Values, given: Array) -> tuple[Array, Array]:
    """Give what the link takes, (benchmark, run), and its value at the reference run."""
    if model.law.response == "skills":
        levels, of_runs, order = values.levels, values.of_runs, in_order(grid)
        level = of_runs["difficulty"] + loaded(of_runs["loading"], given)
        pivot = jnp.concatenate([_pivot(model, levels), levels["difficulty"]])
        return jnp.concatenate([given, level])[order], pivot[order]
    if model.law.response == "latent":
        return given, _pivot(model, values.levels)
    # A loss has one value for all scores behind it, and members have their own at the reference.
    return jnp.broadcast_to(given, (len(grid.own), grid.runs))[:1], _pivot(model, values.of_runs)


def _pivot(model: ModelRecord, values: dict[str, Array]) -> Array:
    """Evaluate the law at the reference run, where scores are pinned."""
    law = taken(model.law.coefficients, values)
    found = model.law.given({k: jnp.asarray(v) for k, v in reference_inputs(model).items()}, law)
    return jnp.atleast_2d(found)


def _measured(
    model: ModelRecord, grid: Grid, values: Values, at: tuple[int, ...], expected: Array
) -> Any:
    """Give a noise what its signature names, of the benchmarks at hand."""
    noise, prefix = model.noise, ""
    if model.score_noise is not None and at == grid.scored:
        noise, prefix = model.score_noise, OF_SCORES
    of_noise = {c.name: values.of_runs[prefix + c.name] for c in noise.coefficients}
    coefficients = taken(noise.coefficients, of_noise)
    if model.scatter and not prefix:
        change = values.of_runs["scatter"] * jnp.log(values.inputs[model.scatter])
        coefficients["spread"] = coefficients["spread"] * jnp.exp(change)
    known = {
        "expected": expected,
        "items": _of(grid, grid.items, at),
        "resolution": _of(grid, grid.resolution, at),
        "stderr": _of(grid, jnp.asarray(grid.stderr).T, at),
        "previous": _of(grid, jnp.asarray(grid.previous).T, at),
        "gap": _of(grid, jnp.asarray(grid.gap).T, at),
    }
    return noise.given(known, coefficients)


def _of(grid: Grid, values: Any, at: tuple[int, ...]) -> Array:
    """Take some benchmarks, a column each where they have one value."""
    array = jnp.asarray(values)
    chosen = array if len(at) == grid.benchmarks else array[jnp.asarray(at)]
    return chosen if chosen.ndim > 1 else chosen[:, None]
