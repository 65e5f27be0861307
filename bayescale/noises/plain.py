"""Noise on the quantity itself, where it may be negative (a normalised loss, a rating)."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from bayescale.parts.coefficients import positive
from bayescale.parts.declare import noise

Spread = Annotated[Array, positive(0.03, 5.0, "benchmark", unit="response", meaning="noise")]


@noise(source="least squares", scores=True)
def normal(expected: Array, stderr: Array, *, spread: Spread) -> dist.Distribution:
    r"""Scatter by one size whatever the value, without tails.

    .. math:: y \sim N\!\left(\mu,\ \sqrt{\sigma^2 + s^2}\right)

    Parameters
    ----------
    expected
        Expected value, shape (benchmark, run).
    stderr
        Known standard error s; NaN where there is none, shape (benchmark, run).
    spread
        Scale of the noise, shape (benchmark, 1).

    Returns
    -------
    Distribution
        Of the measured value.
    """
    return dist.Normal(expected, jnp.sqrt(spread**2 + jnp.nan_to_num(stderr) ** 2))


@noise(source="Lange, Little, Taylor 1989 (Student-t errors)", scores=True)
def student_t_plain(
    expected: Array,
    stderr: Array,
    *,
    spread: Spread,
    degrees: Annotated[
        Array, positive(6.0, 3.0, unit="1", meaning="degrees of freedom above 1; small: long tails")
    ],
) -> dist.Distribution:
    r"""Scatter by one size whatever the value, with tails.

    .. math:: y \sim t_{1+\nu}\!\left(\mu,\ \sqrt{\sigma^2 + s^2}\right)

    Parameters
    ----------
    expected
        Expected value, shape (benchmark, run).
    stderr
        Known standard error s; NaN where there is none, shape (benchmark, run).
    spread
        Scale of the noise, shape (benchmark, 1).
    degrees
        Degrees of freedom above 1.

    Returns
    -------
    Distribution
        Of the measured value.
    """
    scale = jnp.sqrt(spread**2 + jnp.nan_to_num(stderr) ** 2)
    return dist.StudentT(1 + degrees, expected, scale)
