"""The compiled NUTS transition of a model: pure functions of (key, data, start), or executables.

Built from NumPyro's own NUTS kernel, so that data, weights and start are arguments: folds of a
backtest, and the chains of a fit, run through one compilation. What adapts it is elsewhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import LKJCholesky, biject_to
from numpyro.handlers import reparam, seed, substitute, trace
from numpyro.infer.hmc import hmc
from numpyro.infer.hmc_util import dual_averaging
from numpyro.infer.util import constrain_fn, potential_energy

from bayescale.base.errors import FitError
from bayescale.inference.centring import COORDINATES, centring, coordinates
from bayescale.inference.recipes import Recipe, recipe_for
from bayescale.models.density import density
from bayescale.models.grid import Grid
from bayescale.models.record import ModelRecord

CHUNK = 50  # iterations between two looks at progress and Ctrl-C
WINDOW = 100  # iterations of one window of adaptation
ACCEPT = 0.65  # target acceptance: most effective draws for a gradient (docs/architecture.md)
# Of laws of a quantity gradients are cheap, and ridges (floor with exponent, say) long and narrow.
DEPTHS_LAW = (7, 10)
ACCEPT_LAW = 0.9  # of laws of a quantity: trees are short, and spreads of a few members narrow
TREE_DEPTH = 7  # longer paths gave half the effective draws for a gradient (docs/architecture.md)
SHALLOW = 5  # tree depth of windows that learn the metric: a quarter of the gradients is enough
STATS = ("diverging", "energy", "num_steps", "accept_prob")
RECORDED = ("positions", "gradients")  # of a chunk: what a recipe may need

Layout = tuple[tuple[str, tuple[int, ...]], ...]  # site, shape


@dataclass(frozen=True)
class Program:
    """The transition of one model on grids of one shape: pure functions, or executables of them.

    Parameters
    ----------
    model
        The model.
    recipe
        How the metric is learned.
    centre
        From data to the position at the prior mean of every site: one flat vector.
    begin
        From (key, data, position, step size, metric, whether trees are shallow) to the first state
        of a window of adaptation.
    advance
        From (state, data, whether to adapt the step size) to the state after `CHUNK` iterations,
        and what they recorded.
    """

    model: ModelRecord
    recipe: Recipe
    centre: Callable[..., Any]
    begin: Callable[..., Any]
    advance: Callable[..., Any]


class State(NamedTuple):
    """NumPyro's state of NUTS, and the dual averaging of the log step size."""

    nuts: Any
    average: Any


@dataclass(frozen=True)
class Chunk:
    """What some iterations recorded, with a leading dimension of iterations."""

    positions: Any
    gradients: Any
    sites: dict[str, Any]
    stats: dict[str, Any]


jax.tree_util.register_dataclass(Chunk)


def compile_program(model: ModelRecord, grid: Grid, recipe: Recipe | None = None) -> Program:
    """Compile the sampler for a model and the shape of a grid.

    Must run in `jax.enable_x64(True)`.

    Parameters
    ----------
    model, grid
        The density; the grid's scores do not matter, only its shape.
    recipe
        As in `pure_program`.

    Returns
    -------
    Program
    """
    pure = pure_program(model, grid, recipe)
    key, data = jax.random.PRNGKey(0), (grid, centring(model, grid))
    position = pure.centre(data)
    metric = pure.recipe.from_diagonal(np.ones(position.shape))
    start = (position, jnp.asarray(1.0), metric, np.asarray(False))
    state = jax.eval_shape(pure.begin, key, data, *start)
    return dataclasses.replace(
        pure,
        begin=jax.jit(pure.begin).lower(key, data, *start).compile(),
        advance=jax.jit(pure.advance).lower(state, data, np.asarray(True)).compile(),
    )


def pure_program(
    model: ModelRecord,
    grid: Grid,
    recipe: Recipe | None = None,
    depths: tuple[int, int] | None = None,
) -> Program:
    """Give the sampler as pure functions, for JAX to compile, or to map over many data sets.

    Must run in `jax.enable_x64(True)`.

    Parameters
    ----------
    model, grid
        The density; the grid's scores do not matter, only its shape.
    recipe
        How the metric is learned; as fits do by default.
    depths
        Tree depths, of windows that learn the metric and of the rest; those of fits by default.

    Returns
    -------
    Program

    Raises
    ------
    FitError
        If the recipe needs what no window records.
    """
    key = jax.random.PRNGKey(0)
    data = grid, centring(model, grid)
    of_law = bool(grid.own)  # measured itself, not by the scores of skills
    accept = ACCEPT_LAW if of_law else ACCEPT
    depths = depths or (DEPTHS_LAW if of_law else (SHALLOW, TREE_DEPTH))

    def sampled(grid: Grid, weights: dict[str, Any]) -> None:
        with reparam(config={name: partial(coordinates, w) for name, w in weights.items()}):
            density(model, grid)

    @jax.jit
    def prior_mean(data: Any) -> dict[str, Any]:
        started = substitute(seed(sampled, key), substitute_fn=_init_to_mean)
        return {
            name: biject_to(site["fn"].support).inv(site["value"])
            for name, site in trace(started).get_trace(*data).items()
            if site["type"] == "sample" and not site["is_observed"]
        }

    layout = _layout(jax.eval_shape(prior_mean, data))
    unknowns = sum(int(np.prod(shape)) for _, shape in layout)
    recipe = recipe or recipe_for(of_law=of_law, unknowns=unknowns, drifts=model.learns_drift)
    if missing := [need for need in recipe.needs if need not in RECORDED]:
        raise FitError(
            f"the recipe of the metric needs {', '.join(missing)}, which no window of adaptation "
            f"records; a window records {' and '.join(RECORDED)}"
        )

    def centre(data: Any) -> Any:
        mean = prior_mean(data)
        return jnp.concatenate([jnp.ravel(mean[name]) for name, _ in layout])

    def potential(*data: Any) -> Callable[[Any], Any]:
        return lambda position: potential_energy(sampled, data, {}, _unpack(layout, position))

    first, step = hmc(potential_fn_gen=potential, algo="NUTS")
    # NumPyro's own adaptation of the step size starts anew within a window.
    start_average, update_average = dual_averaging()

    def begin(
        key: Any, data: Any, position: Any, step_size: Any, metric: Any, shallow: Any
    ) -> State:
        nuts = first(
            position,
            num_warmup=WINDOW,
            step_size=step_size,
            inverse_mass_matrix=metric,
            adapt_step_size=False,
            adapt_mass_matrix=False,
            dense_mass=metric.ndim == 2,
            max_tree_depth=depths,
            model_args=data,
            rng_key=key,
        )
        # To NumPyro, shallow trees are those of warm-up: of its first `num_warmup` iterations.
        nuts = nuts._replace(i=jnp.where(shallow, 0, WINDOW))
        return State(nuts, start_average(jnp.log(step_size)))

    def advance(state: State, data: Any, adapting: Any) -> tuple[State, Chunk]:
        def body(state: State, _: None) -> tuple[State, Chunk]:
            nuts = step(state.nuts, model_args=data)
            average = update_average(accept - nuts.accept_prob, state.average)
            size = jnp.where(adapting, jnp.exp(average[0]), nuts.adapt_state.step_size)
            found = constrain_fn(
                sampled, data, {}, _unpack(layout, nuts.z), return_deterministic=True
            )
            sites = {k: v for k, v in found.items() if not k.endswith(COORDINATES)}
            record = {name: getattr(nuts, name) for name in STATS}
            return State(_with_step_size(nuts, size), average), Chunk(
                nuts.z, nuts.z_grad, sites, record
            )

        return jax.lax.scan(body, state, None, length=CHUNK)

    return Program(model=model, recipe=recipe, centre=centre, begin=begin, advance=advance)


def _layout(sites: Mapping[str, Any]) -> Layout:
    return tuple((name, value.shape) for name, value in sorted(sites.items()))


def _unpack(layout: Layout, flat: Any) -> dict[str, Any]:
    """Cut a flat vector into sites."""
    cuts = np.cumsum([int(np.prod(shape)) for _, shape in layout])[:-1]
    # One split: its transpose joins the gradients once, where slices would add padded vectors.
    parts = jnp.split(flat, cuts)
    return {name: part.reshape(shape) for (name, shape), part in zip(layout, parts, strict=True)}


def _init_to_mean(site: Any) -> Any:
    """Start every site at its prior mean; NumPyro's init strategies draw at random."""
    if site["type"] != "sample" or site["is_observed"]:
        return None
    prior = site["fn"]
    if isinstance(prior, LKJCholesky):
        return jnp.broadcast_to(jnp.eye(prior.event_shape[-1]), prior.shape())
    return jnp.broadcast_to(jnp.asarray(prior.mean, float), prior.shape())


def _with_step_size(nuts: Any, step_size: Any) -> Any:
    return nuts._replace(adapt_state=nuts.adapt_state._replace(step_size=step_size))
