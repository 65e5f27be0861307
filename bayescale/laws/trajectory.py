"""Whole trainings: a learning-rate schedule, and steps against data."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array, lax

from bayescale.laws.power_sums import NATS, Floor
from bayescale.laws.terms import power as term
from bayescale.parts.coefficients import fraction, positive
from bayescale.parts.declare import law, printed
from bayescale.parts.inputs import Batch, Input, Params, Rates
from bayescale.parts.part import Values

SUM = 5.0  # summed rate at which A is told: ten thousand steps at 5e-4
RATE = 5e-4  # a rate to be annealed away, at which the worth of annealing is told


def annealed(rates: Array, steps: Array, forgetting: Array) -> tuple[Array, Array]:
    r"""Give the two sums by which a schedule enters the loss, at each of its nodes.

    .. math:: S_1 = \sum_{i \le s} \eta_i, \quad
              S_2 = \sum_{i \le s} \sum_{k \le i} (\eta_{k-1} - \eta_k) \lambda^{i-k}

    The rate only changes at nodes, so that a schedule of a hundred thousand steps needs a few
    hundred nodes: over the steps between two of them a drop decays by a geometric series.

    Parameters
    ----------
    rates, steps
        Of a `Schedule`, shape (series, node); `steps` also (node,).
    forgetting
        1 - lambda, in (0, 1), a number or shape (series,).

    Returns
    -------
    S1, S2 : Array
        Shape (series, node).
    """
    rates = jnp.asarray(rates, float)
    steps = jnp.broadcast_to(jnp.asarray(steps, float), rates.shape)
    memory = jnp.reshape(1 - forgetting, (-1, 1))  # a row for each series
    lengths = jnp.diff(steps, prepend=steps[:, :1])
    drops = -jnp.diff(rates, prepend=rates[:, :1])
    # A drop comes at the first step after a node, and decays on the steps from there to the next.
    kept = jnp.exp(lengths * jnp.log(memory))

    def onward(early: tuple[Array, Array], late: tuple[Array, Array]) -> tuple[Array, Array]:
        return early[0] * late[0], early[1] * late[0] + late[1]

    _, momentum = lax.associative_scan(onward, (kept, drops * kept / memory), axis=1)
    # A drop, less what is left of it at the end, has been felt: the sum of a geometric series.
    S2 = (rates[:, :1] - rates - memory * momentum) / (1 - memory)
    return jnp.cumsum(rates * lengths, axis=1), S2


def _annealing_paper(c: Values, _reference: Values) -> dict[str, Any]:
    amplitude = c["A"] * SUM ** c["alpha"]
    found = {"L_0": c["L_0"], "A": amplitude, "alpha": c["alpha"]}
    return {**found, "C": c["gain"] * c["forgetting"] / RATE, "forgetting": c["forgetting"]}


@law(
    response="loss",
    unit=NATS,
    source="Tissue, Wang, Wang 2024, arXiv:2408.11029",
    plausible=(0.5, 10),
    paper=_annealing_paper,
    traps=(
        "C and lambda are told apart by two schedules at least",
        "checkpoints of one run share its noise",
        "A and C hold for one kind of learning rate: S1 and S2 are in its unit",
        "the warm-up is left out: sums start at its end",
    ),
)
def lr_annealing(
    schedule: Rates,
    *,
    L_0: Floor,
    A: Annotated[Array, positive(0.3, 3, unit=NATS, meaning=f"reducible loss where S1 is {SUM}")],
    alpha: Annotated[Array, positive(0.5, 1.65, unit="1", meaning="exponent of the summed rate")],
    gain: Annotated[
        Array,
        positive(0.1, 3, unit=NATS, meaning=f"loss that annealing from {RATE} buys in the end"),
    ],
    forgetting: Annotated[Array, fraction(0.003, 1, unit="1/step", meaning="1 - lambda")],
) -> Array:
    r"""Loss at a step follows from the summed learning rate, and from how much it was annealed.

    .. math:: L(s) = L_0 + A\,S_1^{-\alpha} - C\,S_2
    """
    rates, row = jnp.asarray(schedule.rates), jnp.asarray(schedule.row)
    if jnp.ndim(forgetting):  # of each run; that of a series is what its first run has
        first = jnp.argmax(row == jnp.arange(len(rates))[:, None], axis=1)
        forgetting = jnp.asarray(forgetting)[first]
    S1, S2 = annealed(rates, schedule.steps, forgetting)
    at = (row, schedule.node)
    lost = jnp.reshape(forgetting, (-1, 1)) * S2
    return L_0 + term(A, S1[at] / SUM, alpha) - gain / RATE * lost[at]


def _kaplan_steps_paper(c: Values, reference: Values) -> dict[str, Any]:
    return {
        "N_c": reference["params"] * c["A"] ** (1 / c["alpha_N"]),
        "S_c": reference["steps"] * c["B"] ** (1 / c["alpha_S"]),
        "alpha_N": c["alpha_N"],
        "alpha_S": c["alpha_S"],
    }


@law(
    response="loss",
    unit=NATS,
    source="Kaplan et al. 2020, arXiv:2001.08361, eq. 1.6",
    plausible=(1, 10),
    falls=("params", "steps"),
    paper=_kaplan_steps_paper,
    published={"Kaplan et al. 2020, WebText2": printed(S_c=2.1e3, alpha_S=0.76)},
    traps=(
        "steps at a batch far above the critical one; at a smaller batch S_c is larger",
        "of a constant learning rate: annealing buys a loss that the law does not know",
        "no floor: the exponent of params comes out smaller than that of a law that has one",
        "checkpoints of one run share its noise",
    ),
)
def kaplan_steps(
    params: Params,
    steps: Annotated[Array, Input("steps", 1e3, 1e6, "training steps, all of one batch")],
    *,
    A: Annotated[Array, positive(2.5, 1.5, unit=NATS, meaning="loss there after endless steps")],
    B: Annotated[Array, positive(0.3, 3, unit=NATS, meaning="what too few steps cost there")],
    alpha_N: Annotated[Array, positive(0.08, 1.65, unit="1", meaning="exponent of params")],
    alpha_S: Annotated[Array, positive(0.7, 1.65, unit="1", meaning="exponent of steps")],
) -> Array:
    r"""Loss along a training is what the size can reach, and what is left to learn of it.

    .. math:: L(N, S) = (N_c/N)^{\alpha_N} + (S_c/S)^{\alpha_S}
    """
    return term(A, params, alpha_N) + term(B, steps, alpha_S)


def _critical_batch_paper(c: Values, reference: Values) -> dict[str, Any]:
    critical = c["B_crit"] * reference["batch"]
    return {"S_min": c["S_min"], "B_crit": critical, "D_min": c["S_min"] * critical}


@law(
    response="steps",
    unit="steps",
    source="McCandlish et al. 2018, arXiv:1812.06162, eq. 2.11",
    status="unverified",
    plausible=(1e2, 1e8),
    falls=("batch",),
    floor="S_min",
    paper=_critical_batch_paper,
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
