"""How far each group member is sampled around its own value rather than its standardised offset.

A family that scores pin down mixes best when its value itself is sampled (centred), one that they
hardly inform when its standardised offset is (non-centred); in between, a mixture by the share of
information that comes from scores is close to the best (Papaspiliopoulos, Roberts, Skold 2007;
Gorinova, Moore, Hoffman 2020). Only the coordinates of the sampler depend on this, not the model.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from bayescale.base.intervals import Floats
from bayescale.models.density import LEVELS
from bayescale.models.design import Design
from bayescale.models.model import Model
from bayescale.models.rows import Rows

COORDINATES = "_coordinates"  # ending of the name of what is sampled in place of a site
ENOUGH = 5.0  # values of a member that pin it down half
NOISE = 0.012  # score: prior median of the noise beside the finite test set


def coordinates(weight: Any, name: str, prior: Any, _obs: None) -> tuple[None, Any]:
    r"""Sample a Normal site through coordinates between its offset (weight 0) and value (1).

    .. math:: z \sim N(w \mu, \sigma^w), \quad x = \mu + \sigma^{1 - w} (z - w \mu)

    NumPyro's `LocScaleReparam`, with exponentials for the powers: they take a tenth of the time.

    Parameters
    ----------
    weight
        Of the site's shape, or None for 0 everywhere.
    name, prior, _obs
        What NumPyro's `reparam` handler calls with; a likelihood is never given.

    Returns
    -------
    tuple
        None, since nothing is left to sample, and the site's value.
    """
    base = prior
    while isinstance(base, dist.Independent | dist.ExpandedDistribution):
        base = base.base_dist
    mean, scale, rest = jnp.zeros(()), jnp.ones(()), base.scale
    if weight is not None:
        mean, scale = weight * base.loc, jnp.exp(weight * jnp.log(base.scale))
        rest = base.scale / scale
    standard = dist.Normal(mean, scale).expand(prior.event_shape).to_event()
    value = numpyro.sample(name + COORDINATES, standard)
    return None, base.loc + rest * (value - mean)


def centring(model: Model, design: Design | Rows) -> dict[str, Any]:
    """Give each group's site its members' centring, from 0 (offset) to 1 (value).

    Parameters
    ----------
    model
        Its pooling decides which groups there are.
    design
        Scores of weight above zero inform; the others are not looked at.

    Returns
    -------
    dict
        Site to numbers of the site's shape, or to None for 0 everywhere. Correlated groups are left
        out: their members are sampled as they are.
    """
    if isinstance(design, Rows):
        return _by_count(model, design)
    by_family = np.zeros((design.families, design.benchmarks))
    np.add.at(by_family, np.asarray(design.family), _information(design))
    found: dict[str, Any] = {}
    for name, rules in model.pooling.items():
        for rule in rules:
            if rule.correlated:
                continue
            centred: Any = None
            if rule.group == "family" and name in LEVELS:
                ratio = rule.learned.median**2 * by_family[:, _columns(model, design, name)]
                centred = ratio / (1 + ratio)
            found[f"{name}_{rule.group}"] = centred
    return found


def _by_count(model: Model, rows: Rows) -> dict[str, Any]:
    """Centre a law's groups by how many values their members have: laws are told to a percent."""
    counts = np.asarray(rows.weights).sum(axis=1)
    found: dict[str, Any] = {}
    pooled = [(c, r) for c in model.coefficients for r in model.pooling.get(c.name, ())]
    for coefficient, rule in pooled:
        if rule.group == "benchmark":
            values = np.asarray(rows.weights).sum(axis=0)[list(rows.own)]
        else:
            values = np.bincount(rows.groups[rule.group], counts, rows.counts(rule.group)[0])
        centred: Any = None
        if rule.spread is not None:
            shape = (-1,) + (1,) * len(coefficient.dims)
            centred = (values / (values + ENOUGH)).reshape(shape)
        found[f"{coefficient.name}_{rule.group}"] = centred
    return found


def _information(design: Design) -> Floats:
    """Fisher information of each score about its latent score, roughly; shape (run, benchmark)."""
    seen = np.asarray(design.weights) > 0
    score = np.where(seen, design.scores, 0.5)
    above, below = (np.maximum(x, 0.0) for x in (score - design.chance, design.top - score))
    slope = above * below / (design.top - design.chance)
    variance = score * (1 - score) / design.items + design.resolution**2 / 12 + NOISE**2
    information: Floats = np.asarray(design.weights) * slope**2 / variance
    return information


def _columns(model: Model, design: Design, name: str) -> list[int]:
    """Benchmarks that measure the members of a level: a skill's anchor, or the benchmark itself."""
    if model.law.response == "latent":
        return list(range(design.benchmarks))
    return list(design.anchors if name == "intercept" else design.others)
