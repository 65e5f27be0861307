"""Noise of quantities that cannot be negative, and of those that a law bounds from below."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from jax.scipy.special import log_ndtr

from bayescale.noises.log_scale import TINY, log_of
from bayescale.parts.coefficients import positive
from bayescale.parts.declare import noise


@noise(source="gamma regression: McCullagh and Nelder 1989, chapter 8", positive=True)
def gamma(
    expected: Array,
    *,
    spread: Annotated[
        Array, positive(0.2, 3.0, "benchmark", unit="1", meaning="noise over the expected value")
    ],
) -> dist.Distribution:
    r"""Scatter a difference that is never negative, with noise in proportion to it.

    .. math:: y \sim \mathrm{Gamma}(\sigma^{-2},\ \sigma^{-2}/\mu)

    Parameters
    ----------
    expected
        Expected value, shape (benchmark, run).
    spread
        Coefficient of variation, shape (benchmark, 1).

    Returns
    -------
    Distribution
        Of the measured value.
    """
    shape = spread**-2
    return dist.Gamma(jnp.broadcast_to(shape, expected.shape), shape / jnp.maximum(expected, TINY))


class Frontier:
    """Exponentially modified Normal on the log of a value."""

    def __init__(self, location: Array, spread: Array, excess: Array) -> None:
        self.location, self.spread, self.excess = location, spread, excess

    def log_prob(self, value: Array) -> Array:
        r"""Log density, per unit of the value."""
        away, rate = jnp.log(value) - self.location, 1 / self.excess
        tilt = rate * (0.5 * rate * self.spread**2 - away)
        within = log_ndtr(away / self.spread - rate * self.spread)
        return jnp.log(rate) + tilt + within - jnp.log(value)

    def sample(self, key: Any) -> Array:
        """One draw."""
        both, above = jax.random.split(key)
        shape = jnp.broadcast_shapes(self.location.shape, jnp.shape(self.spread))
        noise = self.spread * jax.random.normal(both, shape)
        return jnp.exp(self.location + noise + self.excess * jax.random.exponential(above, shape))


@noise(
    source="stochastic frontiers: Meeusen and van den Broeck 1977; Aigner, Lovell, Schmidt 1977",
    positive=True,
)
def lower_envelope(
    expected: Array,
    *,
    spread: Annotated[
        Array, positive(0.005, 3.0, "benchmark", unit="log response", meaning="noise both ways")
    ],
    excess: Annotated[
        Array, positive(0.03, 5.0, "benchmark", unit="log response", meaning="mean shortfall")
    ],
) -> Frontier:
    r"""Take the law for what a well-tuned run reaches; others lie above it, exponentially.

    .. math:: \log y = \log \mu + e + u, \quad e \sim N(0, \sigma), \ u \sim \mathrm{Exp}(1/\tau)

    Parameters
    ----------
    expected
        Value at the frontier, shape (benchmark, run).
    spread
        Noise both ways, shape (benchmark, 1).
    excess
        Mean shortfall tau, shape (benchmark, 1).

    Returns
    -------
    Frontier
        Distribution of the measured value.
    """
    return Frontier(log_of(expected), spread, excess)
