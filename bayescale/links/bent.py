"""A logistic link whose slope wanders away from the pivot, below a ceiling that is known."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
from jax import Array

from bayescale.links.logistic import logistic
from bayescale.parts.coefficients import fraction, positive, real
from bayescale.parts.declare import link
from bayescale.parts.drift import hinges

KNOTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # logits from the pivot, between which the slope changes
WANDERS = 0.2  # standard deviation of the slope a logit away, per root logit


def _bend(meaning: str) -> object:
    return real(0.0, 1.0, "benchmark", unit="1", meaning=f"change of slope {meaning}")


@link(source="logistic; its discrepancy as in Kennedy and O'Hagan 2001")
def bent(
    latent: Array,
    pivot: Array,
    chance: Array,
    top: Array,
    *,
    ceiling: Annotated[
        Array,
        fraction(0.98, 0.5, "benchmark", unit="1", meaning="share of the room above reference"),
    ],
    shape: Annotated[
        Array, positive(1.0, 1.65, "benchmark", unit="1", meaning="asymmetry; 1 is the logistic")
    ],
    up_1: Annotated[Array, _bend("up to half a logit above the pivot")],
    up_2: Annotated[Array, _bend("half a logit to one above")],
    up_3: Annotated[Array, _bend("one to two above")],
    up_4: Annotated[Array, _bend("two to four above")],
    up_5: Annotated[Array, _bend("four to eight above")],
    down_1: Annotated[Array, _bend("up to half a logit below the pivot")],
    down_2: Annotated[Array, _bend("half a logit to one below")],
    down_3: Annotated[Array, _bend("one to two below")],
    down_4: Annotated[Array, _bend("two to four below")],
    down_5: Annotated[Array, _bend("four to eight below")],
) -> Array:
    r"""Give the expected score: `logistic` of a latent score that drifts from the pivot on.

    .. math:: p = \text{logistic}(\eta + B(\eta - \eta_0))

    with B a two-sided Brownian motion, integrated once, zero with its slope at the pivot.

    Parameters
    ----------
    latent
        In logits, shape (benchmark, ...).
    pivot
        Latent value at the reference run, shape (benchmark, 1).
    chance, top
        Score of guessing and largest possible score, shape (benchmark, 1).
    ceiling, shape
        As of `logistic`, shape (benchmark, 1).
    up_1, up_2, up_3, up_4, up_5, down_1, down_2, down_3, down_4, down_5
        Increments of the slope, shape (benchmark, 1).

    Returns
    -------
    Array
        Expected score, shape (benchmark, ...).
    """
    away = latent - pivot
    bends = ((up_1, down_1), (up_2, down_2), (up_3, down_3), (up_4, down_4), (up_5, down_5))
    moved = jnp.zeros(())
    for start, end, (up, down) in zip(KNOTS, KNOTS[1:], bends, strict=False):
        moved = moved + up * hinges(2, away, start, end - start)
        moved = moved + down * hinges(2, away, -start, start - end)
    bent_latent = latent + WANDERS * moved
    found: Array = logistic.function(bent_latent, pivot, chance, top, ceiling=ceiling, shape=shape)
    return found
