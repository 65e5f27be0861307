"""One compiled NUTS program: (key, design, start) -> draws.

Built from NumPyro's own NUTS kernel, so that data, weights and start are arguments: folds of a
backtest, and the chains of a fit, run through one compilation. Chains run in threads, each through
the same executable: no device count has to be set.

One file, though long: a transition and the windows that adapt it are one algorithm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro.distributions import biject_to
from numpyro.handlers import reparam, seed, substitute, trace
from numpyro.infer.hmc import hmc
from numpyro.infer.hmc_util import dual_averaging
from numpyro.infer.util import constrain_fn, potential_energy

from bayescale.base.runtime import cpu_count
from bayescale.inference.centring import COORDINATES, centring, coordinates
from bayescale.models.density import density
from bayescale.models.design import Design
from bayescale.models.model import Model
from bayescale.models.rows import Rows

CHUNK = 50  # iterations between two looks at progress and Ctrl-C
WINDOW = 100  # iterations of one window of adaptation
JITTER = 0.1  # spread of the chains' starts around the prior mean, unconstrained
TINY = 1e-300
METRIC_RANGE = (1e-10, 1e10)
MANY = 12  # draws for each unknown from which their covariance is the better metric
RIDGE = 1e-5  # keeps a direction that no draw has moved along
PROBES = 20  # points around the start that give the first metric
FIRST_STEP = 0.1
ACCEPT = 0.65  # target acceptance: most effective draws for a gradient (docs/architecture.md)
# Of laws of a quantity gradients are cheap, and ridges (floor with exponent, say) long and narrow.
DEPTHS_LAW = (7, 10)
ACCEPT_LAW = 0.9  # of laws of a quantity: trees are short, and spreads of a few members narrow
TREE_DEPTH = 7  # longer paths gave half the effective draws for a gradient (docs/architecture.md)
DENSE = 64  # a law's unknowns up to which the metric learns their correlations
SHALLOW = 5  # tree depth of windows that learn the metric: a quarter of the gradients is enough
STATS = ("diverging", "energy", "num_steps", "accept_prob")

Arrays = dict[str, NDArray[Any]]
Tell = Callable[[int, int], None]
Layout = tuple[tuple[str, tuple[int, ...]], ...]  # site, shape


@dataclass(frozen=True)
class Start:
    """Where chains start: a position for each, and what all share.

    Parameters
    ----------
    positions
        One for each chain, in the coordinates of `centring`.
    step_size, metric, centring
        The step size, the diagonal metric, and the coordinates.
    """

    positions: tuple[Any, ...]
    step_size: Any
    metric: Any
    centring: dict[str, Any]


@dataclass(frozen=True)
class Draws:
    """Draws of every site in constrained form, shape (chain, draw, ...), and the sampler's record.

    `end` continues the chains.
    """

    sites: Arrays
    stats: Arrays
    end: Start

    def then(self, more: Draws) -> Draws:
        """Join draws that continue these chains."""

        def joined(before: Arrays, after: Arrays) -> Arrays:
            return {k: np.concatenate([before[k], after[k]], axis=1) for k in before}

        return Draws(joined(self.sites, more.sites), joined(self.stats, more.stats), more.end)


@dataclass(frozen=True)
class Program:
    """The sampler of one model on designs of one shape: pure functions, or executables of them.

    Parameters
    ----------
    model
        The model.
    dense
        Whether the metric is a matrix rather than its diagonal.
    centre
        From data to the position at the prior mean of every site: one flat vector.
    begin
        From (key, data, position, step size, metric, whether trees are shallow) to the first state
        of a window of adaptation.
    advance
        From (state, data, whether to adapt the step size) to the state after `CHUNK` iterations,
        and what they recorded.
    """

    model: Model
    dense: bool
    centre: Callable[..., Any]
    begin: Callable[..., Any]
    advance: Callable[..., Any]

    def learn(self, positions: NDArray[Any], gradients: NDArray[Any]) -> Any:
        """Give the metric that the draws of a window tell, each of shape (draw, unknown)."""
        return (_dense_metric if self.dense else _metric)(positions, gradients)


class _State(NamedTuple):
    """NumPyro's state of NUTS, and the dual averaging of the log step size."""

    nuts: Any
    average: Any


@dataclass(frozen=True)
class _Chunk:
    """What some iterations recorded, with a leading dimension of iterations."""

    positions: Any
    gradients: Any
    sites: dict[str, Any]
    stats: dict[str, Any]


jax.tree_util.register_dataclass(_Chunk)


def compile_program(model: Model, design: Design | Rows) -> Program:
    """Compile the sampler for a model and the shape of a design.

    Must run in `jax.enable_x64(True)`.

    Parameters
    ----------
    model, design
        The density; the design's scores do not matter, only its shape.

    Returns
    -------
    Program
    """
    pure = pure_program(model, design)
    key, data = jax.random.PRNGKey(0), (design, centring(model, design))
    position = pure.centre(data)
    metric = jnp.diag(jnp.ones_like(position)) if pure.dense else jnp.ones_like(position)
    start = (position, jnp.asarray(FIRST_STEP), metric, np.asarray(False))
    state = jax.eval_shape(pure.begin, key, data, *start)
    return dataclasses.replace(
        pure,
        begin=jax.jit(pure.begin).lower(key, data, *start).compile(),
        advance=jax.jit(pure.advance).lower(state, data, np.asarray(True)).compile(),
    )


def pure_program(
    model: Model, design: Design | Rows, depths: tuple[int, int] | None = None
) -> Program:
    """Give the sampler as pure functions, for JAX to compile, or to map over many data sets.

    Must run in `jax.enable_x64(True)`.

    Parameters
    ----------
    model, design
        The density; the design's scores do not matter, only its shape.
    depths
        Tree depths, of windows that learn the metric and of the rest; those of fits by default.

    Returns
    -------
    Program
    """
    key = jax.random.PRNGKey(0)
    data = design, centring(model, design)
    of_law = isinstance(design, Rows)
    accept = ACCEPT_LAW if of_law else ACCEPT
    depths = depths or (DEPTHS_LAW if of_law else (SHALLOW, TREE_DEPTH))

    def sampled(design: Design | Rows, weights: dict[str, Any]) -> None:
        with reparam(config={name: partial(coordinates, w) for name, w in weights.items()}):
            density(model, design)

    @jax.jit
    def prior_mean(data: Any) -> dict[str, Any]:
        started = substitute(seed(sampled, key), substitute_fn=_init_to_mean)
        return {
            name: biject_to(site["fn"].support).inv(site["value"])
            for name, site in trace(started).get_trace(*data).items()
            if site["type"] == "sample" and not site["is_observed"]
        }

    layout = _layout(jax.eval_shape(prior_mean, data))

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
    ) -> _State:
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
        return _State(nuts, start_average(jnp.log(step_size)))

    def advance(state: _State, data: Any, adapting: Any) -> tuple[_State, _Chunk]:
        def body(state: _State, _: None) -> tuple[_State, _Chunk]:
            nuts = step(state.nuts, model_args=data)
            average = update_average(accept - nuts.accept_prob, state.average)
            size = jnp.where(adapting, jnp.exp(average[0]), nuts.adapt_state.step_size)
            found = constrain_fn(
                sampled, data, {}, _unpack(layout, nuts.z), return_deterministic=True
            )
            sites = {k: v for k, v in found.items() if not k.endswith(COORDINATES)}
            record = {name: getattr(nuts, name) for name in STATS}
            return _State(_with_step_size(nuts, size), average), _Chunk(
                nuts.z, nuts.z_grad, sites, record
            )

        return jax.lax.scan(body, state, None, length=CHUNK)

    unknowns = sum(int(np.prod(shape)) for _, shape in layout)
    return Program(
        model=model,
        dense=of_law and unknowns <= DENSE,
        centre=centre,
        begin=begin,
        advance=advance,
    )


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
    if site["name"].endswith("_corr"):
        return jnp.broadcast_to(jnp.eye(prior.event_shape[-1]), prior.shape())
    return jnp.broadcast_to(jnp.asarray(prior.mean, float), prior.shape())


def sample(
    program: Program,
    design: Design | Rows,
    *,
    seed: int,
    chains: int,
    windows: int,
    draws: int,
    start: Start | None = None,
    tell: Tell | None = None,
) -> Draws:
    """Run the chains, side by side on the processors there are.

    In adaptation the chains share what they learn: after each window the metric comes from the
    draws of all, and the step size is the geometric mean of theirs. Must run in
    `jax.enable_x64(True)`.

    Parameters
    ----------
    program
        From `compile_program`.
    design
        The data, of the program's shape.
    seed
        Seed; the same seed gives the same draws.
    chains, draws
        Number of chains, and draws of each after warm-up.
    windows
        Windows of adaptation; each but the last takes shallow trees, and the metric is learned anew
        from it.
    start
        Where chains start (positions in turn), from earlier sampling; with no window, they go on.
    tell
        Is called with chain and iterations done, from several threads.

    Returns
    -------
    Draws
    """
    key = jax.random.PRNGKey(seed)
    weights = start.centring if start else centring(program.model, design)
    data = design, weights
    begin = start or _first_start(program, data, jax.random.fold_in(key, windows + 1), chains)
    position = [begin.positions[chain % len(begin.positions)] for chain in range(chains)]
    stop = Event()

    def advance(chain: int, state: _State, iterations: int, before: int) -> tuple[_State, _Chunk]:
        chunks, adapting = [], np.asarray(before < windows * WINDOW)
        with jax.enable_x64(True):
            for done in range(CHUNK, -(-iterations // CHUNK) * CHUNK + 1, CHUNK):
                if stop.is_set():
                    raise InterruptedError("another chain failed, or the user interrupted")
                state, chunk = program.advance(state, data, adapting)
                chunks.append(jax.tree.map(np.asarray, chunk))
                (tell or _silent)(chain, before + done)
        whole = jax.tree.map(lambda *parts: np.concatenate(parts)[:iterations], *chunks)
        return state, whole

    def first_state(chain: int, window: int) -> _State:
        own = jax.random.fold_in(jax.random.fold_in(key, window), chain)
        shallow = np.asarray(window < windows - 1)
        state: _State = program.begin(
            own, data, position[chain], begin.step_size, begin.metric, shallow
        )
        return state

    def adapt(chain: int, window: int) -> tuple[_State, _Chunk]:
        with jax.enable_x64(True):
            state = first_state(chain, window)
        return advance(chain, state, WINDOW, window * WINDOW)

    def draw(chain: int) -> tuple[_State, _Chunk]:
        with jax.enable_x64(True):
            state = first_state(chain, windows)
        return advance(chain, state, draws, windows * WINDOW)

    with ThreadPoolExecutor(min(chains, cpu_count())) as pool:
        try:
            for window in range(windows):
                found = list(pool.map(partial(adapt, window=window), range(chains)))
                position = [chunk.positions[-1] for _, chunk in found]
                _, log_steps, *_ = zip(*(state.average for state, _ in found), strict=True)
                metric = begin.metric
                if window < windows - 1:
                    positions = np.concatenate([chunk.positions for _, chunk in found])
                    gradients = np.concatenate([chunk.gradients for _, chunk in found])
                    metric = program.learn(positions, gradients)
                step_size = jnp.asarray(np.exp(np.mean(log_steps)))
                begin = Start(tuple(position), step_size, metric, weights)
            found = list(pool.map(draw, range(chains)))
        except BaseException:
            stop.set()  # Ctrl-C too: the pool waits for its threads, which look at every chunk
            raise
    kept = jax.tree.map(lambda *parts: np.stack(parts), *(chunk for _, chunk in found))
    last = tuple(chunk.positions[-1] for _, chunk in found)
    end = Start(last, begin.step_size, begin.metric, weights)
    return Draws(kept.sites, kept.stats, end)


def _silent(_chain: int, _done: int) -> None:
    """Tell nobody."""


def _with_step_size(nuts: Any, step_size: Any) -> Any:
    return nuts._replace(adapt_state=nuts.adapt_state._replace(step_size=step_size))


def _first_start(program: Program, data: Any, key: Any, chains: int) -> Start:
    """Start near the prior mean, with the metric that gradients around it suggest."""
    centre = program.centre(data)
    points = centre + JITTER * jax.random.normal(key, (max(PROBES, chains), *centre.shape))
    step_size, unit = jnp.asarray(FIRST_STEP), jnp.ones_like(centre)
    if program.dense:
        unit = jnp.diag(unit)
    shallow = np.asarray(False)
    states = [program.begin(key, data, point, step_size, unit, shallow) for point in points]
    metric = _metric(np.asarray(points), np.stack([state.nuts.z_grad for state in states]))
    _, weights = data
    if program.dense:
        metric = jnp.diag(metric)
    return Start(tuple(points[:chains]), step_size, metric, weights)


def _metric(positions: NDArray[Any], gradients: NDArray[Any]) -> Any:
    """Diagonal inverse mass: spread of the positions over spread of the gradients.

    Exact for a Gaussian with independent elements however few the draws, and the geometric mean
    of variance and inverse curvature otherwise (Seyboldt, Carlson, Carpenter 2026, the adaptation
    of nutpie).
    """
    ratio = positions.std(axis=0) / np.maximum(gradients.std(axis=0), TINY)
    return jnp.asarray(np.clip(ratio, *METRIC_RANGE))


def _dense_metric(positions: NDArray[Any], gradients: NDArray[Any]) -> Any:
    """Dense inverse mass: of the draws where they are many, of draws and gradients where few."""
    count, dims = positions.shape
    return (_covariance if count >= MANY * dims else _between)(positions, gradients)


def _covariance(positions: NDArray[Any], _gradients: NDArray[Any]) -> Any:
    """Dense inverse mass: the draws' covariance, its correlations shrunk towards none.

    The few coefficients of a law are nearly collinear (floor with exponent, say), and a few hundred
    draws tell how, curved ridges included.
    """
    count, dims = positions.shape
    covariance = np.cov(positions, rowvar=False).reshape(dims, dims)
    diagonal = np.diag(np.clip(np.diag(covariance), *METRIC_RANGE))
    return jnp.asarray((count * covariance + dims * diagonal) / (count + dims))


def _between(positions: NDArray[Any], gradients: NDArray[Any]) -> Any:
    r"""Dense inverse mass: the geometric mean of the draws' covariance and the gradients' inverse.

    For :math:`M = C_x \mathbin{\#} C_g^{-1}` the covariance of the gradients, carried over by M,
    is that of the draws: :math:`M C_g M = C_x`. Exact for any Gaussian as soon as draws span the
    space: few of them tell a narrow ridge, where shrinking their covariance would lose it.
    """
    scale = np.sqrt(np.asarray(_metric(positions, gradients)))
    ridge = RIDGE * np.eye(len(scale))
    of_draws = np.cov(positions / scale, rowvar=False).reshape(ridge.shape) + ridge
    of_gradients = np.cov(gradients * scale, rowvar=False).reshape(ridge.shape) + ridge
    root, inverse = _power(of_gradients, 0.5), _power(of_gradients, -0.5)
    between = inverse @ _power(root @ of_draws @ root, 0.5) @ inverse
    return jnp.asarray(scale[:, None] * (between + between.T) / 2 * scale)


def _power(matrix: NDArray[Any], exponent: float) -> NDArray[Any]:
    """Power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    found: NDArray[Any] = (vectors * np.maximum(values, TINY) ** exponent) @ vectors.T
    return found
