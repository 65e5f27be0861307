"""Evaluate a model under posterior draws: expected scores, measured scores, log densities."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

import jax
import numpy as np
from numpy.typing import NDArray
from numpyro.handlers import seed as seeded
from numpyro.handlers import substitute

from bayescale.base.intervals import Floats
from bayescale.models.density import distribution, law_values, log_likelihood
from bayescale.models.drifts import sample_increments
from bayescale.models.grid import Grid
from bayescale.models.plan import plan
from bayescale.models.record import ModelRecord
from bayescale.models.sites import from_standard
from bayescale.models.values import sample_values

# Draws evaluated at once: bounds the memory, and divides the usual numbers of draws, since a
# remainder would be compiled as a program of its own.
BATCH = 50


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Values on the grid under every draw, shape (draw, run, benchmark).

    `score` is a simulated measurement, of a score in [0, 1]; `log_density` that of the
    grid's scores.
    """

    expected: Floats
    score: Floats
    log_density: Floats


@partial(jax.jit, static_argnames=("model", "measured"))
def _evaluate(
    model: ModelRecord,
    grid: Grid,
    keys: Any,
    sites: Any,
    by_draw: Any,
    members: Any,
    *,
    measured: bool,
) -> Any:
    def one(draw: tuple[Any, Any, Any]) -> Any:
        key, values, fields = draw
        new_key, noise_key = jax.random.split(key)
        chosen = dataclasses.replace(grid, **fields)
        new = partial(_new_members, model, members, new_key)
        with seeded(rng_seed=new_key), substitute(data=values), substitute(substitute_fn=new):
            expected, noise = distribution(model, chosen)
        if not measured:
            return expected.T
        return expected.T, noise.sample(noise_key).T, log_likelihood(noise, chosen)

    return jax.lax.map(one, (keys, sites, by_draw), batch_size=BATCH)


def _new_members(model: ModelRecord, members: Any, key: Any, site: Any) -> Any:
    """Draw the values of new members by who they are; None where that is not known."""
    new = plan(model).new.get(site["name"])
    if new is None or new.group not in members:
        return None
    own = jax.random.fold_in(key, crc32(site["name"].encode()))
    prior: Any = site["fn"]  # untyped in NumPyro
    shape = prior.shape()[1:]

    def standard(member: Any) -> Any:
        return jax.random.normal(jax.random.fold_in(own, member), shape)

    each: Any = jax.vmap(standard)
    return from_standard(prior, each(members[new.group]))


def evaluate(
    model: ModelRecord,
    grid: Grid,
    sites: Mapping[str, NDArray[Any]],
    *,
    seed: int,
    by_draw: Mapping[str, Any] | None = None,
    members: Mapping[str, NDArray[np.uint32]] | None = None,
) -> Evaluation:
    """Run the model forward under each draw; what the draws lack is drawn anew.

    Parameters
    ----------
    model, grid
        The model and its data; runs and families beyond the known ones are drawn from the
        population, once a draw.
    sites
        Draws of every fitted site, shape (draw, ...).
    seed
        Seed.
    by_draw
        Fields of the grid that differ by draw, with a leading dimension of draws: the family of
        each run, say.
    members
        For groups a number of each new member, shape (member,): whoever has the same number has the
        same draws in every evaluation of one seed. Others are drawn by their place.

    Returns
    -------
    Evaluation
    """
    with jax.enable_x64(True):
        expected, score, log_density = _evaluate(
            *_prepared(model, grid, sites, seed, by_draw, members), measured=True
        )
    scores = np.asarray(score)
    low, high = bounds(grid)
    return Evaluation(np.asarray(expected), np.clip(scores, low, high), np.asarray(log_density))


def expected_values(
    model: ModelRecord,
    grid: Grid,
    sites: Mapping[str, NDArray[Any]],
    *,
    seed: int,
    by_draw: Mapping[str, Any] | None = None,
    members: Mapping[str, NDArray[np.uint32]] | None = None,
) -> Floats:
    """Give the expected values that `evaluate` gives, shape (draw, run, benchmark), and no more."""
    with jax.enable_x64(True):
        found = _evaluate(*_prepared(model, grid, sites, seed, by_draw, members), measured=False)
        return np.asarray(found)


def _prepared(
    model: ModelRecord,
    grid: Grid,
    sites: Mapping[str, NDArray[Any]],
    seed: int,
    by_draw: Mapping[str, Any] | None,
    members: Mapping[str, NDArray[np.uint32]] | None,
) -> tuple[Any, ...]:
    keys = jax.random.split(jax.random.PRNGKey(seed), len(next(iter(sites.values()))))
    wide = {name: np.asarray(values, float) for name, values in sites.items()}
    return model, grid, keys, wide, dict(by_draw or {}), dict(members or {})


def law_coefficients(
    model: ModelRecord,
    grid: Grid,
    sites: Mapping[str, NDArray[Any]],
    *,
    response: int,
    seed: int,
    members: Mapping[str, NDArray[np.uint32]],
) -> dict[str, Floats]:
    """Give the coefficients of a law for the first run of a grid, as `evaluate` draws them.

    Parameters
    ----------
    model, grid, sites, seed, members
        As of `evaluate`.
    response
        Position of the response among the law's own.

    Returns
    -------
    dict
        Coefficient to draws in natural units, shape (draw, ...).
    """
    count = len(next(iter(sites.values())))
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.PRNGKey(seed), count)
        wide = {name: np.asarray(values, float) for name, values in sites.items()}
        found = _law_values(model, grid, response, keys, wide, dict(members))
    return {name: np.asarray(value) for name, value in found.items()}


@partial(jax.jit, static_argnames=("model", "response"))
def _law_values(
    model: ModelRecord, grid: Grid, response: int, keys: Any, sites: Any, members: Any
) -> Any:
    def one(draw: tuple[Any, Any]) -> Any:
        key, values = draw
        new_key, _ = jax.random.split(key)
        new = partial(_new_members, model, members, new_key)
        with seeded(rng_seed=new_key), substitute(data=values), substitute(substitute_fn=new):
            return law_values(model, grid, response, 0)

    return jax.lax.map(one, (keys, sites), batch_size=BATCH)


def increments(
    model: ModelRecord,
    grid: Grid,
    sites: Mapping[str, NDArray[Any]],
    *,
    seed: int,
    members: Mapping[str, NDArray[np.uint32]],
) -> Floats:
    """Give the increments of drifts, those beyond the data as `evaluate` draws them.

    Parameters
    ----------
    model, grid, sites, seed, members
        As of `evaluate`.

    Returns
    -------
    array (draw, cell)
        Of a leaderboard (draw, cell, skill or benchmark).
    """
    count = len(next(iter(sites.values())))
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.PRNGKey(seed), count)
        wide = {name: np.asarray(values, float) for name, values in sites.items()}
        return np.asarray(_increments(model, grid, keys, wide, dict(members)))


@partial(jax.jit, static_argnames=("model",))
def _increments(model: ModelRecord, grid: Grid, keys: Any, sites: Any, members: Any) -> Any:
    def one(draw: tuple[Any, Any]) -> Any:
        key, values = draw
        new_key, _ = jax.random.split(key)
        new = partial(_new_members, model, members, new_key)
        with seeded(rng_seed=new_key), substitute(data=values), substitute(substitute_fn=new):
            values = sample_values(model, grid)
            if values.increments is not None:
                return values.increments
            return sample_increments(model, grid, values.population)

    return jax.lax.map(one, (keys, sites), batch_size=BATCH)


def bounds(grid: Grid) -> tuple[Floats, Floats]:
    """Give what measured values may be, shape (benchmark,): scores lie in [0, 1]."""
    scores = np.asarray(grid.linked)
    return np.where(scores, 0.0, -np.inf), np.where(scores, 1.0, np.inf)
