"""How far each group member is sampled around its own value rather than its standardised offset.

A family that scores pin down mixes best when its value itself is sampled (centred), one that they
hardly inform when its standardised offset is (non-centred); in between, a mixture by the share of
information that comes from scores is close to the best (Papaspiliopoulos, Roberts, Skold 2007;
Gorinova, Moore, Hoffman 2020). Only the coordinates of the sampler depend on this, not the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.linalg import solve_triangular

from bayescale.base.intervals import Floats
from bayescale.models.drifts import reach
from bayescale.models.grid import Grid
from bayescale.models.level import pinned_by_level
from bayescale.models.plan import RUN, Site, plan
from bayescale.models.record import EFFECT, ModelRecord
from bayescale.models.sites import Pinned, Pulled
from bayescale.parts.drift import CELL, DRIFT

COORDINATES = "_coordinates"  # ending of the name of what is sampled in place of a site
ENOUGH = 5.0  # values of a member that pin it down half
SUMS = 24  # of residuals, that tell of drifts: their weight falls with the square of their number
RUN_SHARE = 0.4  # of a run's information that its few values are centred by: the whole mixes worse
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
    if isinstance(weight, Told):
        return _pulled(weight, name, prior.base_dist)
    base = prior
    while isinstance(base, dist.Independent | dist.ExpandedDistribution):
        base = base.base_dist
    if isinstance(base, Pinned):
        return _pinned(name, base)
    mean, scale, rest = jnp.zeros(()), jnp.ones(()), base.scale
    if weight is not None:
        mean, scale = weight * base.loc, jnp.exp(weight * jnp.log(base.scale))
        rest = base.scale / scale
    standard = dist.Normal(mean, scale).expand(prior.event_shape).to_event()
    value = numpyro.sample(name + COORDINATES, standard)
    return None, base.loc + rest * (value - mean)


@partial(jax.tree_util.register_dataclass, data_fields=("reach", "into"), meta_fields=())
@dataclass(frozen=True)
class Told:
    """What data tell of the increments of drifts: a few sums of residuals.

    Parameters
    ----------
    reach
        What a unit increment of each cell adds to each sum, shape (cell, sum).
    into
        From the residuals of runs to the sums, shape (sum, run).
    """

    reach: Any
    into: Any


def _pinned(name: str, prior: Pinned) -> tuple[None, Any]:
    """Sample values by their distance from where data pin them down."""
    shape = jnp.shape(prior.place)
    standard = dist.Normal(0.0, 1.0).expand(shape).to_event(len(shape))
    away = numpyro.sample(name + COORDINATES, standard)
    value = prior.place + away
    change = prior.log_prob(value).sum() - standard.log_prob(away)
    numpyro.factor(f"{name}_change", change)
    return None, value


def _pulled(told: Told, name: str, prior: Pulled) -> tuple[None, Any]:
    r"""Sample increments by how far they are from what residuals and noise say of them.

    With W what standardised increments add to the sums, and F the Cholesky factor of
    :math:`W^T W + \sigma^2`, their covariance given the sums has the square root
    :math:`I - W F^{-T} (F + \sigma)^{-1} W^T` (Andrews 1968), so that few sums make it cheap.
    """
    count = told.into.shape[0]
    z = numpyro.sample(
        name + COORDINATES, dist.Normal(0.0, 1.0).expand(prior.batch_shape).to_event()
    )
    pull = prior.scale[:, None] * told.reach
    noise = prior.noise * jnp.eye(count)
    root = jnp.linalg.cholesky(pull.T @ pull + noise**2)
    solve = partial(solve_triangular, lower=True)
    seen = solve(root, told.into @ prior.residual) - solve(root + noise, pull.T @ z)
    standard = z + pull @ solve(root, seen, trans=1)
    change = count * jnp.log(prior.noise) - jnp.log(jnp.diagonal(root)).sum()
    numpyro.factor(f"{name}_change", jnp.sum(z**2 - standard**2) / 2 + change)
    return None, prior.scale * standard


def centring(model: ModelRecord, grid: Grid) -> dict[str, Any]:
    """Give each group's site its members' centring, from 0 (offset) to 1 (value).

    Members that are told at their own place by how much their scores tell of it; those of a law of
    a quantity by how many values they have: laws are told to a percent.

    Parameters
    ----------
    model
        Its plan decides which groups there are.
    grid
        Scores of weight above zero inform; the others are not looked at.

    Returns
    -------
    dict
        Site to numbers of the site's shape, or to None for 0 everywhere. Members whose skills are
        correlated are left out: they are sampled as they are.
    """
    written = plan(model)
    found: dict[str, Any] = {}
    pinned = pinned_by_level(model)
    if pinned and pinned not in model.pooling:
        found[pinned] = None
    if model.learns_drift:
        found[DRIFT] = None if model.of_leaderboard else _told(model, grid)
    for name, members in written.members.items():
        if members.rule is None or members.coefficient == EFFECT or members.correlation:
            continue
        if members.coefficient == pinned or members.rule.spread is None:
            found[name] = None
        elif members.told:
            found[name] = _by_information(model, members, grid)
        else:
            found[name] = None if model.of_leaderboard else _by_count(members, grid)
    return found


def _told(model: ModelRecord, grid: Grid) -> Told:
    """Find the sums of residuals that tell most of the increments, under their usual scales."""
    with jax.enable_x64(True):
        each = np.asarray(reach(model, grid, grid.inputs, grid.groups))[: grid.counts(CELL)[0]]
    rules = [rule for drift in model.drift.values() for rule in drift.parts.values()]
    usual = np.array([rule.learned.median for rule in rules])[grid.cells.part[: len(each)]]
    seen = (np.asarray(grid.weights) > 0).any(axis=1)
    count = min(SUMS, *each.shape)
    _, _, sums = np.linalg.svd(usual[:, None] * each * seen, full_matrices=False)
    return Told(each @ sums[:count].T, sums[:count] * seen)


def _by_information(model: ModelRecord, members: Site, grid: Grid) -> Any:
    assert members.rule is not None
    known, total = grid.counts(members.group)
    of_run = members.group == RUN
    whose = np.arange(grid.runs) if of_run else np.asarray(grid.groups[members.group])
    by_member = np.zeros((total, grid.benchmarks))
    np.add.at(by_member, whose, _information(grid))
    columns = _columns(model, grid, members.coefficient)
    ratio = members.rule.learned.median**2 * by_member[:known, columns]
    share = (RUN_SHARE if of_run else 1.0) * ratio / (1 + ratio)
    return share.reshape(known, *(grid.size(dim) for dim in members.dims[1:]))


def _by_count(members: Site, grid: Grid) -> Any:
    weights = np.asarray(grid.weights)
    if members.group == "benchmark":
        values = weights.sum(axis=0)[list(grid.own)]
    else:
        known, total = grid.counts(members.group)
        values = np.bincount(grid.groups[members.group], weights.sum(axis=1), total)[:known]
    return (values / (values + ENOUGH)).reshape(-1, *(1 for _ in members.dims[1:]))


def _information(grid: Grid) -> Floats:
    """Fisher information of each score about its latent score, roughly; shape (run, benchmark)."""
    seen = np.asarray(grid.weights) > 0
    score = np.where(seen, grid.scores, 0.5)
    above, below = (np.maximum(x, 0.0) for x in (score - grid.chance, grid.top - score))
    slope = above * below / (grid.top - grid.chance)
    variance = score * (1 - score) / grid.items + grid.resolution**2 / 12 + NOISE**2
    information: Floats = np.asarray(grid.weights) * slope**2 / variance
    return information


def _columns(model: ModelRecord, grid: Grid, name: str) -> list[int]:
    """Benchmarks that measure the members of a level: a skill's anchor, or the benchmark itself."""
    if model.law.response == "latent":
        return list(range(grid.benchmarks))
    return list(grid.anchors if name == "intercept" else grid.others)
