"""The one NumPyro function of every model: parts and pooling in, sites and likelihood out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpy.typing import NDArray

from bayescale.models import quantity
from bayescale.models.design import UNKNOWN_TOKENS, Design
from bayescale.models.rows import Rows
from bayescale.models.sites import LKJ, normal, site, spread, taken
from bayescale.parts.coefficients import OF_BENCHMARKS, Coefficient, Pooling

if TYPE_CHECKING:
    from bayescale.models.model import Model

OF_BENCHMARK = ("chance", "top", "items", "resolution")  # what a link or a noise may ask for
LEVELS = {"intercept": 1, "difficulty": 2}  # sampled in this order, after the slopes they rest on


def density(model: Model, design: Design | Rows) -> None:
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


def log_likelihood(measured: dist.Distribution, design: Design | Rows) -> Array:
    """Log density of each score on the grid, shape (run, benchmark); weights are not applied."""
    # A score of weight zero is replaced before it is used, so that not even a NaN can leak.
    observed = jnp.where(design.weights > 0, design.scores, 0.5)
    return jnp.broadcast_to(measured.log_prob(observed.T), design.weights.shape[::-1]).T


def distribution(model: Model, design: Design | Rows) -> tuple[Array, dist.Distribution]:
    """Sample every coefficient and evaluate law, link and noise.

    Of a law of a quantity `quantity.py` tells; what follows is of leaderboards. Sites of
    coefficients hold real-line values. `<name>_<group>_spread` is a group's learned
    spread (its logarithm), `<name>_<group>` the values of its members, and `<name>_<group>_new`
    those of members that were not in the fit. Members of `intercept` and `difficulty` are given
    by the latent score at their own place (a family's mean inputs, a run's inputs), which scores
    pin down, rather than at the reference run.

    Parameters
    ----------
    model
        Law, link, noise and pooling.
    design
        The data; runs and families beyond the known ones are drawn anew.

    Returns
    -------
    expected : Array
        Expected scores, shape (benchmark, run): processors work along the last axis, and runs are
        many.
    measured : Distribution
        Of the measured scores, same batch shape.
    """
    if isinstance(design, Rows):
        return quantity.distribution(model, design)
    values = _values(model, design)
    levels, by_run, inputs = values.levels, values.by_run, values.inputs
    skills = model.law(*inputs, **taken(model.law.coefficients, by_run))
    latent, pivot = _latent(model, design, skills, levels, by_run)
    assert model.link is not None  # cards of leaderboards have one
    link, noise = (
        {name: _per_row(value) for name, value in taken(part.coefficients, by_run).items()}
        for part in (model.link, model.noise)
    )
    known = {"latent": latent.T, "pivot": _per_row(pivot)}
    known |= {name: _per_row(getattr(design, name)) for name in OF_BENCHMARK}
    expected = model.link.given(known, link)
    known |= {"expected": expected, "stderr": jnp.asarray(design.stderr).T}
    measured = model.noise.given(known, noise)
    return expected, measured


class _Values(NamedTuple):
    """Real-line values of every coefficient: of the population, of families, of runs."""

    levels: dict[str, Array]
    by_family: dict[str, Array]
    by_run: dict[str, Array]
    inputs: list[Array]


def _values(model: Model, design: Design) -> _Values:
    inputs, middle = _inputs(model, design), _family_inputs(model, design)
    levels = {c.name: _level(c, _rules(model, c), design) for c in model.coefficients}
    by_family, by_run = dict(levels), dict(levels)
    for c in sorted(model.coefficients, key=lambda c: LEVELS.get(c.name, 0)):
        for rule in _rules(model, c):
            if rule.group in OF_BENCHMARKS:
                continue
            family = rule.group == "family"
            values, place = (by_family, middle) if family else (by_run, inputs)
            centre = _response(model, c.name, place, values, levels)
            offset = _members(c, rule, centre, design) - centre
            if family:
                by_family[c.name] = by_family[c.name] + offset
                by_run[c.name] = by_run[c.name] + offset[design.family]
            else:
                by_run[c.name] = by_run[c.name] + offset
    return _Values(levels, by_family, by_run, inputs)


def _response(
    model: Model,
    coefficient: str,
    place: list[Array],
    values: dict[str, Array],
    levels: dict[str, Array],
) -> Array:
    """Give what members of a coefficient are values of: the latent score at a place, of levels."""
    if coefficient not in LEVELS:
        return values[coefficient]
    skills: Array = model.law(*place, **taken(model.law.coefficients, values))
    return (
        skills
        if coefficient == "intercept"
        else values["difficulty"] + skills @ levels["loading"].T
    )


def family_levels(model: Model, design: Design, middle: Array) -> dict[str, Array]:
    """Give the families' values of levels at other places than those of the design.

    Parameters
    ----------
    model, design
        As of `distribution`, which samples the same sites.
    middle
        Params, tokens and FLOPs at the new place of each family of the design, shape (family, 3).

    Returns
    -------
    dict
        Site of a level by family to its values, shape (family, ...).
    """
    values = _values(model, design)
    order = ("params", "tokens", "flops")
    place = [middle[:, order.index(n), None] / model.reference[n] for n in model.law.inputs]
    return {
        f"{name}_family": _response(model, name, place, values.by_family, values.levels)
        for name in LEVELS
        for rule in model.pooling.get(name, ())
        if rule.group == "family"
    }


def _inputs(model: Model, design: Design) -> list[Array]:
    """Divide the law's inputs by those of the reference run, shape (run, 1)."""
    tokens = jnp.asarray(design.tokens)
    if len(design.unknown):
        median, factor = UNKNOWN_TOKENS
        unknown = _unknown_tokens(design)
        tokens = tokens.at[design.unknown].set(median * jnp.exp(jnp.log(factor) * unknown))
    flops = jnp.where(jnp.isnan(design.flops), 6 * design.active * tokens, design.flops)
    given = {"params": design.params, "tokens": tokens, "flops": flops}
    return [(given[name] / model.reference[name])[:, None] for name in model.law.inputs]


def _unknown_tokens(design: Design) -> Array:
    """Sample the log of unknown token counts, in prior standard deviations."""
    new = len(design.unknown) - design.known_unknown
    fitted = site("tokens_unknown", normal(0.0, 1.0, (design.known_unknown,)))
    if not new:
        return fitted
    return jnp.concatenate([fitted, site("tokens_unknown_new", normal(0.0, 1.0, (new,)))])


def _rules(model: Model, coefficient: Coefficient) -> tuple[Pooling, ...]:
    return model.pooling.get(coefficient.name, ())


def _shape(coefficient: Coefficient, design: Design) -> tuple[int, ...]:
    sizes = design.sizes()
    return tuple(sizes[name] for name in coefficient.dims)


def _family_inputs(model: Model, design: Design) -> list[Array]:
    """Take the law's inputs at the middle of each family's runs, shape (family, 1).

    A family without scores, and a new one, has its level at the reference run.
    """
    order = ("params", "tokens", "flops")
    new = jnp.ones((design.families - design.known_families, 1))
    places = []
    for name in model.law.inputs:
        place = jnp.asarray(design.middle)[:, order.index(name), None] / model.reference[name]
        places.append(jnp.concatenate([jnp.where(jnp.isnan(place), 1.0, place), new]))
    return places


def _level(coefficient: Coefficient, rules: tuple[Pooling, ...], design: Design) -> Array:
    """Sample the population value of a coefficient, on the real line."""
    name, prior, shape = coefficient.name, coefficient.prior, _shape(coefficient, design)
    for rule in rules:
        if rule.group in OF_BENCHMARKS:
            mean = site(name, normal(prior.location, prior.scale, ()))
            members = normal(mean, spread(name, rule, ()), (design.sizes()[rule.group],))
            values = site(f"{name}_{rule.group}", members)
            if rule.group == "benchmark":
                return values
            anchors = jnp.broadcast_to(mean, (len(design.anchors),))
            return jnp.concatenate([anchors, values])[_by_benchmark(design)]
    return site(name, normal(prior.location, prior.scale, shape))


def _members(coefficient: Coefficient, rule: Pooling, centre: Array, design: Design) -> Array:
    """Sample the values of families or runs around their centres: those of the fit, then new ones.

    Shape (family or run,) + shape of the coefficient.
    """
    shape, name = _shape(coefficient, design), f"{coefficient.name}_{rule.group}"
    by_family = rule.group == "family"
    count = design.families if by_family else design.runs
    known = design.known_families if by_family else design.known_runs
    width = spread(coefficient.name, rule, shape)
    centre = jnp.broadcast_to(centre, (count, *shape))
    if rule.correlated:
        corr = site(f"{name}_corr", dist.LKJCholesky(shape[-1], LKJ))
        factor = width[:, None] * corr

    def around(centre: Array) -> dist.Distribution:
        if rule.correlated:
            return dist.MultivariateNormal(centre, scale_tril=factor).to_event(1)
        return normal(centre, width, centre.shape)

    if not known:  # a multivariate Normal of no member is refused
        return site(f"{name}_new", around(centre))
    fitted = site(name, around(centre[:known]))
    if count == known:
        return fitted
    return jnp.concatenate([fitted, site(f"{name}_new", around(centre[known:]))])


def _latent(
    model: Model, design: Design, skills: Array, levels: dict[str, Array], by_run: dict[str, Array]
) -> tuple[Array, Array]:
    """Latent scores (run, benchmark) and their values at the reference run (benchmark,)."""
    if model.law.response == "latent":
        return skills, levels["intercept"]
    level = by_run["difficulty"] + skills @ levels["loading"].T
    pivot = jnp.concatenate([levels["intercept"], levels["difficulty"]])
    order = _by_benchmark(design)
    return jnp.concatenate([skills, level], axis=1)[:, order], pivot[order]


def _per_row(value: Any) -> Array:
    """Set a benchmark's values as a column beside its row of runs; a scalar stays."""
    array = jnp.asarray(value)
    return array[:, None] if array.ndim else array


def _by_benchmark(design: Design) -> NDArray[np.intp]:
    """Order that puts anchors and then others in the table's order of benchmarks."""
    return np.argsort([*design.anchors, *design.others])
