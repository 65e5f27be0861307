"""How a law drifts: what a card or a call says of it, and what both leave to the usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from bayescale.base.errors import ModelError
from bayescale.base.words import suggest
from bayescale.models.card import Drifting
from bayescale.models.cells import FLOPS, drifting
from bayescale.parts.coefficients import Prior, prior_from_card
from bayescale.parts.drift import (
    AT_EDGE,
    AT_EDGE_OF_COMPUTE,
    RELEASED,
    USUAL,
    USUAL_OF_COMPUTE,
    USUAL_OF_DATES,
    USUAL_OF_SKILLS,
    Drift,
    Order,
    Origin,
)
from bayescale.parts.part import Law


def written_drifts(
    law: Law, given: str | Sequence[str] | Mapping[str, Any], *, dated: bool
) -> dict[str, Any]:
    """Write down what a call says of drift as a card does; the usual one is along dates, too."""
    if isinstance(given, Mapping):
        if odd := [along for along, said in given.items() if not isinstance(said, Mapping)]:
            raise ModelError(
                f"drift along {odd[0]} is what a card says of it, such as "
                f'{{"scale": [0.1, 2.0]}}, or {{}}; given: {given[odd[0]]!r}'
            )
        return dict(given)
    if given == "none":
        return {}
    usual = drifting(law.columns) + [RELEASED] * (law.latent and dated)
    named = usual if given == "usual" else given
    return {along: {} for along in ([named] if isinstance(named, str) else named)}


def drift_from_card(law: Law, along: str, column: str, given: Drifting) -> Drift:
    """Read how a law drifts along an input, or along a column of runs that has another name."""
    usual: Order = 1 if along == RELEASED else 2
    order: Order = usual if given.order is None else 1 if given.order == 1 else 2
    if given.order not in (None, order):
        raise ModelError(f"[drift.{along}] order is 1 or 2; given: {given.order}")
    if given.origin not in ("", *get_args(Origin)):
        raise ModelError(
            f"[drift.{along}] origin is reference or edge; given: {given.origin!r}"
            f"{suggest(given.origin, get_args(Origin))}"
        )
    of_pace = not law.latent and order == 2
    said = given.origin or ("edge" if of_pace else "reference")
    origin: Origin = "edge" if said == "edge" else "reference"
    if origin == "edge" and not (of_pace or law.latent):
        raise ModelError(
            f"[drift.{along}] from the edge of the data the exponent of a law of {law.response} "
            'drifts (order 2): leave out order, or origin = "edge"'
        )
    of = f"[drift.{along}] scale"
    scale = None if given.own else _usual_scale(law, column, origin)
    if given.scale:
        scale = prior_from_card(of, "positive", given.scale)
    own = {g: prior_from_card(f"{of} of {g}", "positive", pair) for g, pair in given.own.items()}
    return Drift(along, order, scale, own, origin)


def _usual_scale(law: Law, column: str, origin: Origin) -> Prior:
    """Give the scale of a drift along a column of runs."""
    if law.latent:
        return USUAL_OF_DATES if column == RELEASED else USUAL_OF_SKILLS
    if origin == "edge":
        return AT_EDGE_OF_COMPUTE if column == FLOPS else AT_EDGE
    return USUAL_OF_COMPUTE if column == FLOPS else USUAL
