r"""`Drift`: what a law does not know about its own shape along an input.

From the reference run on, a law of a quantity is known up to a factor:

.. math:: \log y = \log f(x) + \sum_k \delta_k(t_k) + \text{noise}, \quad t_k = \log(x_k / x_{k,0})

Each :math:`\delta_k` is a two-sided Brownian motion, integrated once for order two, that is zero
(for order two with its slope) at the reference run: t e-folds away it has the standard deviation
:math:`s_k (t^3 / 3)^{1/2}`, or :math:`s_k t^{1/2}` for order one. Data teach it. What a formula
lacks is its discrepancy in Kennedy and O'Hagan (2001). Skills have theirs added as it is, and may
have it from the edge of the data on.

From the edge of the data on, a law of a quantity holds wherever there are runs, and t counts from
the least and the largest of them. An e-fold beyond counts as :math:`\exp b_k(t)` of them, where
:math:`b_k` is a Brownian motion with the standard deviation :math:`s_k t^{1/2}`: the logarithm of
the local exponent wanders, while what falls keeps falling, above its floor (`models/pace.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array

from bayescale.parts.coefficients import Pooling, Prior

DRIFT, CELL = "drift", "cell"  # the site of increments, and its axis
RELEASED = "released"  # the date of a run, in years
STEP, STEP_OF_DATES = 0.5, 0.25  # e-folds, years that a cell between runs is wide
Order = Literal[1, 2]
Origin = Literal["reference", "edge"]
# Scales that a card does not give. Compute has a smaller one: runs of one budget share a recipe.
# Those of drifts from the edge are what `benchmarks/drift.py` chooses over twelve tables.
AT_EDGE, AT_EDGE_OF_COMPUTE = Prior("positive", 0.4, 2.0), Prior("positive", 0.2, 2.0)
USUAL, USUAL_OF_COMPUTE = Prior("positive", 0.015, 2.0), Prior("positive", 0.004, 2.0)
USUAL_OF_SKILLS, USUAL_OF_DATES = Prior("positive", 0.05, 2.0), Prior("positive", 0.3, 2.0)


@dataclass(frozen=True)
class Drift:
    """A drift along one input.

    Parameters
    ----------
    along
        The input: one of the law's, "flops" where it reads size and tokens, or, of a leaderboard,
        "released", the date in years.
    order
        2: the law's local exponent wanders; 1: its level does (from the reference run alone).
    scale
        Prior of the scale of what all runs share; None where they share nothing. From the reference
        run it is of the log of the response (skills as they are) per root e-fold or year, of its
        exponent for order two; from the edge of the data of the log of the pace per root e-fold,
        where runs scatter by a percent about the law, and it grows with the root of their scatter.
    own
        For groups whose members have a drift for themselves beside it, the prior of its scale.
    origin
        Where it is zero: at the reference run, so that data teach it, or at the edge of the data,
        the least and the largest value among the runs of a fit, and between them.
    """

    along: str
    order: Order
    scale: Prior | None
    own: Mapping[str, Prior] = field(default_factory=dict)
    origin: Origin = "reference"

    @property
    def parts(self) -> dict[str, Pooling]:
        """For "", what all share, and for each group: how the increments are spread."""
        shared = {"": Pooling(self.along, self.scale)} if self.scale else {}
        return shared | {g: Pooling(f"{self.along}_{g}", scale) for g, scale in self.own.items()}


def hinges(order: Any, away: Array, start: Any, width: Any) -> Array:
    """Give what a unit increment of each cell adds at some places.

    A cell starts some e-folds from the reference run and reaches on from it, to the left where its
    width is negative. A unit increment adds the root of the width, linearly over the cell: to the
    level for order one, to the slope for order two.

    Parameters
    ----------
    order
        One or two, of each cell, shape (cell, 1).
    away
        E-folds of each run from the reference run, shape (cell, run).
    start, width
        Of each cell, in e-folds, shape (cell, 1).

    Returns
    -------
    Array
        Shape (cell, run).
    """
    size = jnp.abs(width)
    past = jnp.sign(width) * (away - start)
    level = jnp.clip(past / size, 0.0, 1.0)
    slope = size * level**2 / 2 + jnp.maximum(past - size, 0.0)
    return jnp.sqrt(size) * jnp.where(order == 1, level, slope)
