"""Noise whose best fit is that of least absolute deviations, on the quantity itself."""

from __future__ import annotations

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from bayescale.noises.plain import Spread
from bayescale.parts.declare import noise


@noise(
    source="Laplace 1774; the limit of Huber's loss for a threshold below the noise", scores=True
)
def laplace(expected: Array, stderr: Array, *, spread: Spread) -> dist.Distribution:
    r"""Scatter so that the mode is the fit of least absolute deviations.

    .. math:: y \sim \mathrm{Laplace}\!\left(\mu,\ \sqrt{\sigma^2 + s^2/2}\right)

    Papers that fit with a Huber loss of a threshold far below their residuals fit this.

    Parameters
    ----------
    expected
        Expected value, shape (benchmark, run).
    stderr
        Known standard error s, added to the variance; NaN where there is none, (benchmark, run).
    spread
        Mean absolute deviation, shape (benchmark, 1).

    Returns
    -------
    Distribution
        Of the measured value.
    """
    return dist.Laplace(expected, jnp.sqrt(spread**2 + jnp.nan_to_num(stderr) ** 2 / 2))
