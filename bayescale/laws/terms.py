"""Building blocks that laws share: power terms, soft breaks, effective resources.

Everything works on plain numbers and arrays, broadcasts, and stays finite and differentiable in
float64 over the range that a sampler may visit.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.nn import softplus


def power(amplitude: Array, x: Array, exponent: Array) -> Array:
    r"""Give :math:`a\,x^{-p}`, by logarithms: one pass for value and gradient."""
    return jnp.exp(jnp.log(amplitude) - exponent * jnp.log(x))


def log_reducible(loss: Array, floor: Array, width: float = 0.01) -> Array:
    """Give the log of the loss above a floor; finite where a sampler tries a floor too high."""
    scaled = (loss - floor) / width
    # Softplus is too small for a float far below zero, where its log is what it is of.
    above = jnp.log(softplus(jnp.maximum(scaled, -30.0)))
    return jnp.log(width) + jnp.where(scaled > -30.0, above, scaled)


def above_floor(level: Array, share: Array, fall: Array) -> Array:
    r"""Give a response that falls towards a floor, by its own slopes.

    .. math:: L \left(s + (1 - s)\, e^{-f/(1 - s)}\right)

    with L the level where the fall f is none, s the share of it that is floor, and f counted in
    logs of the whole response. Data pin the response and its slope, not floor and exponent: along
    these a sampler moves freely, while floor, amplitude and exponent are one curved ridge.
    """
    return level * (share + (1 - share) * jnp.exp(-fall / (1 - share)))


def soft_break(x: Array, position: Array, sharpness: Array | float) -> Array:
    r"""Give :math:`f \log(1 + (x/d)^{1/f})`: zero before the break d, log(x/d) after it.

    The smaller f, the sharper the bend. Every saturation and shift of the literature is one, since
    log(1 + x/d) is the break of f = 1.
    """
    return sharpness * softplus((jnp.log(x) - jnp.log(position)) / sharpness)


def repeated(unique: Array, total: Array, half_life: Array) -> Array:
    r"""Give the worth of data seen again and again, in tokens that are seen once.

    .. math:: D' = U + U R^* (1 - e^{-R/R^*}), \quad R = D/U - 1

    Source: Muennighoff et al. 2023, arXiv:2305.16264, eq. 5.
    """
    repeats = jnp.maximum(total / unique - 1, 0.0)
    return unique * (1 + half_life * -jnp.expm1(-repeats / half_life))


def saturated_experts(experts: Array, start: Array, most: Array) -> Array:
    r"""Give the effective number of experts.

    .. math:: \hat E^{-1} = \left(E - 1 + (1/E_{start} - 1/E_{max})^{-1}\right)^{-1} + 1/E_{max}

    Source: Clark et al. 2022, arXiv:2202.01169, eq. 8.
    """
    return 1 / (1 / (experts - 1 + 1 / (1 / start - 1 / most)) + 1 / most)
