"""Student-t noise on the score: finite test set, rounding, and a learned rest with tails."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from bayescale.parts.coefficients import positive
from bayescale.parts.declare import noise


@noise(
    source="Lange, Little, Taylor 1989 (Student-t errors), with the binomial variance of a test",
    scores=True,
)
def student_t(
    expected: Array,
    items: Array,
    resolution: Array,
    stderr: Array,
    *,
    spread: Annotated[
        Array,
        positive(0.012, 1.7, "benchmark", unit="score", meaning="noise beside the finite test set"),
    ],
    degrees: Annotated[
        Array, positive(4.5, 2.0, unit="1", meaning="degrees of freedom above 2; small: long tails")
    ],
) -> dist.Distribution:
    r"""Measured score around the expected one, with tails for isolated failures.

    .. math:: y \sim t_{2+\nu}\!\left(p,\ \sqrt{p(1-p)/n + r^2/12 + \tau^2}\right)

    Parameters
    ----------
    expected
        Expected score p, shape (benchmark, ...).
    items
        Number of test items n, infinite when not known, shape (benchmark, 1).
    resolution
        Rounding step r of the published score, shape (benchmark, 1).
    stderr
        Published standard error, used in place of the binomial one; NaN where there is none,
        shape (benchmark, ...).
    spread
        Rest of the noise (prompt, shots, harness), shape (benchmark, 1).
    degrees
        Degrees of freedom above 2, so that the variance is finite.

    Returns
    -------
    Distribution
        Of the measured score, batch shape (benchmark, ...).
    """
    scale = score_scale(expected, items, resolution, stderr, spread)
    return dist.StudentT(2 + degrees, expected, scale)


def score_scale(
    expected: Array, items: Array, resolution: Array, stderr: Array, spread: Array
) -> Array:
    """Give the scale of a measured score's noise: finite test set, rounding and the rest."""
    sampling = jnp.where(jnp.isnan(stderr), expected * (1 - expected) / items, stderr**2)
    return jnp.sqrt(sampling + resolution**2 / 12 + spread**2)
