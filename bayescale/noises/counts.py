"""Noise of shares: right answers out of a number of items, or shares without one."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from bayescale.parts.coefficients import positive
from bayescale.parts.declare import noise

EDGE = 1e-6  # a share of exactly 0 or 1 has no density under a beta
Concentration = Annotated[
    Array, positive(300.0, 5.0, "benchmark", unit="items", meaning="items that noise is worth")
]


class _Inside:
    """A beta whose ends count as just inside."""

    def __init__(self, above: Array, below: Array) -> None:
        self.share = dist.Beta(above, below)

    def log_prob(self, value: Array) -> Array:
        found: Array = self.share.log_prob(jnp.clip(value, EDGE, 1 - EDGE))
        return found

    def sample(self, key: Array) -> Array:
        drawn: Array = self.share.sample(key)
        return drawn


class _Share:
    """Share of successes of a beta-binomial count: its density, that compares with other noises."""

    def __init__(self, above: Array, below: Array, items: Array) -> None:
        self.items = jnp.broadcast_to(items, jnp.shape(above))
        self.count = dist.BetaBinomial(above, below, total_count=self.items)

    def log_prob(self, value: Array) -> Array:
        # A count's mass is spread over the shares nearest to it, one over the items wide.
        found: Array = self.count.log_prob(jnp.round(value * self.items)) + jnp.log(self.items)
        return found

    def sample(self, key: Array) -> Array:
        drawn: Array = self.count.sample(key) / self.items
        return drawn


@noise(source="beta regression: Ferrari and Cribari-Neto 2004", scores=True, bounded=True)
def beta(expected: Array, *, concentration: Concentration) -> _Inside:
    r"""Scatter a share around its expected value, narrower towards 0 and 1.

    .. math:: y \sim \mathrm{Beta}(\kappa p,\ \kappa (1 - p))

    Parameters
    ----------
    expected
        Expected share p, shape (benchmark, run).
    concentration
        kappa, shape (benchmark, 1).

    Returns
    -------
    Distribution
        Of the measured share; 0 and 1 are moved inwards by a millionth.
    """
    share = jnp.clip(expected, EDGE, 1 - EDGE)
    return _Inside(share * concentration, (1 - share) * concentration)


@noise(source="beta-binomial regression: Crowder 1978", scores=True, bounded=True, counted=True)
def beta_binomial(expected: Array, items: Array, *, concentration: Concentration) -> _Share:
    r"""Count right answers out of n items whose difficulty varies beyond chance.

    .. math:: n y \sim \mathrm{BetaBinomial}(n,\ \kappa p,\ \kappa (1 - p))

    Parameters
    ----------
    expected
        Expected share p, shape (benchmark, run).
    items
        Number of items n, shape (benchmark, 1).
    concentration
        kappa: small where items go right or wrong together, shape (benchmark, 1).

    Returns
    -------
    Distribution
        Of the measured share y; its density is the probability of the count, times n.
    """
    share = jnp.clip(expected, EDGE, 1 - EDGE)
    return _Share(share * concentration, (1 - share) * concentration, items)
