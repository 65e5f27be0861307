"""What must be true of every law, as functions of the law; a law of a user's can be put to them.

Coefficients are drawn from their priors and inputs log-uniform over their usual range, divided by
the geometric middle of it: `drawn`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jax.test_util import check_grads

from bayescale.parts.inputs import Input, Schedule
from bayescale.parts.part import Law

DOMAINS = 3
FAR = 1e200
PRINTED = 3.0  # references of the round trip differ by up to this factor


@dataclass(frozen=True)
class Draws:
    """Raw inputs, their reference values and coefficients, by name; arrays of shape (draw, ...)."""

    inputs: dict[str, Any]
    reference: dict[str, float]
    coefficients: dict[str, Any]

    def at(self, draw: int) -> Draws:
        def one(values: dict[str, Any]) -> dict[str, Any]:
            return jax.tree.map(lambda leaf: leaf[draw], values)

        return Draws(one(self.inputs), self.reference, one(self.coefficients))


def drawn(law: Law, count: int, seed: int = 0) -> Draws:
    rng = np.random.default_rng(seed)
    inputs = {column.name: _input(column, count, rng) for column in law.columns}
    reference = {
        c.name: float(np.sqrt(c.low * c.high)) for c in law.columns if c.reference == c.name
    }
    sizes = {"contrast": (DOMAINS - 1,)}
    coefficients = {}
    for c in law.coefficients:
        shape = (count, *(n for name in c.dims for n in sizes.get(name, ())))
        normal = rng.normal(c.prior.location, c.prior.scale, shape)
        coefficients[c.name] = jnp.asarray(c.prior.natural(jnp.asarray(normal)))
    return Draws(inputs, reference, coefficients)


def _input(column: Input, count: int, rng: np.random.Generator) -> Any:
    if column.kind == "flag":
        return jnp.asarray(rng.integers(0, 2, count), float)
    if column.kind == "mixture":
        return jnp.asarray(rng.dirichlet(np.ones(DOMAINS), count))
    if column.kind == "series":
        steps = np.sort(rng.integers(500, 20_000, (count, 6)), axis=1)
        steps = np.concatenate([np.zeros((count, 1), int), steps], axis=1)
        peak = np.exp(rng.uniform(np.log(column.low), np.log(column.high), (count, 1)))
        rates = peak * np.array([1, 1, 1, 0.7, 0.4, 0.1, 0.1])
        zero = np.zeros((count, 1), int)  # one series for each draw
        return Schedule(rates[:, None, :], steps, zero, zero + 5)
    low, high = np.log(column.low), np.log(column.high)
    return jnp.asarray(np.exp(rng.uniform(low, high, count)))


def relative(law: Law, inputs: dict[str, Any], reference: dict[str, Any]) -> list[Any]:
    """Inputs as the law takes them: divided by their own reference, or by the one they share."""
    return [
        inputs[c.name] if c.reference is None else inputs[c.name] / reference[c.reference]
        for c in law.columns
    ]


def value(law: Law, draws: Draws) -> Any:
    """The law at one draw, or at all of them where inputs are plain arrays."""
    found = law(*relative(law, draws.inputs, draws.reference), **draws.coefficients)
    return jnp.squeeze(found) if jnp.ndim(found) and jnp.size(found) == 1 else found


def values(law: Law, draws: Draws) -> np.ndarray:
    def one(inputs: dict[str, Any], coefficients: dict[str, Any]) -> Any:
        return value(law, Draws(inputs, draws.reference, coefficients))

    return np.asarray(jax.vmap(one)(draws.inputs, draws.coefficients))


def numbers(law: Law) -> list[Input]:
    return [column for column in law.columns if column.kind == "number"]


def check_finite(law: Law, draws: Draws) -> None:
    """Value and gradient by every coefficient and numeric input are finite."""
    names = [column.name for column in numbers(law)]

    def one(plain: dict[str, Any], rest: dict[str, Any], coefficients: dict[str, Any]) -> Any:
        return value(law, Draws({**rest, **plain}, draws.reference, coefficients))

    plain = {name: draws.inputs[name] for name in names}
    rest = {name: x for name, x in draws.inputs.items() if name not in names}
    found = jax.vmap(jax.value_and_grad(one, argnums=(0, 2)))(plain, rest, draws.coefficients)
    for leaf in jax.tree.leaves(found):
        assert np.isfinite(leaf).all()


def check_gradient(law: Law, draws: Draws) -> None:
    """Gradients by log inputs and coefficients are those of finite differences."""
    for draw in range(len(jax.tree.leaves(draws.coefficients)[0])):
        at = draws.at(draw)
        logs = {c.name: jnp.log(at.inputs[c.name]) for c in numbers(law)}

        def one(logs: dict[str, Any], coefficients: dict[str, Any], at: Draws = at) -> Any:
            inputs = {**at.inputs, **{name: jnp.exp(x) for name, x in logs.items()}}
            found = value(law, Draws(inputs, at.reference, coefficients))
            return jnp.log(found) if law.unit in COUNTED else found

        check_grads(
            one, (logs, at.coefficients), order=1, modes=["rev"], eps=1e-6, atol=1e-4, rtol=1e-4
        )


COUNTED = ("params", "tokens", "steps")  # as large as 1e12: their logs are compared


def check_monotone(law: Law, draws: Draws) -> None:
    """The response falls, and rises, with the inputs that the declaration says."""
    start = values(law, draws)
    for names, sign in ((law.falls, -1), (law.rises, 1)):
        for name in names:
            for factor in (1.1, 10.0):
                moved = {**draws.inputs, name: draws.inputs[name] * factor}
                change = values(law, Draws(moved, draws.reference, draws.coefficients)) - start
                least = -1e-12 * np.abs(start)
                assert (sign * change >= least).all(), f"{name} times {factor}"
                # Where an input has saturated, a change is lost in rounding.
                assert (sign * change > 0).mean() > 0.5, f"{name} times {factor} changes nothing"


def check_limits(law: Law, draws: Draws) -> None:
    """Where the inputs it falls with go far, the response comes to its floor or its limits."""
    near, c = values(law, draws), draws.coefficients
    for factor, limit in (
        (FAR, None if law.floor is None else c[law.floor]),
        (FAR, None if law.limits is None else law.limits(c)[1]),
        (1 / FAR, None if law.limits is None else law.limits(c)[0]),
    ):
        if limit is None:
            continue
        moved = {name: draws.inputs[name] * factor for name in law.falls}
        far = values(law, Draws({**draws.inputs, **moved}, draws.reference, c))
        # A start and a floor that are nearly equal leave nothing but rounding between them.
        assert (np.abs(far - limit) <= 1e-2 * np.abs(near - limit) + 1e-6 * np.abs(limit)).all()


def check_declared(law: Law) -> None:
    """A reader finds units, meanings, a formula, a claim and a source."""
    assert law.coefficients
    assert all(c.name and c.unit and c.meaning for c in law.coefficients)
    assert tuple(c.name for c in law.columns) == law.inputs
    assert all(c.unit and c.meaning and c.low < c.high for c in law.columns)
    assert law.formula
    assert law.claim.endswith(".")
    assert law.source
    assert law.response
    assert law.unit
    assert law.plausible is not None


def check_plausible(law: Law, draws: Draws) -> None:
    """Four of five prior draws of the response lie in the plausible range, and not in a corner."""
    assert law.plausible is not None
    found, (low, high) = values(law, draws), law.plausible
    assert ((found > low) & (found < high)).mean() >= 0.8
    # The range says something: a hundred times as wide would hardly hold more.
    assert np.quantile(found, 0.95) - np.quantile(found, 0.05) > 1e-3 * (high - low)


def check_plain_numbers(law: Law, draws: Draws) -> None:
    """Python's own numbers do, and give a number that is finite."""
    at = draws.at(0)
    plain = [
        float(x) if column.kind in ("number", "flag") else x
        for column, x in zip(law.columns, relative(law, at.inputs, at.reference), strict=True)
    ]
    coefficients = {name: float(x) if np.ndim(x) == 0 else x for name, x in at.coefficients.items()}
    assert np.isfinite(float(np.squeeze(law(*plain, **coefficients))))


def check_paper(law: Law, draws: Draws) -> None:
    """The paper's coefficients do not depend on the reference: the same ones, the same curve.

    For coefficients at one reference, those at another are found that give the same coefficients
    of the paper; with these, the law at the other reference must have the same values.
    """
    rng = np.random.default_rng(0)
    other = {name: x * PRINTED ** rng.uniform(-1, 1) for name, x in draws.reference.items()}
    priors = {c.name: c.prior for c in law.coefficients}
    sizes = {name: np.shape(x)[1:] for name, x in sorted(draws.coefficients.items())}

    def natural(real: Any) -> dict[str, Any]:
        found, start = {}, 0
        for name, shape in sizes.items():
            size = int(np.prod(shape))
            found[name] = priors[name].natural(real[start : start + size].reshape(shape))
            start += size
        return found

    @jax.jit
    def gap(real: Any, target: Any) -> Any:
        return (_flat(law.paper(natural(real), other)) - target) / (jnp.abs(target) + 1e-3)

    slope = jax.jit(jax.jacobian(gap))
    for draw in range(len(jax.tree.leaves(draws.coefficients)[0])):
        at = draws.at(draw)
        target = _flat(law.paper(at.coefficients, at.reference))
        first = _flat({n: _real(priors[n].support, x) for n, x in at.coefficients.items()})
        solved = scipy.optimize.least_squares(
            gap, first, jac=slope, args=(target,), xtol=1e-15, ftol=1e-15, gtol=1e-15
        )
        assert np.abs(solved.fun).max() < 1e-8, "no coefficients give the same ones of the paper"
        moved = value(law, Draws(at.inputs, other, natural(jnp.asarray(solved.x))))
        np.testing.assert_allclose(moved, value(law, at), rtol=1e-5)


def _flat(found: dict[str, Any]) -> Any:
    return jnp.concatenate([jnp.ravel(jnp.asarray(found[name], float)) for name in sorted(found)])


def _real(support: str, x: Any) -> Any:
    if support == "positive":
        return jnp.log(x)
    return jnp.log(x) - jnp.log1p(-x) if support == "fraction" else x
