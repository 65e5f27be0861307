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
    first, factor = DAMPING

    def slope_and_value(place: Array) -> tuple[Array, tuple[Array, Array]]:
        value, slope = jax.value_and_grad(loss)(place)
        return slope, (value, slope)

    def going(at: _Newton) -> Array:
        return (at.gain > close) & (at.step <= STEPS)

    def body(at: _Newton) -> _Newton:
        damped = at.curvature + at.damping * jnp.eye(len(start))
        root = jnp.linalg.cholesky(damped)
        move = jax.scipy.linalg.cho_solve((root, True), at.slope)
        place = at.place - move
        # The function is written into the program once: it may be long.
        curvature, (value, slope) = jax.jacfwd(slope_and_value, has_aux=True)(place)
        # Where the damped curvature is not positive, its root and so the value are not a number.
        better = value <= at.value
        moved = at.step > 0
        damping = jnp.where(better, at.damping / factor, at.damping * factor)
        return _Newton(
            jnp.where(better, place, at.place),
            jnp.where(better, value, at.value),
            jnp.where(better, slope, at.slope),
            jnp.where(better, curvature, at.curvature),
            jnp.where(moved, damping, at.damping),
            jnp.where(better & moved, 0.5 * at.slope @ move, at.gain),
            at.step + 1,
        )

    # Flat and endlessly high, so that the first step stays and sees what there is.
    begin = _Newton(
        start,
        jnp.asarray(jnp.inf),
        jnp.zeros_like(start),
        jnp.eye(len(start)),
        jnp.asarray(first),
        jnp.asarray(jnp.inf),
        jnp.asarray(0),
    )
    end = jax.lax.while_loop(going, body, begin)
    return end.place, end.curvature
