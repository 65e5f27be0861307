"""Laws of whole trainings: a learning-rate schedule, and steps against data."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
from jax import Array, lax

from bayescale.coefficients import positive
from bayescale.inputs import Batch, Schedule, Steps
from bayescale.laws.power_sums import NATS, Floor
from bayescale.laws.terms import power as term
from bayescale.parts import law


def annealed(rates: Array, steps: Array, memory: Array) -> tuple[Array, Array]:
    r"""Give the two sums that a schedule enters the loss by, at each of its nodes.

    .. math:: S_1 = \sum_{i \le s} \eta_i, \quad
              S_2 = \sum_{i \le s} \sum_{k \le i} (\eta_{k-1} - \eta_k) \lambda^{i-k}

    Between two nodes the rate is that of the later one, so that a schedule of a hundred thousand
    steps needs a few hundred nodes: a momentum m is decayed over the steps between them.

    Parameters
    ----------
    rates
        Learning rate after each node, shape (..., node).
    steps
        Step of each node, increasing from the first, shape (node,).
    memory
        lambda, in (0, 1).

    Returns
    -------
    S1, S2 : Array
        Shape (..., node).
    """
    lengths = jnp.diff(steps, prepend=steps[:1])
    drops = -jnp.diff(rates, prepend=rates[..., :1], axis=-1)
    log_memory = jnp.log(memory)

    def onward(state: tuple[Array, Array], node: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        momentum, total = state
        length, drop = node
        # A drop at the node's first step, then length - 1 steps of decay.
        momentum = momentum * memory + drop
        decayed = -jnp.expm1(length * log_memory) / (1 - memory)
        total = total + momentum * decayed
        return (momentum * jnp.exp((length - 1) * log_memory), total), total

    zero = jnp.zeros(rates.shape[:-1])
    _, sums = lax.scan(onward, (zero, zero), (lengths, jnp.moveaxis(drops, -1, 0)))
    return jnp.cumsum(rates * lengths, axis=-1), jnp.moveaxis(sums, 0, -1)
