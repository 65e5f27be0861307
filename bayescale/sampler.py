"""One compiled NUTS program: (key, design, start) -> draws.

Built from NumPyro's own NUTS kernel, so that data, weights and start are arguments: folds of a
backtest, and the chains of a fit, run through one compilation. Chains run in threads, each through
the same executable: no device count has to be set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro.distributions import biject_to
from numpyro.infer.hmc import hmc
from numpyro.infer.util import initialize_model

from bayescale.density import density
from bayescale.design import Design
from bayescale.model import Model
from bayescale.runtime import cpu_count

CHUNK = 50  # iterations between two looks at progress and Ctrl-C
WINDOW = 100  # iterations of one window of adaptation
JITTER = 0.1  # spread of the chains' starts around the prior mean, unconstrained
PROBES = 20  # points around the start that give the first metric
FIRST_STEP = 0.1
TREE_DEPTHS = (8, 10)  # largest depth in adaptation and after
TINY = 1e-300
METRIC_RANGE = (1e-10, 1e10)
STATS = ("diverging", "energy", "num_steps", "accept_prob")

Arrays = dict[str, NDArray[Any]]
Tell = Callable[[int, int], None]
Layout = tuple[tuple[str, int, tuple[int, ...]], ...]  # site, first position, shape


@dataclass(frozen=True)
class Start:
    """Where a chain starts: a position, a step size and a diagonal metric."""

    position: Any
    step_size: Any
    metric: Any


@dataclass(frozen=True)
class Draws:
    """Draws of every site in constrained form, shape (chain, draw, ...), and the sampler's record.

    `starts` continue the chains.
    """

    sites: Arrays
    stats: Arrays
    starts: tuple[Start, ...]


@dataclass(frozen=True)
class Program:
    """Compiled executables of one model on designs of one shape.

    Parameters
    ----------
    begin
        First state of a window of adaptation, from (key, design, start).
    advance
        The next `CHUNK` iterations of a state.
    gradient
        Gradient of the potential at a position.
    supports
        Support of each site that is not the real line.
    layout
        Where each site lies in the flat vector that is sampled.
    centre
        The vector at the prior mean of every site, unconstrained.
    """

    begin: Callable[..., Any]
    advance: Callable[..., Any]
    gradient: Callable[..., Any]
    supports: Mapping[str, Any]
    layout: Layout
    centre: Any


def site_groups(model: Model) -> dict[str, str]:
    """Tell population sites from group members, by the names that a model can sample."""
    groups = {"tokens_unknown": "group"}
    for name, rules in model.pooling.items():
        groups.update({f"{name}_{rule.group}": "group" for rule in rules})
    return groups


def compile_program(model: Model, design: Design, *, accept: float = 0.8) -> Program:
    """Compile the sampler for a model and the shape of a design.

    Must run in `jax.enable_x64(True)`.

    Parameters
    ----------
    model, design
        The density; the design's values do not matter, only its shape.
    accept
        Target acceptance probability.

    Returns
    -------
    Program
    """
    key = jax.random.PRNGKey(0)
    info = initialize_model(
        key,
        density,
        init_strategy=partial(_init_to_mean),
        dynamic_args=True,
        model_args=(model, design),
        validate_grad=False,
    )
    layout = _layout(info.param_info.z)
    supports = {
        name: site["fn"].support
        for name, site in info.model_trace.items()
        if name in info.param_info.z and name.endswith("_corr")
    }

    def potential(design: Design) -> Callable[[Any], Any]:
        return lambda flat: info.potential_fn(model, design)(_unpack(layout, flat))

    first, step = hmc(potential_fn_gen=potential, algo="NUTS")

    def begin(key: Any, design: Design, start: tuple[Any, Any, Any]) -> Any:
        position, step_size, metric = start
        return first(
            position,
            num_warmup=WINDOW,
            step_size=step_size,
            inverse_mass_matrix=metric,
            adapt_mass_matrix=False,
            target_accept_prob=accept,
            max_tree_depth=TREE_DEPTHS,
            model_args=(design,),
            rng_key=key,
        )

    def advance(state: Any, design: Design) -> Any:
        def body(state: Any, _: None) -> Any:
            state = step(state, model_args=(design,))
            return state, (state.z, state.z_grad, {name: getattr(state, name) for name in STATS})

        return jax.lax.scan(body, state, None, length=CHUNK)

    centre = jnp.concatenate([jnp.ravel(info.param_info.z[name]) for name, _, _ in layout])
    start = (centre, jnp.asarray(FIRST_STEP), jnp.ones_like(centre))
    state = jax.eval_shape(begin, key, design, start)
    return Program(
        begin=jax.jit(begin).lower(key, design, start).compile(),
        advance=jax.jit(advance).lower(state, design).compile(),
        gradient=jax.jit(lambda x, design: jax.grad(potential(design))(x))
        .lower(centre, design)
        .compile(),
        supports=supports,
        layout=layout,
        centre=centre,
    )


def _layout(sites: Mapping[str, Any]) -> Layout:
    layout, end = [], 0
    for name, value in sorted(sites.items()):
        layout.append((name, end, value.shape))
        end += int(np.prod(value.shape))
    return tuple(layout)


def _unpack(layout: Layout, flat: Any) -> dict[str, Any]:
    """Cut a flat vector into sites; leading dimensions (draws) stay."""
    return {
        name: flat[..., begin : begin + int(np.prod(shape))].reshape(*flat.shape[:-1], *shape)
        for name, begin, shape in layout
    }


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
    design: Design,
    *,
    seed: int,
    chains: int,
    windows: int,
    draws: int,
    starts: tuple[Start, ...] = (),
    tell: Tell | None = None,
) -> Draws:
    """Run the chains, side by side on the processors there are.

    Must run in `jax.enable_x64(True)`.

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
        Windows of adaptation; the metric is learned anew from each but the last.
    starts
        Starts of the chains (in turn), from earlier sampling.
    tell
        Is called with chain and iterations done, from several threads.

    Returns
    -------
    Draws
    """
    keys = jax.random.split(jax.random.PRNGKey(seed), chains)

    stop = Event()

    def run(chain: int) -> tuple[Arrays, Arrays, Start]:
        def report(done: int) -> None:
            if stop.is_set():
                raise InterruptedError("another chain failed, or the user interrupted")
            (tell or _silent)(chain, done)

        with jax.enable_x64(True):
            start = starts[chain % len(starts)] if starts else None
            return _run_chain(program, design, keys[chain], start, windows, draws, report)

    with ThreadPoolExecutor(min(chains, cpu_count())) as pool:
        try:
            parts = list(pool.map(run, range(chains)))
        except BaseException:
            stop.set()  # Ctrl-C too: the pool waits for its threads, which look at every chunk
            raise
    sites, stats, ends = zip(*parts, strict=True)
    return Draws(_stack(sites), _stack(stats), ends)


def _silent(_chain: int, _done: int) -> None:
    """Tell nobody."""


def _run_chain(
    program: Program,
    design: Design,
    key: Any,
    start: Start | None,
    windows: int,
    draws: int,
    report: Callable[[int], None],
) -> tuple[Arrays, Arrays, Start]:
    key, jitter = jax.random.split(key)
    start = start or _first_start(program, design, jitter)
    done = 0
    for window in range(windows):
        key, begin = jax.random.split(key)
        state = program.begin(begin, design, (start.position, start.step_size, start.metric))
        positions, gradients = [], []
        for _ in range(WINDOW // CHUNK):
            state, (position, gradient, _) = program.advance(state, design)
            positions.append(position)
            gradients.append(gradient)
            report(done := done + CHUNK)
        metric = start.metric
        if window < windows - 1:
            metric = _metric(np.concatenate(positions), np.concatenate(gradients))
            start = Start(state.z, state.adapt_state.step_size, metric)
    kept = []
    for _ in range(-(-draws // CHUNK)):
        state, (position, _, record) = program.advance(state, design)
        kept.append((np.asarray(position), jax.tree.map(np.asarray, record)))
        report(done := done + CHUNK)
    flat, stats = jax.tree.map(lambda *parts: np.concatenate(parts)[:draws], *kept)
    sites = _unpack(program.layout, flat)
    for name, support in program.supports.items():
        sites[name] = np.asarray(biject_to(support)(jnp.asarray(sites[name])))
    return sites, stats, Start(state.z, state.adapt_state.step_size, start.metric)


def _first_start(program: Program, design: Design, key: Any) -> Start:
    """Start near the prior mean, with the metric that gradients around it suggest."""
    steps = JITTER * jax.random.normal(key, (PROBES, *program.centre.shape))
    points = program.centre + steps
    gradients = np.stack([np.asarray(program.gradient(point, design)) for point in points])
    metric = _metric(np.asarray(points), gradients)
    return Start(points[0], jnp.asarray(FIRST_STEP), metric)


def _metric(positions: NDArray[Any], gradients: NDArray[Any]) -> Any:
    """Diagonal inverse mass: spread of the positions over spread of the gradients.

    Exact for a Gaussian with independent elements however few the draws, and the geometric mean
    of variance and inverse curvature otherwise (Seyboldt, Carlson, Carpenter 2026, the adaptation
    of nutpie).
    """
    ratio = positions.std(axis=0) / np.maximum(gradients.std(axis=0), TINY)
    return jnp.asarray(np.clip(ratio, *METRIC_RANGE))


def _stack(parts: tuple[Arrays, ...]) -> Arrays:
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
