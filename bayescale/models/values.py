"""Sampling: every coefficient's value, of the population, of members of groups, of each run.

A value that differs by skill or benchmark has these first and runs last, so that it broadcasts over
(skill or benchmark, run); contrasts of a mixture stay last. Members of several groups differ from
the population by the sum of their offsets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import Array
from numpy.typing import NDArray

from bayescale.models.drifts import reach, sample_increments
from bayescale.models.grid import Grid
from bayescale.models.level import level_given, pinned_by_level, reference_place
from bayescale.models.plan import LEVELS, RUN, TOKENS_UNKNOWN, UNKNOWN, Site, finer, plan
from bayescale.models.record import EFFECT, ModelRecord
from bayescale.models.sites import LKJ, Pinned, normal, site, spread, taken
from bayescale.parts.coefficients import OF_BENCHMARKS, Coefficient, Pooling

UNKNOWN_TOKENS = (2e12, 3.0)  # prior median and factor of a run's tokens when they are not known
TELL_TOKENS = ("tokens", "flops", "multiplier", "unique_tokens")  # inputs that are as many times
Placed = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Values:
    """Real-line values of every coefficient.

    Parameters
    ----------
    population
        As sampled, shape of the site.
    levels
        Of the population and of benchmarks, placed.
    of_runs
        Of each run, placed.
    offsets
        For a coefficient and a group of runs what its members add to the levels, placed with
        members last.
    inputs
        Inputs of the law over those of the reference run.
    increments
        Of the drifts of skills or latent scores, shape (cell, skill or benchmark).
    """

    population: Placed
    levels: Placed
    of_runs: Placed
    offsets: Mapping[tuple[str, str], Array]
    inputs: Mapping[str, Any]
    increments: Array | None = None


def sample_values(model: ModelRecord, grid: Grid) -> Values:
    """Sample every coefficient, in the order that what is told at members' places needs."""
    written = plan(model)
    pinned = pinned_by_level(model)
    last = [c for c in model.coefficients if c.name == pinned]
    population: Placed = {}
    for c in [*(c for c in model.coefficients if c.name != pinned), *last]:
        population[c.name] = _population(model, c, grid, population if c in last else None)
    levels = {name: _placed(written.sites[name], value) for name, value in population.items()}
    for c in model.coefficients:
        for rule in model.pooling.get(c.name, ()):
            if rule.group in OF_BENCHMARKS:
                members = written.sites[f"{c.name}_{rule.group}"]
                offsets = _benchmarks(model, members, population, grid)
                levels[c.name] = levels[c.name] + offsets
    of_skills = model.of_leaderboard and model.drift
    increments = sample_increments(model, grid, population) if of_skills else None
    found = Values(population, levels, levels, {}, _inputs(model, grid), increments)
    for group in written.joint:
        for name, values in _correlated(model, group, population, grid).items():
            found = _added(found, written.sites[f"{name}_{group}"], values, grid)
    for c in sorted(model.coefficients, key=lambda c: (c.name == pinned, LEVELS.get(c.name, 0))):
        # A run's departure is from what all its groups say, a family's level from those it is in.
        for rule in sorted(model.pooling.get(c.name, ()), key=lambda rule: finer(rule.group)):
            if rule.group not in OF_BENCHMARKS and c not in written.joint.get(rule.group, ()):
                members = written.sites[f"{c.name}_{rule.group}"]
                found = _added(found, members, _offsets(model, c, members, found, grid), grid)
    return found


def sample_effect(model: ModelRecord, group: str, grid: Grid) -> Array:
    """Sample the shifts of a group's members; shape (run,)."""
    members = plan(model).sites[f"{EFFECT}_{group}"]
    known, total = grid.counts(group)
    return _each_run(members, _members(model, members, jnp.zeros(total), known), grid)


def response(
    model: ModelRecord,
    coefficient: str,
    place: Mapping[str, Any],
    values: Mapping[str, Array],
    moved: Array | float = 0.0,
) -> Array:
    """Give what members of `LEVELS` are values of at a place: of the law, or of other benchmarks.

    Shape (skill, benchmark or other, place). What the law gives there has `moved` by drift.
    """
    law = taken(model.law.coefficients, values)
    given: Array = model.law.given(place, law) + moved
    if coefficient == "intercept":
        return given
    return values["difficulty"] + loaded(values["loading"], given)


def of_members(found: Values, grid: Grid, group: str) -> Placed:
    """Give the levels of a group's members, with what they and groups that hold them add.

    Placed with members last, where these add anything.
    """
    _, total = grid.counts(group)
    own = dict(found.levels)
    for (name, other), offsets in found.offsets.items():
        if other == group:
            own[name] = own[name] + offsets
        elif other in grid.within.get(group, {}):
            holder = jnp.asarray(grid.within[group][other])
            mine = jnp.where(holder >= 0, offsets[..., holder], 0.0)
            new = jnp.zeros((*mine.shape[:-1], total - len(holder)))
            own[name] = own[name] + jnp.concatenate([mine, new], axis=-1)
    return own


def drifted(
    model: ModelRecord, grid: Grid, increments: Array | None, place: Mapping[str, Any]
) -> Array | float:
    """Give how far skills, or latent scores, have drifted at places, shape (skill, place)."""
    return 0.0 if increments is None else increments.T @ reach(model, grid, place, {})


def loaded(loading: Array, skills: Array) -> Array:
    """Give what each benchmark beside the anchors gains from the skills, shape (other, run)."""
    if loading.shape[-1] == 1:
        found: Array = loading[..., 0] @ skills
        return found
    return jnp.einsum("osr,sr->or", loading, skills)


def member_places(model: ModelRecord, grid: Grid, group: str) -> dict[str, Array]:
    """Give the law's inputs where members of a group are told, shape (member,) each.

    At the mean inputs of their runs; without scores, and for a new member, at the reference run.
    """
    known, total = grid.counts(group)
    reference, found = reference_place(model), {}
    for name, means in grid.middle[group].items():
        mean = jnp.asarray(means)
        new = jnp.full(total - known, reference[name])
        found[name] = jnp.concatenate([jnp.where(jnp.isnan(mean), reference[name], mean), new])
    return found


def _inputs(model: ModelRecord, grid: Grid) -> dict[str, Any]:
    """Give the inputs of each run, those that hang on unknown tokens drawn."""
    if not len(grid.unknown):
        return dict(grid.inputs)
    known, total = grid.counts(UNKNOWN)
    away = _drawn(plan(model).sites[TOKENS_UNKNOWN], jnp.zeros(total), 1.0, known)
    factor = jnp.exp(jnp.log(UNKNOWN_TOKENS[1]) * away)
    found = dict(grid.inputs)
    for name in model.law.inputs:
        if model.inputs.get(name, name) not in TELL_TOKENS:
            continue
        usual = jnp.asarray(found[name])
        found[name] = usual.at[grid.unknown].set(usual[grid.unknown] * factor)
    return found


def _population(
    model: ModelRecord, coefficient: Coefficient, grid: Grid, others: Placed | None = None
) -> Array:
    """Sample the population's value; separate members have none.

    `others` are the law's, where data pin this one down by them.
    """
    rules = model.pooling.get(coefficient.name, ())
    prior = coefficient.prior
    shape = _shape(plan(model).sites[coefficient.name].dims, grid)
    if rules and all(rule.spread is None for rule in rules):
        return jnp.full(shape, prior.location)
    if others is not None and not rules:
        place = level_given(model, grid, coefficient, others)
        return site(coefficient.name, Pinned(prior.location, prior.scale, place))
    return site(coefficient.name, normal(prior.location, prior.scale, shape))


def _benchmarks(model: ModelRecord, members: Site, population: Placed, grid: Grid) -> Array:
    """Sample the values of benchmarks, or of those that anchor no skill; offsets, placed."""
    level = population[members.coefficient]
    count = grid.size(members.dims[0])
    centre = jnp.broadcast_to(level, (count, *jnp.shape(level)))
    offsets = _members(model, members, centre, count) - level
    if members.group == "other":
        anchors = jnp.zeros((len(grid.anchors), *jnp.shape(level)))
        offsets = jnp.concatenate([anchors, offsets])[in_order(grid)]
    return jnp.expand_dims(offsets, 1)


def _offsets(
    model: ModelRecord, coefficient: Coefficient, members: Site, found: Values, grid: Grid
) -> Array:
    """Sample what a group's members add to the population, shape (member, ...)."""
    known, total = grid.counts(members.group)
    shape = (total, *_shape(members.dims[1:], grid))
    place = None
    if coefficient.name == pinned_by_level(model):
        others = of_members(found, grid, members.group)
        place = level_given(model, grid, coefficient, others, members.group)
    if members.told:
        of_run = members.group == RUN
        inputs = found.inputs if of_run else member_places(model, grid, members.group)
        values = found.of_runs if of_run else of_members(found, grid, members.group)
        moved = drifted(model, grid, found.increments, inputs)
        last = response(model, coefficient.name, inputs, values, moved)
        centre = jnp.moveaxis(jnp.broadcast_to(last, (*shape[1:], total)), -1, 0)
    else:
        centre = jnp.broadcast_to(found.population[coefficient.name], shape)
    return _members(model, members, centre, known, place) - centre


def _members(
    model: ModelRecord, members: Site, centre: Array, known: int, place: Array | None = None
) -> Array:
    """Sample the values of members around their centres: those of the fit, then new ones.

    `place` is where data pin them down, where they do.
    """
    shape = centre.shape[1:]
    rule = _rule(members)
    if rule.spread is None:  # separate members have the coefficient's prior for themselves
        prior = next(c.prior for c in model.coefficients if c.name == members.coefficient)
        return _drawn(members, jnp.full_like(centre, prior.location), prior.scale, known, place)
    width = spread(members.coefficient, rule, shape)
    if not members.correlation:
        return _drawn(members, centre, width, known, place)
    factor = width[:, None] * site(members.correlation, dist.LKJCholesky(shape[-1], LKJ))
    return _drawn(members, centre, factor, known, correlated=True)


def _drawn(
    members: Site,
    centre: Array,
    width: Any,
    known: int,
    place: Array | None = None,
    *,
    correlated: bool = False,
) -> Array:
    """Sample Normal values around centres (member, ...): those of the fit, then new ones."""

    def around(centre: Array) -> dist.Distribution:
        if correlated:
            return dist.MultivariateNormal(centre, scale_tril=width).to_event(1)
        return normal(centre, width, centre.shape)

    blocks = []
    if known and place is not None:
        told = Pinned(centre[:known], jnp.broadcast_to(width, (known,)), place[:known])
        blocks.append(site(members.name, told.to_event(1)))
    elif known:  # a multivariate Normal of no member is refused
        blocks.append(site(members.name, around(centre[:known])))
    if known < len(centre):
        blocks.append(site(members.new, around(centre[known:])))
    return jnp.concatenate(blocks) if len(blocks) != 1 else blocks[0]


def _correlated(model: ModelRecord, group: str, population: Placed, grid: Grid) -> Placed:
    """Sample values of several coefficients, correlated within a member; offsets (member,) each.

    One coefficient after the other, each given those before it: so each is a Normal site, which the
    sampler may centre by how much its members have data.
    """
    written = plan(model)
    coefficients = written.joint[group]
    known, total = grid.counts(group)
    corr = site(f"{group}_corr", dist.LKJCholesky(len(coefficients), LKJ))
    standard = jnp.zeros((total, 0))
    offsets: Placed = {}
    for i, c in enumerate(coefficients):
        members = written.sites[f"{c.name}_{group}"]
        width = spread(c.name, _rule(members), ())
        carried = population[c.name] + width * (standard @ corr[i, :i])
        rest = width * corr[i, i]
        place = None
        if c.name == pinned_by_level(model):
            others = {k: v + offsets.get(k, 0.0) for k, v in population.items()}
            place = level_given(model, grid, c, others, group)
        drawn = _drawn(members, carried, rest, known, place)
        standard = jnp.column_stack([standard, (drawn - carried) / rest])
        offsets[c.name] = drawn - population[c.name]
    return offsets


def _added(found: Values, members: Site, offsets: Array, grid: Grid) -> Values:
    """Add a group's offsets to the values of its members' runs, and keep them."""
    name, group = members.coefficient, members.group
    of_run = found.of_runs[name] + _each_run(members, offsets, grid)
    kept = {} if group == RUN else {(name, group): _last(members, offsets)}
    return replace(
        found, of_runs={**found.of_runs, name: of_run}, offsets={**found.offsets, **kept}
    )


def _each_run(members: Site, offsets: Array, grid: Grid) -> Array:
    """Give each run the offset of its member, placed."""
    mine = offsets if members.group == RUN else offsets[grid.groups[members.group]]
    return _last(members, mine)


def _last(members: Site, offsets: Array) -> Array:
    """Put members behind skills and benchmarks; the contrasts of a mixture stay last."""
    dims = members.dims[1:]
    return jnp.moveaxis(offsets, 0, -1) if dims and "contrast" not in dims else offsets


def _placed(population: Site, value: Array) -> Array:
    """Leave room for runs behind skills and benchmarks."""
    dims = population.dims
    return value[..., None] if dims and "contrast" not in dims else value


def _shape(dims: tuple[str, ...], grid: Grid) -> tuple[int, ...]:
    return tuple(grid.size(dim) for dim in dims)


def _rule(members: Site) -> Pooling:
    assert members.rule is not None  # all sites of members but unknown tokens have one
    return members.rule


def in_order(grid: Grid) -> NDArray[np.intp]:
    """Order that puts anchors and then others in the table's order of benchmarks."""
    return np.argsort([*grid.anchors, *grid.others])
