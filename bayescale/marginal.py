"""The likelihood of a whole group of runs with the group's own effects integrated out.

A run or a family that is left out has effects of its own: its level, its slopes, its unknown token
count. Under the draws of a fit that saw the group, these know its scores, and importance sampling
over them fails. So each draw keeps what it says of the population and of other groups, the group's
members are new, and what they may be is integrated: Laplace's approximation finds where the
integrand lies, importance sampling there gives the integral.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from numpyro.handlers import seed as seeded
from numpyro.handlers import substitute, trace

from bayescale.density import distribution, family_levels, log_likelihood
from bayescale.design import Design
from bayescale.evaluate import BATCH
from bayescale.inputs import Schedule
from bayescale.layout import grouped_sites, padded
from bayescale.model import Model
from bayescale.newton import minimise
from bayescale.rows import Rows
from bayescale.sites import from_standard

SAMPLES, GRID = 400, 49  # within a draw; points along an axis at which the integrand is looked at
FEW_SAMPLES, FEW_POINTS = 64, 25  # where a draw of the new members is wanted, no precise integral
REACH = 9.0  # of the grid, in standard deviations of the prior
HEAT = 0.9  # power of the integrand that samples follow: a little wider than it is
LEAST_DENSITY = 1e-4  # share of the prior in the samples along an axis, about
CLOSE = 1e-6  # expected gain of a Newton step, in nats, at which the mode is found
LEAST_CURVATURE = 0.2  # of the proposal: in a direction that the prior has curvature one

Floats = NDArray[np.float64]
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
    model: Model,
    design: Design | Rows,
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
    design
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
            part = only_group(design, observed, runs)
            keys = jax.random.split(jax.random.fold_in(jax.random.PRNGKey(seed), number), count)
            known = _known_sites(model, part, wide)
            log_density, effective, _ = _integrate(model, part, known, keys, None, SAMPLES, GRID)
            found.append([np.asarray(log_density), np.asarray(effective)])
    log_density, effective = (np.stack(values, axis=1) for values in zip(*found, strict=True))
    return Marginal(log_density, effective)


@dataclass(frozen=True, eq=False)
class Conditional:
    """New members under each draw, given their scores.

    Parameters
    ----------
    log_density
        Of the scores together, the new members integrated out, in nats, shape (draw,).
    effective
        How many of the samples within a draw count, shape (draw,).
    values
        A draw of the new members' sites, shape (draw, ...).
    levels
        Families' levels at the places that were asked for, shape (draw, family, ...).
    """

    log_density: Floats
    effective: Floats
    values: dict[str, Floats]
    levels: dict[str, Floats]


def draw_new_members(
    model: Model, part: Design | Rows, sites: Sites, *, seed: int, middle: Floats | None = None
) -> Conditional:
    """Draw the new members of a design given its scores, draw by draw.

    From the samples that integrate their own effects out (see `log_marginal`) one is taken with the
    probability of its weight.

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
    middle
        For a leaderboard: where the families' levels are to be told, see `density.family_levels`.

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
        log_density, effective, place = _integrate(
            model, part, wide, keys, start, FEW_SAMPLES, FEW_POINTS
        )
        # A column more, since nothing can be mapped over no columns.
        padded = jnp.pad(place, ((0, 0), (0, 1)))
        values, levels = _told(model, part, wide, padded, middle)
    return Conditional(
        np.asarray(log_density),
        np.asarray(effective),
        {name: np.asarray(value) for name, value in values.items()},
        {name: np.asarray(value) for name, value in levels.items()},
    )


@partial(jax.jit, static_argnames=("model",))
def _told(model: Model, part: Design | Rows, sites: Any, places: Any, middle: Any) -> Any:
    """Give the values of the new members' sites, and families' levels elsewhere."""

    def one(draw: tuple[Any, Any]) -> Any:
        values, u = draw
        shapes = _new_sites(model, part, values)
        new = partial(_placed, shapes, u[: _size(shapes)])
        with trace() as found, substitute(data=values), substitute(substitute_fn=new):
            distribution(model, part)
        told = {name: found[name]["value"] for name in shapes}
        if middle is None or isinstance(part, Rows):
            return told, {}
        with substitute(data=values | told):
            return told, family_levels(model, part, middle)

    return jax.lax.map(one, (sites, places), batch_size=BATCH)


def only_group(
    design: Design | Rows, observed: NDArray[Any], runs: NDArray[np.int_]
) -> Design | Rows:
    """Lay out one group's runs alone, its members new; padded, so that few shapes are compiled."""
    at = runs[np.minimum(np.arange(padded(len(runs))), len(runs) - 1)]
    weights = np.array(observed)[at]
    weights[len(runs) :] = 0.0
    outside = np.array(np.asarray(design.weights).any(axis=1))
    outside[runs] = False
    if isinstance(design, Rows):
        return _part_of_rows(design, at, weights, outside)
    return _part_of_design(design, at, weights, outside, len(runs))


class _Members(NamedTuple):
    """Members of a pooled group as one of its parts sees them."""

    member: NDArray[np.int_]
    known: int
    new: int


def _members(index: Any, at: Any, outside: Any, known: int) -> _Members:
    """Give members new numbers: those of the fit, if any of these runs has one, then new ones."""
    all_runs = np.asarray(index)
    mine = all_runs[at]
    new = np.setdiff1d(mine, all_runs[outside])
    kept = known if len(np.setdiff1d(mine, new)) else 0
    place = np.where(np.isin(mine, new), kept + np.searchsorted(new, mine), mine)
    return _Members(place, kept, padded(len(new)))


def _part_of_design(design: Design, at: Any, weights: Any, outside: Any, runs: int) -> Design:
    of_runs = ("params", "active", "tokens", "flops", "stderr", "scores")
    family = _members(design.family, at, outside, design.known_families)
    unknown = np.flatnonzero(np.isin(at[:runs], design.unknown))
    return dataclasses.replace(
        design,
        **{name: np.asarray(getattr(design, name))[at] for name in of_runs},
        unknown=unknown,
        family=family.member,
        middle=np.asarray(design.middle)[: family.known],
        weights=weights,
        known_runs=0,
        known_families=family.known,
        families=family.known + family.new,
        known_unknown=0,
    )


def _part_of_rows(rows: Rows, at: Any, weights: Any, outside: Any) -> Rows:
    groups = {name: np.asarray(index)[at] for name, index in rows.groups.items()}
    sizes = []
    for name, known, _ in rows.members:
        members = _members(rows.groups[name], at, outside, known)
        groups[name] = members.member
        sizes.append((name, members.known, members.known + members.new))
    part = dataclasses.replace(
        rows,
        inputs={name: _of_runs(values, at) for name, values in rows.inputs.items()},
        groups=groups,
        stderr=np.asarray(rows.stderr)[at],
        scores=np.asarray(rows.scores)[at],
        order=np.asarray(rows.order)[at],
        members=tuple(sizes),
    )
    return part.with_weights(weights)


def _of_runs(values: Any, at: Any) -> Any:
    """Take an input of some runs; of a schedule the series that they are on."""
    if not isinstance(values, Schedule):
        return np.asarray(values)[at]
    series, row = np.unique(np.asarray(values.row)[at], return_inverse=True)
    steps = np.asarray(values.steps)[series]
    return Schedule(np.asarray(values.rates)[series], steps, row, np.asarray(values.node)[at])


def _known_sites(model: Model, part: Design | Rows, sites: Sites) -> dict[str, NDArray[Any]]:
    """Take the members out of the draws that this part of the design knows nothing of."""
    if isinstance(part, Rows):
        known = {name: count for name, count, _ in part.members}
    else:
        known = {"run": part.known_runs, "family": part.known_families}
    found = dict(sites)
    for name, group in grouped_sites(model).items():
        if group in known:
            found[name] = sites[name][:, : known[group]]
    if "tokens_unknown" in found:
        found["tokens_unknown"] = found["tokens_unknown"][:, :0]
    return found


@partial(jax.jit, static_argnames=("model", "samples", "points"))
def _integrate(
    model: Model,
    part: Design | Rows,
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
def _modes(model: Model, part: Design | Rows, sites: Any) -> Any:
    def one(values: Any) -> Array:
        shapes = _new_sites(model, part, values)
        joint = partial(_log_joint, model, part, values, shapes)
        return minimise(lambda u: -joint(u), jnp.zeros(_size(shapes)), close=CLOSE)[0]

    return jax.lax.map(one, sites)


def _new_sites(model: Model, part: Design | Rows, values: Any) -> dict[str, tuple[int, ...]]:
    """Find what a part of a design samples anew: shapes by site, in the order of the model."""
    with trace() as found, seeded(rng_seed=0), substitute(data=values):
        distribution(model, part)
    return {name: site["value"].shape for name, site in found.items() if name not in values}


def _size(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(int(np.prod(shape)) for shape in shapes.values())


def _log_joint(
    model: Model, part: Design | Rows, values: Any, shapes: dict[str, tuple[int, ...]], u: Array
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
    """Integrate: the log, how many samples count, and one of them."""
    size = len(start)
    if not size:
        return log_joint(start), jnp.asarray(jnp.inf), jnp.zeros(1)
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
    chosen = away[:, jax.random.categorical(jax.random.fold_in(key, 1), weights)]
    # A column more than there are, since nothing can be mapped over no columns.
    return total - jnp.log(samples), effective, jnp.append(mode + axes @ chosen, 0.0)


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
