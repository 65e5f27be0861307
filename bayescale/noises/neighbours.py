"""Noise that neighbours on a curve share: an autoregression along an input."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from bayescale.noises.log_scale import log_of, on_log
from bayescale.parts.coefficients import positive
from bayescale.parts.declare import noise


class Autoregression:
    """Log residuals that decay towards zero from one neighbour to the next."""

    def __init__(
        self,
        expected: Array,
        previous: Array,
        gap: Array,
        spread: Array,
        memory: Array,
        degrees: Array,
    ) -> None:
        self.location = log_of(expected)
        self.first = previous < 0
        self.before = jnp.where(self.first, 0, previous)
        self.rho = jnp.where(self.first, 0.0, jnp.exp(-gap / memory))
        self.spread, self.degrees = spread, degrees

    def log_prob(self, value: Array) -> Array:
        """Log density of each value given the one before."""
        away = jnp.log(value) - self.location
        carried = self.rho * jnp.take_along_axis(away, self.before, axis=-1)
        scale = self.spread * jnp.sqrt(jnp.maximum(1 - self.rho**2, 1e-6))
        given = dist.StudentT(1 + self.degrees, self.location + carried, scale)
        found: Array = on_log(given).log_prob(value)
        return found

    def sample(self, key: Any) -> Array:
        """One draw of every value, each by itself."""
        alone = dist.StudentT(1 + self.degrees, self.location, self.spread)
        drawn: Array = on_log(alone).sample(key)
        return drawn


@noise(
    source="continuous autoregression of order one: Jones 1981; Student-t innovations",
    positive=True,
)
def ar1_log(
    expected: Array,
    previous: Array,
    gap: Array,
    *,
    spread: Annotated[
        Array, positive(0.02, 3.0, "benchmark", unit="log response", meaning="relative noise")
    ],
    memory: Annotated[
        Array, positive(0.1, 10.0, unit="e-folds", meaning="distance that noise lasts over")
    ],
    degrees: Annotated[
        Array, positive(6.0, 3.0, unit="1", meaning="degrees of freedom above 1; small: long tails")
    ],
) -> Autoregression:
    r"""Let checkpoints of one run miss the law together, the more so the nearer they are.

    .. math:: \log y_i \sim t_{1+\nu}\!\left(\log \mu_i + \rho_i (\log y_{i-1} - \log \mu_{i-1}),\
              \sigma \sqrt{1 - \rho_i^2}\right), \quad \rho_i = e^{-\Delta_i/m}

    Parameters
    ----------
    expected
        Expected value, shape (benchmark, run).
    previous
        Index of the neighbour before each run, -1 for none, shape (benchmark, run).
    gap
        Distance to it along the log of the axis, shape (benchmark, run).
    spread
        Scale of the relative noise, shape (benchmark, 1).
    memory
        Distance over which the correlation falls to 1/e, in e-folds of the axis.
    degrees
        Degrees of freedom above 1.

    Returns
    -------
    Autoregression
        Log density of each value given its neighbour before; samples forget their neighbours, as
        those of a new curve or far along a known one do.
    """
    return Autoregression(expected, previous, gap, spread, memory, degrees)
