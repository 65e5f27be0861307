"""The density of a law of a quantity: a loss, an error, a best size; and of scores that follow it.

Every coefficient has one value, or values that differ by the members of any groups of runs. The
law's response is measured with its noise; scores behind the link are measured with theirs, so that
a two-step model is one model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from bayescale.models.model import EFFECT, Model
from bayescale.models.rows import Rows
from bayescale.models.sites import LKJ, normal, site, spread, taken
from bayescale.parts.coefficients import Coefficient, Pooling
from bayescale.parts.part import Noise


def distribution(model: Model, rows: Rows) -> tuple[Array, Any]:
    """Sample every coefficient and evaluate law, link and noises.

    Sites of coefficients hold real-line values: `<name>` the population's, `<name>_<group>` those
    of its members, `<name>_<group>_spread` the logarithm of their spread, and `<name>_<group>_new`
    members that were not in the fit. Members of several groups differ from the population by the
    sum of their offsets.

    Parameters
    ----------
    model
        Law, noises, link and pooling.
    rows
        The data; members beyond the known ones are drawn anew.

    Returns
    -------
    expected : Array
        Expected values, shape (benchmark, run).
    measured
        Distribution of the measured values, same shape: `log_prob` and `sample`.
    """
    values = _values(model, rows)
    law = taken(model.law.coefficients, values)
    own, scored = rows.own, rows.scored
    quantity = jnp.broadcast_to(model.law.given(rows.inputs, law), (len(own), rows.runs))
    for group, rule in model.effects.items():
        quantity = quantity * jnp.exp(_effect(group, rule, rows))
    noise = taken(model.noise.coefficients, values)
    if model.scatter:
        change = values["scatter"] * jnp.log(rows.inputs[model.scatter])
        noise["spread"] = noise["spread"] * jnp.exp(change)
    measured = _measured(model.noise, quantity, rows, own, noise)
    if model.link is None or model.score_noise is None or not scored:
        return quantity, measured
    chance, top = (jnp.asarray(of)[jnp.asarray(scored), None] for of in (rows.chance, rows.top))
    known = {"loss": quantity[:1], "pivot": _at_reference(model, values)}
    known |= {"chance": chance, "top": top}
    scores = model.link.given(known, taken(model.link.coefficients, values))
    of_scores = {c.name: values[f"score_{c.name}"] for c in model.score_noise.coefficients}
    behind = _measured(
        model.score_noise, scores, rows, scored, taken(model.score_noise.coefficients, of_scores)
    )
    both = Stacked((measured, behind), (own, scored))
    return both.arranged([quantity, scores]), both


@dataclass(frozen=True)
class Stacked:
    """Distributions of some benchmarks each, as one over all."""

    parts: tuple[Any, ...]
    places: tuple[tuple[int, ...], ...]

    def log_prob(self, values: Array) -> Array:
        """Log density, shape (benchmark, run)."""
        pairs = zip(self.parts, self.places, strict=True)
        return self.arranged([part.log_prob(values[jnp.asarray(at)]) for part, at in pairs])

    def sample(self, key: Any) -> Array:
        """One draw, shape (benchmark, run)."""
        keys = jax.random.split(key, len(self.parts))
        return self.arranged([part.sample(k) for part, k in zip(self.parts, keys, strict=True)])

    def arranged(self, blocks: Sequence[Array]) -> Array:
        """Put blocks of rows in the order of the benchmarks."""
        order = jnp.argsort(jnp.asarray([j for at in self.places for j in at]))
        return jnp.concatenate(blocks)[order]


def law_values(model: Model, rows: Rows, response: int, run: int) -> dict[str, Array]:
    """Sample the coefficients of the law, in natural units, for one response of one run.

    Parameters
    ----------
    model
        Law and pooling.
    rows
        The data; members beyond the known ones are drawn anew.
    response
        Position among the law's own responses.
    run
        Position of the run.

    Returns
    -------
    dict
        Coefficient to its value, a number; of one with more dimensions, these.
    """
    found = {}
    for name, value in taken(model.law.coefficients, _values(model, rows)).items():
        c = next(c for c in model.law.coefficients if c.name == name)
        more = tuple(dim for dim in c.dims if dim != "benchmark")
        wide = jnp.broadcast_to(
            value, (len(rows.own), rows.runs, *jnp.shape(value)[jnp.ndim(value) - len(more) :])
        )
        found[name] = wide[response, run]
    return found


def _measured(
    noise: Noise, expected: Array, rows: Rows, at: tuple[int, ...], coefficients: dict[str, Array]
) -> dist.Distribution:
    """Give a noise what its signature names, of the benchmarks at hand."""
    chosen = jnp.asarray(at)
    known = {
        "expected": expected,
        "items": jnp.asarray(rows.items)[chosen, None],
        "resolution": jnp.asarray(rows.resolution)[chosen, None],
        "stderr": jnp.asarray(rows.stderr).T[chosen],
        "previous": jnp.asarray(rows.previous).T[chosen],
        "gap": jnp.asarray(rows.gap).T[chosen],
    }
    return noise.given(known, coefficients)


def _values(model: Model, rows: Rows) -> dict[str, Array]:
    """Sample every coefficient: real-line values that broadcast over (benchmark, run)."""
    found: dict[str, Array] = {}
    levels: dict[str, Array] = {}
    joint: dict[str, list[Coefficient]] = {}
    shapes = {c.name: _shape(model, c, rows) for c in model.coefficients}
    for c in model.coefficients:
        rules = model.pooling.get(c.name, ())
        shape = shapes[c.name]
        only_separate = bool(rules) and all(rule.spread is None for rule in rules)
        level = jnp.full(shape, c.prior.location)
        if not only_separate:
            level = site(c.name, normal(c.prior.location, c.prior.scale, shape))
        total, levels[c.name] = _placed(c, level), level
        for rule in rules:
            if rule.correlated:
                joint.setdefault(rule.group, []).append(c)
                continue
            offsets = _members(c, rule, level, shape, rows) - level
            total = total + _spread_out(c, rule.group, offsets, rows)
        found[c.name] = total
    for group, coefficients in joint.items():
        for c, offsets in zip(
            coefficients, _correlated(model, group, coefficients, levels, rows), strict=True
        ):
            found[c.name] = found[c.name] + _spread_out(c, group, offsets, rows)
    return found


def _shape(model: Model, coefficient: Coefficient, rows: Rows) -> tuple[int, ...]:
    own = (*model.law.coefficients, *model.noise.coefficients)
    of_law = coefficient.name in {c.name for c in own}
    sizes = {"benchmark": len(rows.own) if of_law else len(rows.scored)}
    if "contrast" in coefficient.dims:
        mixture = next(c.name for c in model.law.columns if c.kind == "mixture")
        sizes["contrast"] = rows.inputs[mixture].shape[-1] - 1
    return tuple(sizes[name] for name in coefficient.dims)


def _placed(coefficient: Coefficient, value: Array) -> Array:
    """Set a value of each benchmark as a column; other dimensions stay last."""
    return value[:, None] if coefficient.dims == ("benchmark",) else value


def _spread_out(coefficient: Coefficient, group: str, offsets: Array, rows: Rows) -> Array:
    """Give each run, or each benchmark, the offset of its member."""
    if group == "benchmark":
        return offsets.reshape(offsets.shape[0], 1, *offsets.shape[1:])
    of_runs = offsets[rows.groups[group]]
    return of_runs.T if coefficient.dims == ("benchmark",) else of_runs


def _members(
    coefficient: Coefficient, rule: Pooling, level: Array, shape: tuple[int, ...], rows: Rows
) -> Array:
    """Sample the values of a group's members: those of the fit, then new ones."""
    known, total = rows.counts(rule.group)
    name, prior = f"{coefficient.name}_{rule.group}", coefficient.prior
    if rule.spread is None:
        centre, width = jnp.full(shape, prior.location), jnp.full(shape, prior.scale)
    else:
        centre, width = level, spread(coefficient.name, rule, shape)

    def around(count: int) -> dist.Distribution:
        return normal(centre, width, (count, *shape))

    fitted = site(name, around(known))
    if total == known:
        return fitted
    return jnp.concatenate([fitted, site(f"{name}_new", around(total - known))])


def _correlated(
    model: Model,
    group: str,
    coefficients: list[Coefficient],
    levels: Mapping[str, Array],
    rows: Rows,
) -> list[Array]:
    """Sample values of several coefficients, correlated within a member; offsets (member,) each.

    One coefficient after the other, each given those before it: so each is a Normal site, which the
    sampler may centre by how much its members have data.
    """
    known, total = rows.counts(group)
    corr = site(f"{group}_corr", dist.LKJCholesky(len(coefficients), LKJ))
    standard = jnp.zeros((total, 0))
    offsets = []
    for i, c in enumerate(coefficients):
        rule = next(rule for rule in model.pooling[c.name] if rule.group == group)
        width = spread(c.name, rule, ())
        carried = levels[c.name] + width * (standard @ corr[i, :i])
        rest = width * corr[i, i]
        drawn = site(f"{c.name}_{group}", normal(carried[:known], rest, (known,)))
        if total > known:
            new = site(f"{c.name}_{group}_new", normal(carried[known:], rest, (total - known,)))
            drawn = jnp.concatenate([drawn, new])
        standard = jnp.column_stack([standard, (drawn - carried) / rest])
        offsets.append(drawn - levels[c.name])
    return offsets


def _effect(group: str, rule: Pooling, rows: Rows) -> Array:
    """Sample the shifts of the log response of a group's members; shape (run,)."""
    known, total = rows.counts(group)
    width = spread(EFFECT, rule, ()) if rule.spread else jnp.asarray(1.0)
    name = f"{EFFECT}_{group}"
    drawn = site(name, normal(0.0, width, (known,)))
    if total > known:
        drawn = jnp.concatenate([drawn, site(f"{name}_new", normal(0.0, width, (total - known,)))])
    return drawn[rows.groups[group]]


def _at_reference(model: Model, values: dict[str, Array]) -> Array:
    """Give the law's response at the reference run, where scores are pinned; shape (1, run)."""
    ones = [jnp.ones(()) for _ in model.law.inputs]
    return jnp.atleast_2d(model.law(*ones, **taken(model.law.coefficients, values)))
