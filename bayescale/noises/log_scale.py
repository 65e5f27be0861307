"""Noise on the log of a quantity: relative errors, with tails or without."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from bayescale.parts.coefficients import positive
from bayescale.parts.declare import noise

TINY = 1e-12  # a law that a sampler drives to zero or below has this for its logarithm
Spread = Annotated[
    Array, positive(0.01, 3.0, "benchmark", unit="log response", meaning="relative noise")
]


@noise(
    source="Lange, Little, Taylor 1989 (Student-t errors), on the log of the response",
    positive=True,
)
def student_t_log(
    expected: Array,
    stderr: Array,
    *,
    spread: Spread,
    degrees: Annotated[
        Array, positive(6.0, 3.0, unit="1", meaning="degrees of freedom above 1; small: long tails")
    ],
) -> dist.Distribution:
    r"""Allow relative errors tails: it takes the place of a Huber loss on logs.

    .. math:: \log y \sim t_{1+\nu}\!\left(\log \mu,\ \sqrt{\sigma^2 + (s/\mu)^2}\right)

    Parameters
    ----------
    expected
        Expected value, shape (benchmark, run).
    stderr
        Known standard error s, added in quadrature; NaN where there is none, (benchmark, run).
    spread
        Scale of the relative noise, shape (benchmark, 1).
    degrees
        Degrees of freedom above 1.

    Returns
    -------
    Distribution
        Of the measured value (its density is per unit of the value, not of its log).
    """
    scale = relative(expected, stderr, spread)
    return on_log(dist.StudentT(1 + degrees, log_of(expected), scale))


@noise(source="least squares on the log of the response", positive=True)
def normal_log(expected: Array, stderr: Array, *, spread: Spread) -> dist.Distribution:
    r"""Scatter in proportion, without tails.

    .. math:: \log y \sim N\!\left(\log \mu,\ \sqrt{\sigma^2 + (s/\mu)^2}\right)

    Parameters
    ----------
    expected
        Expected value, shape (benchmark, run).
    stderr
        Known standard error s, added in quadrature; NaN where there is none, (benchmark, run).
    spread
        Scale of the relative noise, shape (benchmark, 1).

    Returns
    -------
    Distribution
        Of the measured value.
    """
    return on_log(dist.Normal(log_of(expected), relative(expected, stderr, spread)))


def log_of(expected: Array) -> Array:
    """Give the log of an expected value, finite wherever a sampler goes."""
    return jnp.log(jnp.maximum(expected, TINY))


def relative(expected: Array, stderr: Array, spread: Array) -> Array:
    """Add known standard errors to relative noise."""
    known = jnp.nan_to_num(stderr) / jnp.maximum(expected, TINY)
    return jnp.sqrt(spread**2 + known**2)


def on_log(base: dist.Distribution) -> dist.Distribution:
    """Give the distribution of a value whose log has a given one."""
    return dist.TransformedDistribution(base, dist.transforms.ExpTransform())
