"""`crossing`: where two curves meet, and whether they ever do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.curve import far, higher_is_better, inputs_range
from bayescale.ask.kit.solve import solve
from bayescale.ask.kit.two_curves import both_curves, label, pair, some_draws
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, check_interval, intervals, quantiles
from bayescale.base.words import percent, told

if TYPE_CHECKING:
    from bayescale.fits import Fit

AHEAD = 1e3  # times the largest run: as far as a crossing is looked for, unless the call says
LOOKED = 128  # places looked at first


def crossing(
    fit: Fit,
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    *,
    along: str,
    other: Fit | None,
    within: tuple[float, float] | None,
    benchmark: str | None,
    interval: float,
    seed: int,
    given: Mapping[str, Any],
) -> Answer:
    """Find where two curves cross; `Questions.crossing` documents the arguments."""
    check_interval(interval)
    first, second = pair(
        fit, a, b, along=along, other=other, benchmark=benchmark, seed=seed, given=given
    )
    if within is not None and len(within) != 2:
        raise AskError(f"within is a pair, from and to; given: {within!r:.60}")
    low, high = within or (inputs_range(fit, along)[0], AHEAD * inputs_range(fit, along)[1])
    if not 0 < low < high < np.inf:
        raise AskError(
            f"within goes from a positive number to a larger one; given: {low:g}, {high:g}"
        )
    count = min(first.draws, second.draws)
    sign = 1.0 if higher_is_better(fit, first.benchmark) else -1.0

    def gap(x: Floats) -> Floats:
        ahead: Floats = sign * (some_draws(first, x, count) - some_draws(second, x, count))
        return ahead

    grid = np.geomspace(low, high, LOOKED)
    draws = solve(gap, grid, count, rising=None)
    began = gap(grid[None, :1])[:, 0]
    before = float(np.mean((began > 0) + 0.5 * (began == 0)))
    never = float(np.mean(np.isinf(draws)))
    names = label(a, first, other is not None), label(b, second, other is not None)
    row = {
        "a": names[0],
        "b": names[1],
        "along": along,
        "benchmark": first.benchmark,
        **{k: float(v) for k, v in intervals(draws, interval).items()},
        "never": never,
        "probability_a_ahead_at_the_start": before,
        "from": low,
        "to": high,
    }
    met = draws[np.isfinite(draws)]
    place = quantiles(met, 0.5) if len(met) else np.nan
    distant = far("a median crossing", place, first)
    return Answer(
        question="crossing",
        frame=pd.DataFrame([row]),
        draws=draws[:, None],
        sentence=_sentence(row, names, met, interval),
        doubts=tuple(dict.fromkeys([*first.doubts, *second.doubts, *distant])),
        interval=interval,
        picture=both_curves(first, second, names, low, min(high, _shown_to(draws, high)), interval),
        about={"along": along, "benchmark": first.benchmark, "a": names[0], "b": names[1]},
    )


def _shown_to(draws: Floats, high: float) -> float:
    finite = draws[np.isfinite(draws)]
    return 10 * float(quantiles(finite, 0.95)) if len(finite) else high


def _sentence(row: Mapping[str, Any], names: tuple[str, str], met: Floats, interval: float) -> str:
    a, b = names
    ahead, share = max(
        (a, row["probability_a_ahead_at_the_start"]),
        (b, 1 - row["probability_a_ahead_at_the_start"]),
        key=lambda pair: float(pair[1]),
    )
    span = f"between {told(row['from'])} and {told(row['to'])} {row['along']}"
    text = (
        f"With probability {percent(1 - row['never'])} {a} and {b} cross on {row['benchmark']} "
        f"{span}"
    )
    if len(met):
        middle, low, high = map(float, intervals(met, interval).values())
        where = "; where they do" if row["never"] > 0 else ""
        text += (
            f"{where}, the median of where is {told(middle)} ({percent(interval)} interval "
            f"{told(low)} to {told(high)})"
        )
    return f"{text}. At its start {ahead} is ahead with probability {percent(share)}."
