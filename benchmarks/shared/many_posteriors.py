"""Posteriors of many data sets at once: the sampler of a fit, mapped over data sets and chains.

Each data set has its own step size and metric, which its chains share, as those of a fit do. All
chains take as many steps as the longest tree among them, so that trees are kept shorter than a
fit's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import arviz_stats
import jax
import numpy as np
from numpy.typing import NDArray

from bayescale.inference.recipes import METRIC_RANGE
from bayescale.inference.sampler import FIRST_STEP, JITTER, PROBES
from bayescale.inference.transition import CHUNK, WINDOW, Program, pure_program
from bayescale.models.grid import Grid
from bayescale.models.model import Model
from bayescale.noises.log_scale import TINY

CHAINS = 2
WINDOWS, MORE_WINDOWS, DRAWS = 5, 2, 500  # draws of each chain
R_HAT = 1.1  # data sets above go on, each time twice as long, up to LONGEST times
LONGEST = 4
FEW = 4  # data sets that go on by themselves, several times as fast as beside all others
DEPTHS = (7, 8)  # of trees, in windows that learn the metric and then
ONCE = {"xla_backend_optimization_level": 0}  # of what runs once a window: it compiles sooner

Arrays = dict[str, NDArray[Any]]
Tell = Callable[[str], None]


def silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Refits:
    """Draws, shape (data set, chain, draw, element), and for each data set what they took."""

    draws: Arrays
    r_hat: NDArray[Any]
    divergences: NDArray[Any]
    length: NDArray[Any]


class _Chains(NamedTuple):
    """Chains of some data sets: positions (data set, chain, unknown), the rest (data set, ...)."""

    positions: NDArray[Any]
    step_size: NDArray[Any]
    metric: NDArray[Any]


class _Batch:
    """The sampler mapped over data sets and chains."""

    def __init__(self, program: Program, grid: Grid) -> None:
        self.program = program

        def data(scores: Any) -> Any:
            return replace(grid, scores=scores), {}

        def begin(key: Any, scores: Any, position: Any, *tuned: Any) -> Any:
            return program.begin(key, data(scores), position, *tuned)

        def advance(state: Any, scores: Any, adapting: Any) -> Any:
            state, chunk = program.advance(state, data(scores), adapting)
            return state, (chunk.positions, chunk.gradients, chunk.sites, chunk.stats)

        chains = jax.vmap(begin, in_axes=(0, None, 0, None, None, None))
        self.begin = jax.jit(jax.vmap(chains, in_axes=(0, 0, 0, 0, 0, None)), compiler_options=ONCE)
        chains = jax.vmap(advance, in_axes=(0, None, None))
        self.advance = jax.jit(jax.vmap(chains, in_axes=(0, 0, None)))
        self.centre = program.centre(data(grid.scores))

    def start(self, scores: NDArray[Any], chains: int, key: Any) -> _Chains:
        """Start near the prior mean, with the metric that gradients around it suggest."""
        sets, size = len(scores), self.centre.size
        probes = PROBES // chains
        noise = jax.random.normal(key, (probes, sets, chains, size))
        points = np.asarray(self.centre + JITTER * noise)
        keys, steps = _keys(key, (sets, chains)), np.full(sets, FIRST_STEP)
        unit = np.broadcast_to(np.eye(size), (sets, size, size))
        deep = np.asarray(False)
        states = [self.begin(keys, scores, at, steps, unit, deep) for at in points]
        gradients = np.stack([state.nuts.z_grad for state in states])
        ratio = points.std(axis=(0, 2)) / np.maximum(gradients.std(axis=(0, 2)), TINY)
        metric = np.clip(ratio, *METRIC_RANGE)[..., None] * np.eye(size)
        return _Chains(points[0], steps, metric)

    def run(
        self,
        chains: _Chains,
        scores: NDArray[Any],
        key: Any,
        *,
        windows: int,
        draws: int,
        tell: Tell,
    ) -> tuple[_Chains, Arrays, NDArray[Any]]:
        """Adapt in windows, as `bayescale.inference.sampler.sample` does, and draw."""
        shape = chains.positions.shape[:2]
        for window in range(windows + 1):
            adapting = window < windows
            length = WINDOW if adapting else draws
            state = self.begin(
                _keys(jax.random.fold_in(key, window), shape),
                scores,
                chains.positions,
                chains.step_size,
                chains.metric,
                np.asarray(window < windows - 1),
            )
            chunks = []
            for done in range(0, length, CHUNK):
                state, chunk = self.advance(state, scores, np.asarray(adapting))
                chunks.append(jax.tree.map(np.asarray, chunk))
                gradients = int(chunk[3]["num_steps"].max(axis=(0, 1)).sum())
                what = f"window {window + 1} of {windows}" if adapting else "draws"
                tell(f"{what}, {done + CHUNK} of {length}, {gradients} gradients")
            positions, gradients, sites, stats = jax.tree.map(
                lambda *leaves: np.concatenate(leaves, axis=2), *chunks
            )
            chains = chains._replace(positions=positions[:, :, -1])
            if adapting:
                log_steps = np.asarray(state.average[1])
                chains = chains._replace(step_size=np.exp(log_steps.mean(axis=1)))
            if window < windows - 1:
                recipe = self.program.recipe
                recorded = {"positions": positions, "gradients": gradients}
                metric = [
                    recipe.learn(**{need: _joined(recorded[need][at]) for need in recipe.needs})
                    for at in range(len(scores))
                ]
                chains = chains._replace(metric=np.stack(metric))
        flat = {name: values.reshape(*values.shape[:3], -1) for name, values in sites.items()}
        return chains, flat, stats["diverging"].sum(axis=(1, 2))


def _put(whole: NDArray[Any], at: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    found = np.array(whole)
    found[at] = values
    return found


def _joined(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(-1, values.shape[-1])


def _keys(key: Any, shape: tuple[int, int]) -> Any:
    return jax.random.split(key, shape)


def refit(
    model: Model, grid: Grid, scores: NDArray[Any], *, seed: int, tell: Tell = silent
) -> Refits:
    """Sample the posterior of each data set; those whose chains disagree go on for longer.

    Each time they go on where they ended, and what they drew before is dropped.
    """
    with jax.enable_x64(True):
        batch = _Batch(pure_program(model, grid, depths=DEPTHS), grid)
        key = jax.random.PRNGKey(seed)
        chains = batch.start(scores, CHAINS, key)
        chains, draws, divergences = batch.run(
            chains, scores, key, windows=WINDOWS, draws=DRAWS, tell=tell
        )
        r_hat, lengths = worst_r_hat(draws), np.ones(len(scores), int)
        length = 1
        while (r_hat > R_HAT).any() and length < LONGEST:
            length *= 2
            at = np.flatnonzero(r_hat > R_HAT)
            # As many as were compiled for, so that some go twice; or, compiled anew, a few.
            lanes = np.resize(at, FEW if len(at) <= FEW < len(scores) else len(scores))
            tell(f"{len(at)} data sets go on, {length} times as long")
            ended, more, diverging = batch.run(
                jax.tree.map(lambda leaf, lanes=lanes: leaf[lanes], chains),
                scores[lanes],
                jax.random.fold_in(key, 1000 * length),
                windows=MORE_WINDOWS,
                draws=DRAWS * length,
                tell=tell,
            )
            ended, more, diverging = jax.tree.map(
                lambda leaf, at=at: leaf[: len(at)], (ended, more, diverging)
            )
            chains = jax.tree.map(lambda leaf, new, at=at: _put(leaf, at, new), chains, ended)
            draws = {k: _put(v, at, more[k][:, :, ::length]) for k, v in draws.items()}
            r_hat[at], lengths[at], divergences[at] = worst_r_hat(more), length, diverging
    return Refits(draws, r_hat, divergences, lengths)


def worst_r_hat(draws: Arrays) -> NDArray[Any]:
    """Largest R-hat of each data set, over halves of its chains, ranks normalised."""
    stats: Any = arviz_stats
    each = [
        [
            max(float(stats.rhat(values[i, :, :, e])) for e in range(values.shape[-1]))
            for i in range(len(values))
        ]
        for values in draws.values()
    ]
    return np.asarray(each).max(axis=0)
