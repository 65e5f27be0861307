"""What every density samples: Normal sites on the real line, and the spreads of groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpyro
import numpyro.distributions as dist
from jax import Array

from bayescale.parts.coefficients import Coefficient, Pooling

LKJ = 2.0  # concentration: weakly against correlations near one


def normal(location: Any, scale: Any, shape: tuple[int, ...]) -> dist.Distribution:
    """Give independent Normals of a shape, as one event."""
    return dist.Normal(location, scale).expand(shape).to_event(len(shape))


class Pinned(dist.Normal):  # type: ignore[misc]  # untyped in NumPyro
    """A Normal prior of a value that data pin down about a place.

    Only the coordinates of the sampler look at the place.
    """

    def __init__(self, loc: Any, scale: Any, place: Array) -> None:
        self.place = place
        super().__init__(loc, scale)


class Pulled(dist.Normal):  # type: ignore[misc]  # untyped in NumPyro
    """A Normal prior of increments that residuals pull at, as strongly as their noise is small.

    Only the coordinates of the sampler look at these.
    """

    def __init__(self, loc: Any, scale: Any, residual: Array, noise: Array) -> None:
        self.residual, self.noise = residual, noise
        super().__init__(loc, scale)


def site(name: str, prior: dist.Distribution) -> Array:
    """Sample a site."""
    value: Array = numpyro.sample(name, prior)  # untyped in NumPyro
    return value


def spread(name: str, rule: Pooling, shape: tuple[int, ...]) -> Array:
    """Sample the spread of a coefficient over the members of a group; the site is its logarithm."""
    prior = rule.learned
    drawn = site(f"{name}_{rule.group}_spread", normal(prior.location, prior.scale, shape))
    found: Array = prior.natural(drawn)
    return found


def taken(coefficients: tuple[Coefficient, ...], values: Mapping[str, Array]) -> dict[str, Any]:
    """Give natural values of some coefficients, by name."""
    return {c.name: c.prior.natural(values[c.name]) for c in coefficients}


def from_standard(prior: dist.Distribution, standard: Array) -> Any:
    """Turn standard Normal numbers into a value of a Normal site, of one variable or several."""
    base = prior
    while isinstance(base, dist.Independent | dist.ExpandedDistribution):
        base = base.base_dist
    if isinstance(base, dist.MultivariateNormal):
        return base.loc + (base.scale_tril @ standard[..., None])[..., 0]
    return base.loc + base.scale * standard
