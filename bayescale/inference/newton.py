"""Newton's method for small smooth problems, inside a compiled program."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

STEPS = 60  # at most
DAMPING = (1e-3, 8.0)  # at the start, and by what factor it changes


class _Newton(NamedTuple):
    """A place, the function there with its derivatives, and how far the search has come."""

    place: Array
    value: Array
    slope: Array
    curvature: Array
    damping: Array
    gain: Array
    step: Array


def minimise(loss: Callable[[Array], Array], start: Array, *, close: float) -> tuple[Array, Array]:
    """Minimise by Newton's method, damped where a step would not lower the loss.

    Parameters
    ----------
    loss
        Twice differentiable, from shape (n,) to a number.
    start
        Where to start, shape (n,).
    close
        Expected gain of a step, in units of the loss, at which the search ends.

    Returns
    -------
    place, curvature : Array
        Shapes (n,) and (n, n).
    """
    slope_of, curvature_of = jax.grad(loss), jax.hessian(loss)
    first, factor = DAMPING

    def going(at: _Newton) -> Array:
        return (at.gain > close) & (at.step < STEPS)

    def body(at: _Newton) -> _Newton:
        damped = at.curvature + at.damping * jnp.eye(len(start))
        root = jnp.linalg.cholesky(damped)
        move = jax.scipy.linalg.cho_solve((root, True), at.slope)
        place = at.place - move
        value = loss(place)
        # Where the damped curvature is not positive, its root and so the value are not a number.
        better = value <= at.value
        place = jnp.where(better, place, at.place)
        return _Newton(
            place,
            jnp.where(better, value, at.value),
            slope_of(place),
            curvature_of(place),
            jnp.where(better, at.damping / factor, at.damping * factor),
            jnp.where(better, 0.5 * at.slope @ move, at.gain),
            at.step + 1,
        )

    begin = _Newton(
        start,
        loss(start),
        slope_of(start),
        curvature_of(start),
        jnp.asarray(first),
        jnp.asarray(jnp.inf),
        jnp.asarray(0),
    )
    end = jax.lax.while_loop(going, body, begin)
    return end.place, end.curvature
