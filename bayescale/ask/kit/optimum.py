"""The best inputs of a law under a budget: Newton's method in each draw, on the law itself.

One input, the data, is what the budget leaves; the others are free in their logs. Derivatives are
the law's own. A coarse look over sizes says where to start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from bayescale.ask.kit.costs import Cost
from bayescale.base.intervals import Floats
from bayescale.inference.newton import minimise

BATCH = 500  # draws solved at once
STARTS, STARTS_OF_DRIFT = 41, 401  # sizes looked at first; a curve that turns has more valleys
REACH = np.log(1e6)  # how far around the reference, in logs
CLOSE = 1e-14  # gain of the last step, in the loss: what is then missing is its square
TRIES = 20  # of the search for what a budget leaves
LEAST = 1e-12  # of it
FLAT = 1e-3  # least elasticity of the cost with it
EDGE = 0.01  # share of a bounded input's log range within which it counts as at its end


@dataclass(frozen=True)
class Task:
    """What to optimise.

    Parameters
    ----------
    loss
        From inputs in the table's units and coefficients to the law's response.
    cost
        From inputs to what a run costs, increasing in what is spent last.
    free
        Names of the inputs to choose; `spent` is not one of them.
    spent
        The input that takes what the budget leaves.
    bounds
        Ends of the free inputs that have any.
    tied
        From inputs to others that follow from them.
    starts
        How many sizes are looked at first.
    """

    loss: Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
    cost: Cost
    free: tuple[str, ...]
    spent: str
    bounds: tuple[tuple[str, float, float], ...] = ()
    tied: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    starts: int = STARTS


def optimum(
    task: Task,
    coefficients: Mapping[str, Any],
    budget: Any,
    start: Mapping[str, float],
    kept: Mapping[str, Any],
) -> tuple[dict[str, Floats], Floats]:
    """Find the best inputs of each draw.

    Parameters
    ----------
    task
        What to optimise.
    coefficients
        Of the law, in natural units, shape (draw,) each.
    budget
        In units of the cost, shape (draw,).
    start
        A usual value of each free input, and of the one that is spent.
    kept
        Inputs that stay, numbers or shape (draw,).

    Returns
    -------
    inputs : dict
        Free ones and the one that is spent, shape (draw,) each.
    loss : array (draw,)
    """
    draws = len(budget)
    wide = {k: np.broadcast_to(np.asarray(v, float), (draws,)) for k, v in kept.items()}
    with jax.enable_x64(True):
        each = {k: np.asarray(v, float) for k, v in coefficients.items()}
        first = np.log([float(start[name]) for name in (*task.free, task.spent)])
        found, loss = _solve(task, each, np.asarray(budget, float), first, wide)
    # JAX gives a dict back in the order of its names.
    return {name: np.asarray(found[name]) for name in names_of(task)}, np.asarray(loss)


@partial(jax.jit, static_argnames=("task",))
def _solve(task: Task, coefficients: Any, budget: Any, start: Any, kept: Any) -> Any:
    ends = {name: (low, high) for name, low, high in task.bounds}

    def one(draw: tuple[Any, Any, Any]) -> Any:
        values, money, fixed = draw

        def inputs(place: Array) -> dict[str, Any]:
            chosen = {n: _opened(place[i], ends.get(n)) for i, n in enumerate(task.free)}
            known = {**fixed, **chosen}
            known |= task.tied(known)
            left = _left(lambda data: task.cost({**known, task.spent: data}), money)
            return {**known, task.spent: jnp.exp(left)}

        def loss(place: Array) -> Array:
            return jnp.asarray(task.loss(inputs(place), values))

        if not task.free:
            return {task.spent: inputs(jnp.zeros(0))[task.spent]}, loss(jnp.zeros(0))
        usual = {**fixed, **{n: jnp.exp(t) for n, t in zip(names_of(task), start, strict=True)}}
        # Size and data share what a budget is above the usual one.
        more = 0.5 * (money - jnp.log(task.cost({**usual, **task.tied(usual)})))
        middle = jnp.stack([_closed(start[i], ends.get(n)) for i, n in enumerate(task.free)])
        looked = more + jnp.linspace(-REACH, REACH, task.starts)
        seen = jax.vmap(lambda t: loss(middle.at[0].add(t)))(looked)
        first = middle.at[0].add(looked[jnp.nanargmin(seen)])
        place, _ = minimise(loss, first, close=CLOSE)
        best = inputs(place)
        return {n: best[n] for n in (*task.free, task.spent)}, loss(place)

    return jax.lax.map(one, (coefficients, jnp.log(budget), kept), batch_size=BATCH)


def _left(cost: Callable[[Array], Array], log_budget: Array) -> Array:
    """Solve for the log of what the budget leaves; differentiable twice.

    Most costs are a line in what is spent last, which says where to start; Newton's method does the
    rest. Its last two steps, whose start is held fixed, carry the derivatives: one step is right to
    the first order, and two to the third.
    """
    held = jax.lax.stop_gradient
    none, one = held(cost(jnp.asarray(0.0))), held(cost(jnp.asarray(1.0)))
    start = jnp.log(jnp.maximum((jnp.exp(held(log_budget)) - none) / (one - none), LEAST))

    def step(place: Array) -> tuple[Array, Array]:
        value, slope = jax.value_and_grad(lambda t: jnp.log(cost(jnp.exp(t))))(place)
        # A cost that this input does not move any more has nothing left for it.
        return (value - log_budget) / jnp.maximum(slope, FLAT), value

    def going(at: tuple[Array, Array, Array]) -> Array:
        return (jnp.abs(at[1]) > 1e-13) & (at[2] < TRIES)

    def body(at: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        place = at[0] - at[1]
        return place, held(step(place)[0]), at[2] + 1

    first = held(step(start)[0])
    place, _, _ = jax.lax.while_loop(going, body, (start, first, jnp.asarray(0)))
    place = held(place)
    for _ in range(2):
        place = place - step(place)[0]
    return place


def _opened(place: Array, ends: tuple[float, float] | None) -> Array:
    """Give an input from its place on the real line."""
    if ends is None:
        return jnp.exp(place)
    low, high = np.log(ends)
    return jnp.exp(low + (high - low) * jax.nn.sigmoid(place))


def _closed(log_value: Array, ends: tuple[float, float] | None) -> Any:
    """Give the place of an input, from its log; inside its ends."""
    if ends is None:
        return log_value
    low, high = np.log(ends)
    share = jnp.clip((log_value - low) / (high - low), 0.05, 0.95)
    return jnp.log(share / (1 - share))


def at_edge(values: Floats, ends: tuple[float, float]) -> float:
    """Give the share of draws in which an input is at an end of its range."""
    low, high = np.log(ends)
    share = (np.log(values) - low) / (high - low)
    return float(np.mean((share < EDGE) | (share > 1 - EDGE)))


def names_of(task: Task) -> Sequence[str]:
    """List the inputs that a solution tells."""
    return (*task.free, task.spent)
