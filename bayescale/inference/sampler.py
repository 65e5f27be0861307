"""Chains: from a compiled transition, data and a seed to draws.

Adaptation goes by windows, whose number, order and step size are decided here; the metric comes
from the program's recipe. Chains run in threads, each through the same executable: no device count
has to be set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bayescale.base.runtime import cpu_count
from bayescale.inference.centring import centring
from bayescale.inference.recipes import diagonal
from bayescale.inference.transition import CHUNK, WINDOW, Chunk, Program, State
from bayescale.models.grid import Grid

JITTER = 0.1  # spread of the chains' starts around the prior mean, unconstrained
PROBES = 20  # points around the start that give the first metric
FIRST_STEP = 0.1

Arrays = dict[str, NDArray[Any]]
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Start:
    """Where chains start: a position for each, and what all share.

    Parameters
    ----------
    positions
        One for each chain, in the coordinates of `centring`.
    step_size, metric, centring
        The step size, the metric, and the coordinates.
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


def sample(
    program: Program,
    grid: Grid,
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
    grid
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
    weights = start.centring if start else centring(program.model, grid)
    data = grid, weights
    begin = start or _first_start(program, data, jax.random.fold_in(key, windows + 1), chains)
    stop = Event()

    def run(chain: int, window: int, iterations: int) -> tuple[State, Chunk]:
        own = jax.random.fold_in(jax.random.fold_in(key, window), chain)
        position = begin.positions[chain % len(begin.positions)]
        shallow, adapting = np.asarray(window < windows - 1), np.asarray(window < windows)
        chunks = []
        with jax.enable_x64(True):
            state = program.begin(own, data, position, begin.step_size, begin.metric, shallow)
            for done in range(CHUNK, -(-iterations // CHUNK) * CHUNK + 1, CHUNK):
                if stop.is_set():
                    raise InterruptedError("another chain failed, or the user interrupted")
                state, chunk = program.advance(state, data, adapting)
                chunks.append(jax.tree.map(np.asarray, chunk))
                (tell or _silent)(chain, window * WINDOW + done)
        whole = jax.tree.map(lambda *parts: np.concatenate(parts)[:iterations], *chunks)
        return state, whole

    # Chains take the processors, and leave BLAS no second thread to wait for.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(chains, cpu_count())) as pool:
        try:
            for window in range(windows):
                adapt = partial(run, window=window, iterations=WINDOW)
                states, chunks = zip(*pool.map(adapt, range(chains)), strict=True)
                log_steps = [state.average[1] for state in states]
                begin = replace(
                    begin,
                    positions=tuple(chunk.positions[-1] for chunk in chunks),
                    step_size=jnp.asarray(np.exp(np.mean(log_steps))),
                    metric=_learned(program, chunks) if window < windows - 1 else begin.metric,
                )
            draw = partial(run, window=windows, iterations=draws)
            _, chunks = zip(*pool.map(draw, range(chains)), strict=True)
        except BaseException:
            stop.set()  # Ctrl-C too: the pool waits for its threads, which look at every chunk
            raise
    kept = jax.tree.map(lambda *parts: np.stack(parts), *chunks)
    end = replace(begin, positions=tuple(chunk.positions[-1] for chunk in chunks))
    return Draws(kept.sites, kept.stats, end)


def _silent(_chain: int, _done: int) -> None:
    """Tell nobody."""


def _first_start(program: Program, data: Any, key: Any, chains: int) -> Start:
    """Start near the prior mean, with the metric that gradients around it suggest."""
    centre = program.centre(data)
    points = centre + JITTER * jax.random.normal(key, (max(PROBES, chains), *centre.shape))
    step_size, shallow = jnp.asarray(FIRST_STEP), np.asarray(False)
    unit = program.recipe.from_diagonal(np.ones(centre.shape))
    states = [program.begin(key, data, point, step_size, unit, shallow) for point in points]
    gradients = np.stack([state.nuts.z_grad for state in states])
    metric = program.recipe.from_diagonal(diagonal(np.asarray(points), gradients))
    _, weights = data
    return Start(tuple(points[:chains]), step_size, metric, weights)


def _learned(program: Program, chunks: Sequence[Chunk]) -> Any:
    """Give the metric that the draws of all chains tell."""
    recipe = program.recipe
    joined = {need: np.concatenate([getattr(c, need) for c in chunks]) for need in recipe.needs}
    return recipe.learn(**joined)
