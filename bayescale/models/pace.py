r"""How much an e-fold beyond the data counts: what drifts from the edge do to a law's inputs.

.. math:: \log \tilde x_k = e_k + \int_0^{t_k} \exp b_k(u) \, du, \quad t_k = \log x_k - e_k

The law is asked at :math:`\tilde x` in place of x: beyond the edge :math:`e_k` of the data an
e-fold of an input counts as :math:`\exp b_k` of them, and :math:`b_k` is a Brownian motion that
starts at zero. So the local exponent of what falls wanders by its logarithm, and whatever the
motion does, a law that falls keeps falling with compute and stays above its floor. Compute moves
its factors together, before each moves by itself: the best split of a budget is that of another
one, while of one factor alone more may help so little that the other, moved along, takes it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from bayescale.models.cells import beyond_edge, distance, factors
from bayescale.models.record import ModelRecord

# Beyond these a law says nothing new, and its powers are no numbers any more.
MOST, FARTHEST = 3.0, 100.0  # of |b|, a pace of twenty or a twentieth; of e-folds moved
ENDLESS = 1e4  # e-folds


class Pace(NamedTuple):
    """The drifts from the edges of the data, by input and side: the least run's, the largest's.

    Parameters
    ----------
    edge
        Where the data end, in e-folds from the reference run away from the middle, (input, side).
    cells
        Of each cell where it begins, how wide it is, the log of the pace there, by how much that
        changes, and as how many e-folds all cells before count: shape (input, side, cell, 5, run),
        or one for all runs.
    """

    edge: Any
    cells: Any


def pace_of(model: ModelRecord, cells: Any, increments: Array) -> Pace:
    """Give the pace that increments make.

    Parameters
    ----------
    model
        Its drifts.
    cells
        `place`, `width` and `along` of each, shape (cell,).
    increments
        Of each cell, shape (cell, 1), or (cell, run) with zeros for cells that are not a run's.
    """
    bounds = jnp.asarray(beyond_edge())
    wide = jnp.asarray(cells.width)
    place, size = jnp.sign(wide) * jnp.asarray(cells.place), jnp.abs(wide)
    along = jnp.asarray(cells.along) == jnp.arange(len(model.drift))[:, None, None]
    own = along & ((wide > 0) == jnp.array([[False], [True]]))
    edge = jnp.min(jnp.where(own, place, jnp.inf), axis=-1)
    start = jnp.where(own, place - edge[..., None], 0.0)[..., None, :]
    past = jnp.clip((bounds[:, None] - start) / size, 0.0, 1.0) * jnp.sqrt(size)
    motion = jnp.clip(jnp.where(own[..., None, :], past, 0.0) @ increments, -MOST, MOST)
    # Beyond the last cell the pace stays what it is.
    motion = jnp.concatenate([motion, motion[..., -1:, :]], axis=-2)
    width = jnp.diff(bounds, append=bounds[-1] + ENDLESS)[:, None]
    low, step = motion[..., :-1, :], jnp.diff(motion, axis=-2)
    before = jnp.tri(len(bounds), k=-1) @ (width * jnp.exp(low) * _mean_growth(step))
    parts = jnp.broadcast_arrays(bounds[:, None], width, low, step, before)
    return Pace(edge, jnp.stack(parts, axis=-2))


def paced(model: ModelRecord, pace: Pace, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Give the inputs that a law is asked at, over those of the reference run.

    Parameters
    ----------
    model
        Its drifts; those from the reference run are no matter here.
    pace
        Of its drifts, for the runs or for all.
    inputs
        Over those of the reference run, shape (run,) each.

    Returns
    -------
    dict
        As `inputs`.
    """
    moving = [along for along, drift in model.drift.items() if drift.origin == "edge"]
    found = dict(inputs)
    for along in sorted(moving, key=lambda name: -len(factors(inputs, name))):
        own = list(model.drift).index(along)
        moved = _moved(Pace(*(part[own] for part in pace)), distance(found, along, jnp.log))
        names = factors(inputs, along)
        for column in model.law.columns:
            # What is told over an input's reference, unique tokens over tokens', moves too.
            if column.reference in names:
                found[column.name] = found[column.name] * jnp.exp(moved / len(names))
    return found


def _moved(pace: Pace, away: Array) -> Array:
    """Give how many e-folds places are moved by the drift along one input, shape (run,)."""
    right = away >= pace.edge[1]
    beyond = jnp.maximum(jnp.where(right, away - pace.edge[1], -away - pace.edge[0]), 0.0)
    # Cells before that of a place are counted whole, its own in part.
    cell = jnp.sum(beyond[:, None] >= beyond_edge()[1:], axis=1)
    run = jnp.minimum(jnp.arange(len(cell)), pace.cells.shape[-1] - 1)
    begin, width, low, step, before = pace.cells[right.astype(int), cell, :, run].T
    part = jnp.clip((beyond - begin) / width, 0.0, 1.0)
    counted = before + width * part * jnp.exp(low) * _mean_growth(part * step)
    return jnp.where(right, 1.0, -1.0) * jnp.minimum(counted - beyond, FARTHEST)


def _mean_growth(x: Array) -> Array:
    """Give the mean of an exponential that grows from one by a factor exp(x)."""
    small = jnp.abs(x) < 1e-4
    safe = jnp.where(small, 1.0, x)
    found: Array = jnp.where(small, 1.0 + x / 2, jnp.expm1(safe) / safe)
    return found
