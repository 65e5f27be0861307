"""Two curves of one kind: of two families, two members of a group, or two fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.ask.kit.curve import Curve, path_curve
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, intervals
from bayescale.base.words import quoted, told
from bayescale.inference.posterior import Posterior
from bayescale.models.record import group_names
from bayescale.predict.queries import query_columns

SHOWN = 60  # points of the picture


def pair(
    fit: Posterior,
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    *,
    along: str,
    other: Posterior | None,
    benchmark: str | None,
    seed: int,
    given: Mapping[str, Any],
) -> tuple[Curve, Curve]:
    """Give the curves of two families, members of a group, or fits, along one input.

    Raises
    ------
    AskError
        They are the same, or measured on different scales, or see `path_curve`.
    """
    if other is None and dict(a) == dict(b):
        raise AskError(
            f"two different things are needed to compare, and both are {dict(a)!r}: name two "
            "families, or two members of a group, or give other= a second fit"
        )
    for one, who in ((fit, a), (other or fit, b)):
        asked = {*query_columns(one.model, one.table)} & {*one.table.groups}
        if idle := {*who} & asked - {*group_names(one.model)}:
            raise AskError(
                f"{one.model.name} does not tell members of {quoted(sorted(idle))} apart: fit with "
                "pool= of it, which gives them coefficients of their own"
            )
    first = path_curve(fit, along, {**given, **a}, benchmark=benchmark, seed=seed)
    second = path_curve(other or fit, along, {**given, **b}, benchmark=benchmark, seed=seed)
    if first.rising != second.rising:
        raise AskError(f"{first.benchmark} and {second.benchmark} are not on one scale")
    return first, second


def label(who: Mapping[str, Any], curve: Curve, with_model: bool) -> str:
    """Name a curve by what tells it from the other."""
    words = [
        f"{told(float(value))} {name}" if isinstance(value, int | float) else str(value)
        for name, value in who.items()
    ]
    return ", ".join([*words, curve.fit.model.name] if with_model or not words else words)


def some_draws(curve: Curve, x: Floats, count: int) -> Floats:
    """Evaluate a curve for some of its draws: two fits may have different numbers of them."""
    at = evenly(curve.draws, count)
    wide = x
    if len(x) > 1:
        wide = np.broadcast_to(x[:1], (curve.draws, x.shape[1])).copy()
        wide[at] = x
    return curve(wide)[at]


def evenly(draws: int, count: int) -> NDArray[np.int_]:
    """Choose so many of the draws, from all chains alike."""
    return np.arange(count) * draws // count


def both_curves(
    first: Curve, second: Curve, names: tuple[str, str], low: float, high: float, interval: float
) -> pd.DataFrame:
    """Give what a picture of two curves shows."""
    grid = np.geomspace(low, max(high, 10 * low), SHOWN)
    parts = []
    for curve, name in zip((first, second), names, strict=True):
        summary = intervals(curve(grid[None, :]), interval)
        parts.append(pd.DataFrame({"of": name, first.along: grid, **summary}))
    return pd.concat(parts, ignore_index=True)
