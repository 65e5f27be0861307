"""Links from a loss to a bounded score."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
from jax import Array
from jax.nn import sigmoid, softplus

from bayescale.parts.coefficients import fraction, positive
from bayescale.parts.declare import link, printed

LEAST = 0.002  # an error below this is bent upwards, so that none is ever negative


@link(
    source="Gadre et al. 2024, arXiv:2403.08540, eq. 5",
    published={
        "C4, 17 tasks": printed(k=2.08, gamma=0.756, epsilon=0.850),
        "RedPajama, 17 tasks": printed(k=2.21, gamma=0.715, epsilon=0.857),
        "RefinedWeb, 17 tasks": printed(k=2.21, gamma=0.707, epsilon=0.865),
    },
)
def downstream_exp(
    loss: Array,
    pivot: Array,
    chance: Array,
    top: Array,
    *,
    error: Annotated[
        Array, fraction(0.6, 0.7, "benchmark", unit="1", meaning="error there, of the largest")
    ],
    largest: Annotated[
        Array, fraction(0.85, 0.7, "benchmark", unit="error", meaning="error of a high loss")
    ],
    rate: Annotated[
        Array, positive(0.8, 1.5, "benchmark", unit="1/loss", meaning="decay of error with loss")
    ],
) -> Array:
    r"""The error of a benchmark decays exponentially as the loss falls.

    .. math:: 1 - p = \epsilon - k\,e^{-\gamma L}

    Sampled is the error at the pivot, which scores pin down, in place of k. The formula turns
    negative at losses that no model has; there the error bends towards zero.

    Parameters
    ----------
    loss
        Loss, shape (benchmark, ...).
    pivot
        Loss at the reference run, shape (benchmark, 1).
    chance, top
        Score of guessing, which the formula does without, and largest possible score, shape
        (benchmark, 1).
    error, largest, rate
        Error at the pivot as a share of the largest, epsilon, and gamma; shape (benchmark, 1).

    Returns
    -------
    Array
        Expected score, shape (benchmark, ...).
    """
    del chance
    drop = largest * (1 - error) * jnp.exp(-rate * (loss - pivot))
    return top * (1 - LEAST * softplus((largest - drop) / LEAST))


@link(
    source="Bhagia et al. 2024, arXiv:2412.04403 (task ladder); Magnusson et al. 2025, "
    "arXiv:2504.11393 (DataDecide)",
    status="unverified",
)
def ladder_2step(
    loss: Array,
    pivot: Array,
    chance: Array,
    top: Array,
    *,
    ceiling: Annotated[
        Array, fraction(0.9, 0.8, "benchmark", unit="1", meaning="share of the room above chance")
    ],
    middle: Annotated[
        Array, positive(1, 2, "benchmark", unit="1", meaning="loss at half way, of the pivot's")
    ],
    rate: Annotated[
        Array, positive(3, 2.5, "benchmark", unit="1/loss", meaning="steepness of the sigmoid")
    ],
) -> Array:
    r"""A score rises along a sigmoid as the loss falls.

    .. math:: p = b + a\,\sigma(-k (L - L_0))

    Parameters
    ----------
    loss
        Loss, shape (benchmark, ...).
    pivot
        Loss at the reference run, shape (benchmark, 1).
    chance, top
        Score of guessing and largest possible score, shape (benchmark, 1).
    ceiling, middle, rate
        a as a share of the room, L_0 over the pivot, and k; shape (benchmark, 1).

    Returns
    -------
    Array
        Expected score, shape (benchmark, ...).
    """
    return chance + (top - chance) * ceiling * sigmoid(-rate * (loss - middle * pivot))
