"""Noise that neighbours on a curve share: an autoregression along an input."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from bayescale.noises.log_scale import log_of, on_log
from bayescale.noises.student_t import score_scale
from bayescale.parts.coefficients import positive
from bayescale.parts.declare import noise

LEAST_RENEWED = 1e-6  # share of the variance that is new at a neighbour however near
Memory = Annotated[
    Array, positive(0.1, 10.0, unit="e-folds", meaning="distance that noise lasts over")
]


class Autoregression:
    """Residuals that decay towards zero from one neighbour to the next, of values or their logs."""

    def __init__(
        self,
        location: Array,
        scale: Array,
        freedom: Array,
        rho: Array,
        before: Array,
        *,
        logs: bool,
    ) -> None:
        self.location, self.scale, self.freedom = location, scale, freedom
        self.rho, self.before, self.logs = rho, before, logs

    def log_prob(self, value: Array) -> Array:
        """Log density of each value given the one before."""
        away = (jnp.log(value) if self.logs else value) - self.location
        carried = self.rho * jnp.take_along_axis(away, self.before, axis=-1)
        scale = self.scale * jnp.sqrt(jnp.maximum(1 - self.rho**2, LEAST_RENEWED))
        found: Array = self._measured(self.location + carried, scale).log_prob(value)
        return found

    def sample(self, key: Any) -> Array:
        """One draw of every value, each by itself."""
        drawn: Array = self._measured(self.location, self.scale).sample(key)
        return drawn

    def _measured(self, location: Array, scale: Array) -> dist.Distribution:
        given = dist.StudentT(self.freedom, location, scale)
        return on_log(given) if self.logs else given


def _neighbour(previous: Array, gap: Array, memory: Array) -> tuple[Array, Array]:
    """Give what is carried over from the neighbour before, and where it is; nothing without one."""
    first = previous < 0
    return jnp.where(first, 0.0, jnp.exp(-gap / memory)), jnp.where(first, 0, previous)


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
    memory: Memory,
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
    rho, before = _neighbour(previous, gap, memory)
    return Autoregression(log_of(expected), spread, 1 + degrees, rho, before, logs=True)


@noise(
    source="continuous autoregression of order one: Jones 1981; Student-t innovations",
    scores=True,
)
def ar1_score(
    expected: Array,
    items: Array,
    resolution: Array,
    stderr: Array,
    previous: Array,
    gap: Array,
    *,
    spread: Annotated[
        Array,
        positive(0.012, 1.7, "benchmark", unit="score", meaning="noise beside the finite test set"),
    ],
    memory: Memory,
    degrees: Annotated[
        Array, positive(4.5, 2.0, unit="1", meaning="degrees of freedom above 2; small: long tails")
    ],
) -> Autoregression:
    r"""Let the scores of one run's checkpoints miss the curve together, the nearer the more.

    .. math:: y_i \sim t_{2+\nu}\!\left(p_i + \rho_i (y_{i-1} - p_{i-1}),\
              s_i \sqrt{1 - \rho_i^2}\right), \quad \rho_i = e^{-\Delta_i/m}, \quad
              s_i^2 = p_i(1-p_i)/n + r^2/12 + \tau^2

    Parameters
    ----------
    expected
        Expected score p, shape (benchmark, run).
    items
        Number of test items n, infinite when not known, shape (benchmark, 1).
    resolution
        Rounding step r of the published score, shape (benchmark, 1).
    stderr
        Published standard error, used in place of the binomial one; NaN where there is none,
        shape (benchmark, run).
    previous, gap
        As of `ar1_log`.
    spread
        Rest of the noise, shape (benchmark, 1).
    memory
        Distance over which the correlation falls to 1/e, in e-folds of the axis.
    degrees
        Degrees of freedom above 2, so that the variance is finite.

    Returns
    -------
    Autoregression
        As of `ar1_log`.
    """
    rho, before = _neighbour(previous, gap, memory)
    scale = score_scale(expected, items, resolution, stderr, spread)
    return Autoregression(expected, scale, 2 + degrees, rho, before, logs=False)
