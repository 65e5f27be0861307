"""Links from a loss to a bounded score."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
from jax import Array
from jax.nn import sigmoid

from bayescale.coefficients import fraction, positive
from bayescale.parts import link


@link(source="Gadre et al. 2024, arXiv:2403.08540, eq. 5")
def downstream_exp(
    latent: Array,
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

    Sampled is the error at the pivot, which scores pin down, in place of k.

    Parameters
    ----------
    latent
        Loss, shape (benchmark, ...).
    pivot
        Loss at the reference run, shape (benchmark, 1).
    chance, top
        Score of guessing and largest possible score, shape (benchmark, 1).
    error, largest, rate
        Error at the pivot as a share of the largest, epsilon, and gamma; shape (benchmark, 1).

    Returns
    -------
    Array
        Expected score, shape (benchmark, ...).
    """
    drop = largest * (1 - error)
    return top * (1 - (largest - drop * jnp.exp(-rate * (latent - pivot))))


@link(
    source="Bhagia et al. 2024, arXiv:2412.04403 (task ladder); Magnusson et al. 2025 (DataDecide)"
)
def ladder(
    latent: Array,
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
    latent
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
    return chance + (top - chance) * ceiling * sigmoid(-rate * (latent - middle * pivot))
