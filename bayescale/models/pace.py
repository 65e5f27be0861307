r"""How much an e-fold beyond the data counts: what drifts from the edge do to a law's inputs.

.. math:: \log \tilde x_k = e_k + \int_0^{t_k} \exp b_k(u) \, du, \quad t_k = \log x_k - e_k

The law is asked at :math:`\tilde x` in place of x: beyond the edge :math:`e_k` of the data an
e-fold of an input counts as :math:`\exp b_k` of them, and :math:`b_k` is a Brownian motion that
starts at zero. So the local exponent of what falls wanders by its logarithm, and whatever the
motion does, a law that falls keeps falling and stays above its floor. Compute moves its factors
together, before each moves by itself: the best split of a budget is that of another budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from bayescale.models.cells import beyond_edge, distance, factors
from bayescale.models.record import ModelRecord

# Beyond these a law says nothing new, and its powers are no numbers any more.
MOST, FARTHEST = 3.0, 100.0  # of |b|, a pace of twenty or a twentieth; of e-folds moved


def paced(
    model: ModelRecord, cells: Any, increments: Array, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Give the inputs that a law is asked at, over those of the reference run.

    Parameters
    ----------
    model
        Its drifts; those from the reference run are no matter here.
    cells
        `place`, `width` and `along` of each, shape (cell,).
    increments
        Of each cell, shape (cell, 1), or (cell, run) with zeros for cells that are not a run's.
    inputs
        Over those of the reference run: numbers, or shape (run,) each.

    Returns
    -------
    dict
        As `inputs`.
    """
    drifts = [along for along, drift in model.drift.items() if drift.origin == "edge"]
    found = dict(inputs)
    for along in sorted(drifts, key=lambda name: -len(factors(inputs, name))):
        away = distance(found, along, jnp.log)
        own = jnp.asarray(cells.along) == list(model.drift).index(along)
        moved = _moved(away, cells, own, increments, -1) + _moved(away, cells, own, increments, 1)
        names = factors(inputs, along)
        for column in model.law.columns:
            # What is told over an input's reference, unique tokens over that of tokens, moves too.
            if column.reference in names:
                found[column.name] = found[column.name] * jnp.exp(moved / len(names))
    return found


def _moved(away: Array, cells: Any, own: Array, increments: Array, side: int) -> Array:
    """Give how many e-folds a place is moved by the drift beyond one edge, shape (run,)."""
    bounds = beyond_edge()
    mine = own & (jnp.sign(cells.width) == side)
    size = jnp.abs(jnp.asarray(cells.width))
    place = side * jnp.asarray(cells.place)
    edge = jnp.min(jnp.where(mine, place, jnp.inf), initial=jnp.inf)
    beyond = jnp.maximum(side * away - edge, 0.0)
    start = jnp.where(mine, place - edge, 0.0)
    past = jnp.clip((bounds[:, None] - start) / size, 0.0, 1.0)
    motion = jnp.where(mine, past * jnp.sqrt(size), 0.0) @ increments
    motion = jnp.clip(motion, -MOST, MOST)
    width = np.diff(bounds)[:, None]
    part = jnp.clip((beyond - bounds[:-1, None]) / width, 0.0, 1.0)
    counted = width * part * jnp.exp(motion[:-1]) * _mean_growth(part * jnp.diff(motion, axis=0))
    rest = jnp.maximum(beyond - bounds[-1], 0.0) * jnp.exp(motion[-1])
    moved = counted.sum(axis=0) + rest - beyond
    return side * jnp.minimum(moved, FARTHEST)


def _mean_growth(x: Array) -> Array:
    """Give the mean of an exponential that grows from one by a factor exp(x)."""
    small = jnp.abs(x) < 1e-4
    safe = jnp.where(small, 1.0, x)
    found: Array = jnp.where(small, 1.0 + x / 2, jnp.expm1(safe) / safe)
    return found
