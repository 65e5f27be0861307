"""The generalised logistic link between chance and a learned ceiling."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
from jax import Array

from bayescale.parts.coefficients import fraction, positive
from bayescale.parts.declare import link

LARGEST = 500.0  # exp of this is finite in float64


@link(source="Richards 1959 (generalised logistic); chance and ceiling as in item response theory")
def logistic(
    latent: Array,
    pivot: Array,
    chance: Array,
    top: Array,
    *,
    ceiling: Annotated[
        Array,
        fraction(0.9, 0.8, "benchmark", unit="1", meaning="share of the room above reference"),
    ],
    shape: Annotated[
        Array, positive(1.0, 1.65, "benchmark", unit="1", meaning="asymmetry; 1 is the logistic")
    ],
) -> Array:
    r"""Give the expected score between chance and ceiling: unit slope in logits at the pivot.

    .. math:: p = c + (t - c)\,\kappa\,\sigma(x)^{\gamma}, \quad
              x = x_0 + s\,(\eta - \eta_0), \quad
              \kappa = r + (1 - r) f, \quad r = \sigma(\eta_0)

    with x_0 and s such that the normalised score is r at the pivot :math:`\eta_0`, and its logit
    has slope one there. So ceiling and shape bend the curve, but move neither its level nor its
    slope at the reference run: in the plain form level, slope, ceiling and shape are nearly the
    same coefficient wherever a benchmark is far from saturated.

    Parameters
    ----------
    latent
        In logits, shape (benchmark, ...).
    pivot
        Latent value at the reference run, shape (benchmark, 1).
    chance, top
        Score of guessing and largest possible score, shape (benchmark, 1).
    ceiling
        Share f of the room above the reference run's score, shape (benchmark, 1).
    shape
        Exponent :math:`\gamma`, shape (benchmark, 1).

    Returns
    -------
    Array
        Expected score, shape (benchmark, ...).
    """
    room = 1 / (1 + jnp.exp(pivot))
    reach = 1 - room * (1 - ceiling)
    log_share = (-_softplus(-pivot) - jnp.log(reach)) / shape
    rest = -jnp.expm1(log_share)
    start = log_share - jnp.log(rest)
    slope = room / (shape * rest)
    share = jnp.exp(-shape * _softplus(-(start + slope * (latent - pivot))))
    return chance + (top - chance) * reach * share


def _softplus(value: Array) -> Array:
    # Half the time of jax.nn.softplus on a processor; the clip keeps exp finite.
    return jnp.log(1 + jnp.exp(jnp.clip(value, -LARGEST, LARGEST)))
