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

    def onward(
        state: tuple[Array, Array], node: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array], Array]:
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


@law(
    response="loss",
    unit=NATS,
    source="Tissue, Wang, Wang 2024, arXiv:2408.11029",
    traps=(
        "C and lambda are told apart by two schedules at least",
        "checkpoints of one run share its noise",
        "constants depend on the unit of the schedule: the learning rate times steps",
    ),
)
def lr_annealing(
    schedule: Schedule,
    *,
    L_0: Floor,
    A: Annotated[Array, positive(0.5, 3, unit=NATS, meaning="reducible loss at the reference S1")],
    alpha: Annotated[Array, positive(0.5, 1.65, unit="1", meaning="exponent of the summed rate")],
    C: Annotated[Array, positive(0.3, 3, unit=NATS, meaning="worth of annealing all the way")],
    forgetting: Annotated[Array, positive(0.003, 2.7, unit="1/step", meaning="1 - lambda")],
) -> Array:
    r"""Loss at a step follows from the summed learning rate, and from how much it was annealed.

    .. math:: L(s) = L_0 + A\,S_1^{-\alpha} - C\,S_2
    """
    S1, S2 = annealed(schedule.rates, schedule.steps, 1 - forgetting)
    at = (schedule.row, schedule.node)
    return L_0 + term(A, S1[at], alpha) - C * S2[at]


@law(
    response="steps",
    unit="steps",
    source="McCandlish et al. 2018, arXiv:1812.06162, eq. 2.11",
    status="unverified",
    falls=("batch",),
    floor="S_min",
    traps=("one loss level at a time: the critical batch grows as the loss falls",),
)
def critical_batch_curve(
    batch: Batch,
    *,
    S_min: Annotated[Array, positive(1e4, 10, unit="steps", meaning="steps at a very large batch")],
    B_crit: Annotated[Array, positive(1, 10, unit="reference batch", meaning="critical batch")],
) -> Array:
    r"""Steps to a loss fall with the batch until it is critical.

    .. math:: (S/S_{min} - 1)(D/D_{min} - 1) = 1, \quad S = S_{min} (1 + B_{crit}/B)
    """
    return S_min * (1 + B_crit / batch)
