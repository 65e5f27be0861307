"""The likelihood of a whole group of runs with the group's own effects integrated out.

A run or a family that is left out has effects of its own: its level, its slopes, its unknown token
count. Under the draws of a fit that saw the group, these know its scores, and importance sampling
over them fails. So each draw keeps what it says of the population and of other groups, the group's
members are new, and what they may be is integrated: Laplace's approximation finds where the
integrand lies, importance sampling there gives the integral.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from numpyro.handlers import seed as seeded
from numpyro.handlers import substitute, trace

from bayescale.base.intervals import Floats
from bayescale.inference.newton import minimise
from bayescale.inference.one_group import only_group
from bayescale.models.density import distribution, levels_at, log_likelihood
from bayescale.models.evaluate import BATCH
from bayescale.models.grid import Grid
from bayescale.models.plan import plan
from bayescale.models.record import ModelRecord
from bayescale.models.sites import from_standard

SAMPLES, GRID = 400, 49  # within a draw; points along an axis at which the integrand is looked at
FEW_SAMPLES, FEW_POINTS = 64, 25  # where draws of the new members are wanted, no precise integral
TAKEN = 8  # of the samples, in proportion to their weights
REACH = 9.0  # of the grid, in standard deviations of the prior
HEAT = 0.9  # power of the integrand that samples follow: a little wider than it is
LEAST_DENSITY = 1e-4  # share of the prior in the samples along an axis, about
CLOSE = 1e-6  # expected gain of a Newton step, in nats, at which the mode is found
LEAST_CURVATURE = 0.2  # of the proposal: in a direction that the prior has curvature one

Sites = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Marginal:
    """Integrated log likelihood of groups under each draw.

    Parameters
    ----------
    log_density
        Of all scores of a group together, in nats, shape (draw, group).
    effective
        How many of the samples within a draw count, shape (draw, group); infinite where there is
        nothing to integrate. The log density is lower than the truth by about half of one over it.
    """

    log_density: Floats
    effective: Floats


def log_marginal(
    model: ModelRecord,
    grid: Grid,
    observed: NDArray[Any],
    sites: Sites,
    groups: Sequence[NDArray[np.int_]],
    *,
    seed: int,
) -> Marginal:
    r"""Integrate the own effects of each group out of its likelihood, draw by draw.

    .. math:: p(y_g \mid \theta_s) = \int p(y_g \mid u, \theta_s)\, N(u \mid 0, I)\, du

    `u` are the standardised values of the group's new members. Newton's method finds the mode of
    the integrand, and the axes of its curvature there; samples follow the integrand along each axis
    by itself, however skewed it is or however many modes it has, and their importance weights make
    good what that misses.

    Parameters
    ----------
    model
        Law, links, noises and pooling.
    grid
        The data that the draws were fitted to: a run without weight had no influence on them.
    observed
        Weights of the scores, those of the groups included, shape (run, benchmark).
    sites
        Draws of every fitted site, shape (draw, ...).
    groups
        For each group the positions of its runs. Members of families, or of other groups, all
        whose runs of some weight are in it are new.
    seed
        Seed of the samples.

    Returns
    -------
    Marginal

    Source: Vehtari, Mononen, Tolvanen, Sivula and Winther 2016, JMLR 17:103 (integrated
    importance sampling); Merkle, Furr and Rabe-Hesketh 2019, Psychometrika 84:802.
    """
    wide = {name: np.asarray(values, float) for name, values in sites.items()}
    count = len(next(iter(wide.values())))
    found = []
    with jax.enable_x64(True):
        for number, runs in enumerate(groups):
            part = only_group(grid, observed, runs)
            keys = jax.random.split(jax.random.fold_in(jax.random.PRNGKey(seed), number), count)
            known = _known_sites(model, part, wide)
            log_density, effective, _ = _integrate(model, part, known, keys, None, SAMPLES, GRID)
            found.append([np.asarray(log_density), np.asarray(effective)])
    log_density, effective = (np.stack(values, axis=1) for values in zip(*found, strict=True))
    return Marginal(log_density, effective)


@dataclass(frozen=True, eq=False)
class Conditional:
    """What new members may be under each draw, given their scores.

    Parameters
    ----------
    log_density
        Of the scores together, the new members integrated out, in nats, shape (draw,).
    effective
        How many of the samples within a draw count, shape (draw,).
    places
        Standardised values of the new members, some independent samples for each draw, shape
        (draw, sample, ...); `new_members` turns them into sites.
    """

    log_density: Floats
    effective: Floats
    places: Floats


def condition_new_members(
    model: ModelRecord, part: Grid, sites: Sites, *, seed: int
) -> Conditional:
    """Integrate the new members of a grid out given its scores, draw by draw, and sample them.

    From the samples that integrate their own effects out (see `log_marginal`) some are taken with
    the probability of their weights.

    Parameters
    ----------
    model
        Law, links, noises and pooling.
    part
        The new scores; members that the draws know come first.
    sites
        Draws of every site of the known members, shape (draw, ...).
    seed
        Seed of the samples.

    Returns
    -------
    Conditional
    """
    wide = {name: np.asarray(values, float) for name, values in sites.items()}
    count = len(next(iter(wide.values())))
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.PRNGKey(seed), count)
        # The mode of a middling draw is near that of any other.
        middling = {name: np.median(value, axis=0)[None] for name, value in wide.items()}
        start = _modes(model, part, middling)[0]
        found = _integrate(model, part, wide, keys, start, FEW_SAMPLES, FEW_POINTS)
    return Conditional(*(np.asarray(values) for values in found))


def new_members(
    model: ModelRecord, part: Grid, sites: Sites, places: Floats, middle: Any = None
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Give the sites of new members from their standardised values.

    Parameters
    ----------
    model, part
        As in `condition_new_members`.
    sites
        Draws of every site of the known members, shape (draw, ...).
    places
        A sample of the new members for each of them, shape (draw, ...).
    middle
        Where members of groups are to be told, and which of other groups hold them there, see
        `density.levels_at`.

    Returns
    -------
    tuple
        Values by new site and, where `middle` is given, levels by site; shapes (draw, ...).
    """
    wide = {name: np.asarray(values, float) for name, values in sites.items()}
    with jax.enable_x64(True):
        told, levels = _told(model, part, wide, places, middle)
    return (
        {name: np.asarray(value) for name, value in told.items()},
        {name: np.asarray(value) for name, value in levels.items()},
    )


@partial(jax.jit, static_argnames=("model",))
def _told(model: ModelRecord, part: Grid, sites: Any, places: Any, middle: Any) -> Any:
    """Give the values of the new members' sites, and families' levels elsewhere."""

    def one(draw: tuple[Any, Any]) -> Any:
        values, u = draw
        shapes = _new_sites(model, part, values)
        new = partial(_placed, shapes, u[: _size(shapes)])
        with trace() as found, substitute(data=values), substitute(substitute_fn=new):
            distribution(model, part)
        told = {name: found[name]["value"] for name in shapes}
        if middle is None:
            return told, {}
        with substitute(data=values | told):
            return told, levels_at(model, part, *middle)

    return jax.lax.map(one, (sites, places), batch_size=BATCH)


def _known_sites(model: ModelRecord, part: Grid, sites: Sites) -> dict[str, NDArray[Any]]:
    """Take the members out of the draws that this part of the grid knows nothing of."""
    known = {group: count for group, count, _ in part.members}
    found = dict(sites)
    for name, members in plan(model).members.items():
        if members.group in known and name in sites:
            found[name] = sites[name][:, : known[members.group]]
    return found


@partial(jax.jit, static_argnames=("model", "samples", "points"))
def _integrate(
    model: ModelRecord,
    part: Grid,
    sites: Any,
    keys: Any,
    start: Any,
    samples: int,
    points: int,
) -> Any:
    def one(draw: tuple[Any, Any]) -> tuple[Array, Array, Array]:
        values, key = draw
        shapes = _new_sites(model, part, values)
        begin = jnp.zeros(_size(shapes)) if start is None else start
        joint = partial(_log_joint, model, part, values, shapes)
        return _integral(joint, begin, key, samples, points)

    return jax.lax.map(one, (sites, keys), batch_size=BATCH)


@partial(jax.jit, static_argnames=("model",))
def _modes(model: ModelRecord, part: Grid, sites: Any) -> Any:
    def one(values: Any) -> Array:
        shapes = _new_sites(model, part, values)
        joint = partial(_log_joint, model, part, values, shapes)
        return minimise(lambda u: -joint(u), jnp.zeros(_size(shapes)), close=CLOSE)[0]

    return jax.lax.map(one, sites)


def _new_sites(model: ModelRecord, part: Grid, values: Any) -> dict[str, tuple[int, ...]]:
    """Find what a part of a grid samples anew: shapes by site, in the order of the model."""
    with trace() as found, seeded(rng_seed=0), substitute(data=values):
        distribution(model, part)
    return {name: site["value"].shape for name, site in found.items() if name not in values}


def _size(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(int(np.prod(shape)) for shape in shapes.values())


def _log_joint(
    model: ModelRecord, part: Grid, values: Any, shapes: dict[str, tuple[int, ...]], u: Array
) -> Array:
    """Give the log likelihood of the part and the density of the new members' standard values."""
    placed = partial(_placed, shapes, u)
    with substitute(data=values), substitute(substitute_fn=placed):
        _, measured = distribution(model, part)
    scores = jnp.sum(part.weights * log_likelihood(measured, part))
    return scores - 0.5 * jnp.sum(u**2) - 0.5 * len(u) * jnp.log(2 * jnp.pi)


def _placed(shapes: dict[str, tuple[int, ...]], u: Array, site: Any) -> Any:
    """Give a new member's site its value from standard Normal numbers; None to other sites."""
    name = site["name"]
    if name not in shapes:
        return None
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    pieces = dict(zip(shapes, jnp.split(u, np.cumsum(sizes)[:-1]), strict=True))
    return from_standard(site["fn"], pieces[name].reshape(shapes[name]))


def _integral(
    log_joint: Callable[[Array], Array], start: Array, key: Any, samples: int, points: int
) -> tuple[Array, Array, Array]:
    """Integrate: the log, how many samples count, and some of them."""
    size = len(start)
    if not size:
        return log_joint(start), jnp.asarray(jnp.inf), jnp.zeros((TAKEN, 1))
    mode, curvature = minimise(lambda u: -log_joint(u), start, close=CLOSE)
    scale, axes = jnp.linalg.eigh(curvature)
    width = 1 / jnp.sqrt(jnp.maximum(scale, LEAST_CURVATURE))
    joint = jax.vmap(log_joint)
    # Each axis has a grid of its own, fine near the mode, that spans what the prior allows.
    ends = jnp.arcsinh(REACH / width)
    grid = width * jnp.sinh(jnp.linspace(-1.0, 1.0, points)[:, None] * ends)
    seen = jax.vmap(lambda i, t: joint(mode + t[:, None] * axes[:, i]))(jnp.arange(size), grid.T)
    profile = HEAT * (seen - seen.max(axis=1, keepdims=True))
    density = jnp.exp(profile) + LEAST_DENSITY * jnp.exp(-0.5 * ((mode @ axes) + grid).T ** 2)
    keys = jax.random.split(key, size)
    away, proposal = jax.vmap(partial(_along_axis, samples))(grid.T, density, keys)
    weights = joint(mode + away.T @ axes.T) - proposal.sum(axis=0)
    total = jax.nn.logsumexp(weights)
    effective = jnp.exp(2 * total - jax.nn.logsumexp(2 * weights))
    # From a key of its own, so that the integral does not depend on it.
    taken = jax.random.categorical(jax.random.fold_in(key, 1), weights, shape=(TAKEN,))
    places = mode + away[:, taken].T @ axes.T
    # A column more than there are, since nothing can be mapped over no columns.
    padded_places = jnp.pad(places, ((0, 0), (0, 1)))
    return total - jnp.log(samples), effective, padded_places


def _along_axis(samples: int, grid: Array, density: Array, key: Any) -> tuple[Array, Array]:
    """Sample from a density that is linear between the points of a grid: values, log density."""
    low, high, step = density[:-1], density[1:], jnp.diff(grid)
    mass = 0.5 * (low + high) * step
    cell_key, place_key = jax.random.split(key)
    cell = jax.random.categorical(cell_key, jnp.log(mass), shape=(samples,))
    low, high = low[cell], high[cell]
    v = jax.random.uniform(place_key, (samples,))
    place = v * (low + high) / (low + jnp.sqrt(low**2 + (high**2 - low**2) * v))
    found = jnp.log(low + (high - low) * place) - jnp.log(mass.sum())
    return grid[cell] + step[cell] * place, found
