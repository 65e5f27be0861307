"""The one NumPyro function of every model: parts and pooling in, sites and likelihood out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

from bayescale.coefficients import Coefficient, Pooling, Prior
from bayescale.design import UNKNOWN_TOKENS, Design

if TYPE_CHECKING:
    from bayescale.model import Model

LKJ = 2.0  # concentration: weakly against correlations near one


def density(model: Model, design: Design) -> None:
    """Declare the joint density: every coefficient's site, and the scores weighed in.

    Parameters
    ----------
    model
        Law, link, noise and pooling.
    design
        The data; a score of weight zero has no influence, whatever its value.
    """
    _, measured = distribution(model, design)
    numpyro.factor("scores", jnp.sum(design.weights * log_likelihood(measured, design)))


def log_likelihood(measured: dist.Distribution, design: Design) -> Array:
    """Log density of each score on the grid, shape (run, benchmark); weights are not applied."""
    # A score of weight zero is replaced before it is used, so that not even a NaN can leak.
    observed = jnp.where(design.weights > 0, design.scores, 0.5)
    return jnp.broadcast_to(measured.log_prob(observed), design.weights.shape)


def distribution(model: Model, design: Design) -> tuple[Array, dist.Distribution]:
    """Sample every coefficient and evaluate law, link and noise.

    Sites of coefficients hold real-line values. `<name>_<group>_spread` is a group's learned
    spread (its logarithm), `<name>_<group>` its members' standardised offsets (their real-line
    values where the card says centred), `<name>_<group>_new` those of members that were not in
    the fit.

    Parameters
    ----------
    model
        Law, link, noise and pooling.
    design
        The data; runs and families beyond the known ones are drawn anew.

    Returns
    -------
    expected : Array
        Expected scores, shape (run, benchmark).
    measured : Distribution
        Of the measured scores, same batch shape.
    """
    inputs = _inputs(model, design)
    levels = {c.name: _level(c, _rules(model, c), design) for c in model.coefficients}
    population = {c.name: c.prior.natural(levels[c.name]) for c in model.coefficients}
    # Where a family's data are: the law at the mean inputs of its runs.
    centre = model.law(
        *_family_inputs(model, design),
        **_taken(model.law.coefficients, population),
    )
    values = {
        c.name: c.prior.natural(levels[c.name] + _offsets(c, _rules(model, c), centre, design))
        for c in model.coefficients
    }
    latent, pivot = _latent(model, design, inputs, population, values)
    expected = model.link(
        latent, pivot, design.chance, design.top, **_taken(model.link.coefficients, values)
    )
    noise = _taken(model.noise.coefficients, values)
    return expected, model.noise(expected, design.items, design.resolution, design.stderr, **noise)


def _inputs(model: Model, design: Design) -> list[Array]:
    """Divide the law's inputs by those of the reference run, shape (run, 1)."""
    tokens = jnp.asarray(design.tokens)
    if len(design.unknown):
        median, factor = UNKNOWN_TOKENS
        unknown = _members(
            "tokens_unknown", dist.Normal(0, 1), len(design.unknown), design.known_unknown
        )
        tokens = tokens.at[design.unknown].set(median * jnp.exp(jnp.log(factor) * unknown))
    flops = jnp.where(jnp.isnan(design.flops), 6 * design.active * tokens, design.flops)
    given = {"params": design.params, "tokens": tokens, "flops": flops}
    return [(given[name] / model.reference[name])[:, None] for name in model.law.inputs]


def _rules(model: Model, coefficient: Coefficient) -> tuple[Pooling, ...]:
    return model.pooling.get(coefficient.name, ())


def _shape(coefficient: Coefficient, design: Design) -> tuple[int, ...]:
    sizes = design.sizes()
    return tuple(sizes[name] for name in coefficient.dims)


def _family_inputs(model: Model, design: Design) -> list[Array]:
    """Take the law's inputs at the middle of each family's runs, shape (family, 1); new: 1."""
    order = ("params", "tokens", "flops")
    new = jnp.ones((design.families - design.known_families, 1))
    return [
        jnp.concatenate([design.middle[:, order.index(name), None] / model.reference[name], new])
        for name in model.law.inputs
    ]


def _level(coefficient: Coefficient, rules: tuple[Pooling, ...], design: Design) -> Array:
    """Sample the population value of a coefficient, on the real line."""
    pooled = any(rule.group == "benchmark" for rule in rules)
    shape = () if pooled else _shape(coefficient, design)
    return _site(coefficient.name, _on_real_line(coefficient.prior, shape))


def _offsets(
    coefficient: Coefficient,
    rules: tuple[Pooling, ...],
    centre: Array,
    design: Design,
) -> Array:
    """Sample the offsets of all groups, gathered to runs where a group is of runs."""
    name, shape = coefficient.name, _shape(coefficient, design)
    total = jnp.zeros(shape)
    for rule in rules:
        if rule.group == "benchmark":
            total = total + _spread(name, rule, ()) * _standard(f"{name}_benchmark", shape)
        else:
            total = total + _group_offsets(name, rule, centre, shape, design)
    return total


def _on_real_line(prior: Prior, shape: tuple[int, ...]) -> dist.Distribution:
    return dist.Normal(prior.location, prior.scale).expand(shape).to_event(len(shape))


def _site(name: str, prior: dist.Distribution) -> Array:
    value: Array = numpyro.sample(name, prior)  # untyped in NumPyro
    return value


def _standard(name: str, shape: tuple[int, ...]) -> Array:
    return _site(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))


def _spread(name: str, rule: Pooling, shape: tuple[int, ...]) -> Array:
    drawn = _site(f"{name}_{rule.group}_spread", _on_real_line(rule.spread, shape))
    spread: Array = rule.spread.natural(drawn)
    return spread


def _group_offsets(
    name: str, rule: Pooling, centre: Array, shape: tuple[int, ...], design: Design
) -> Array:
    """Offsets of families or runs, gathered to runs: shape (run,) + shape."""
    site = f"{name}_{rule.group}"
    by_family = rule.group == "family"
    count = design.families if by_family else design.runs
    known = design.known_families if by_family else design.known_runs
    spread = _spread(name, rule, shape)
    factor = jnp.diag(spread) if shape else spread[None, None]
    if rule.correlated:
        corr = _site(f"{site}_corr", dist.LKJCholesky(shape[-1], LKJ))
        factor = spread[:, None] * corr
    if rule.centred:
        # The site is the family's own level where its runs are, which the data pin down; its
        # offset, and the slopes that would trade off with it, follow.
        offsets = _located(site, centre, factor, count, known) - centre
    else:
        standard = _members(site, dist.Normal(0, 1).expand(shape), count, known)
        offsets = standard @ factor.T if rule.correlated else standard * spread
    return offsets[design.family] if by_family else offsets


def _located(site: str, centre: Array, factor: Array, count: int, known: int) -> Array:
    """Sample family levels around their centres: those of the fit, then the new ones."""
    fitted = _site(site, dist.MultivariateNormal(centre[:known], scale_tril=factor).to_event(1))
    if count == known:
        return fitted
    new = dist.MultivariateNormal(centre[known:], scale_tril=factor).to_event(1)
    return jnp.concatenate([fitted, _site(f"{site}_new", new)])


def _members(site: str, member: dist.Distribution, count: int, known: int) -> Array:
    """Sample the members of a group: those of the fit, then the new ones at a site of their own."""
    member = member.to_event(len(member.batch_shape))
    fitted = _site(site, member.expand((known,)).to_event(1))
    if count == known:
        return fitted
    new = _site(f"{site}_new", member.expand((count - known,)).to_event(1))
    return jnp.concatenate([fitted, new])


def _latent(
    model: Model,
    design: Design,
    inputs: list[Array],
    population: dict[str, Array],
    values: dict[str, Array],
) -> tuple[Array, Array]:
    """Latent scores (run, benchmark) and their values at the reference run (benchmark,)."""
    latent = model.law(*inputs, **_taken(model.law.coefficients, values))
    if model.law.response == "latent":
        return latent, population["intercept"]
    anchors, others = jnp.asarray(design.anchors), jnp.asarray(design.others, dtype=int)
    pivot = jnp.zeros(design.benchmarks).at[anchors].set(population["intercept"])
    if not len(design.others):
        return latent[..., jnp.argsort(anchors)], pivot
    level = values["difficulty"] + latent @ values["loading"].T
    grid = jnp.zeros((design.runs, design.benchmarks))
    grid = grid.at[:, anchors].set(latent).at[:, others].set(level)
    return grid, pivot.at[others].set(population["difficulty"])


def _taken(coefficients: tuple[Coefficient, ...], values: dict[str, Array]) -> dict[str, Any]:
    return {coefficient.name: values[coefficient.name] for coefficient in coefficients}
