"""`gain`: how much of an input one family, corpus or law is worth in another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.curve import far, first_reached
from bayescale.ask.kit.two_curves import both_curves, evenly, label, pair, some_draws
from bayescale.base.errors import AskError
from bayescale.base.intervals import check_interval, intervals, number, quantiles
from bayescale.base.words import percent, told

if TYPE_CHECKING:
    from bayescale.fits import Fit

NEGLIGIBLE = 1e-3  # a gain below is as good as none
MOST = 1e6  # of a gain that the picture shows


def gain(
    fit: Fit,
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    *,
    at: float,
    along: str,
    other: Fit | None,
    benchmark: str | None,
    interval: float,
    seed: int,
    given: Mapping[str, Any],
) -> Answer:
    """Find what `b` needs to be as good as `a`; `Questions.gain` documents the arguments."""
    check_interval(interval)
    if not 0 < number("at", at) < np.inf:
        raise AskError(f"at must be a positive value of {along}; given: {at}")
    first, second = pair(
        fit, a, b, along=along, other=other, benchmark=benchmark, seed=seed, given=given
    )
    count = min(first.draws, second.draws)
    here = evenly(second.draws, count)
    goals = some_draws(first, np.full((1, 1), float(at)), count)[:, 0]
    goal = np.resize(goals, second.draws)
    goal[here] = goals
    draws = first_reached(second, goal)[here] / at
    names = label(a, first, other is not None), label(b, second, other is not None)
    row: dict[str, Any] = {
        "a": names[0],
        "b": names[1],
        "along": along,
        "benchmark": first.benchmark,
        "at": float(at),
        **{f"gain_{k}": float(v) for k, v in intervals(draws, interval).items()},
        "probability_above_1": float(np.mean(draws > 1)),
        "never": float(np.mean(np.isinf(draws))),
    }
    sentence = _sentence(row, names, interval)
    finite = draws[np.isfinite(draws)]
    end = at * float(np.clip(quantiles(finite, 0.5), 1.0, MOST)) if len(finite) else at
    return Answer(
        question="gain",
        frame=pd.DataFrame([row]),
        draws=draws[:, None],
        sentence=sentence,
        doubts=tuple(
            dict.fromkeys(
                [
                    *first.doubts,
                    *second.doubts,
                    *far(along, at, first),
                    *far(along, at * quantiles(draws, 0.5), second),
                ]
            )
        ),
        interval=interval,
        picture=both_curves(first, second, names, at / 30, 30 * end, interval),
        about={"along": along, "at": float(at), "benchmark": first.benchmark},
    )


def _sentence(row: Mapping[str, Any], names: tuple[str, str], interval: float) -> str:
    ends = (row[f"gain_{k}"] for k in (f"lower_{interval:g}", "median", f"upper_{interval:g}"))
    low, middle, high = map(_times, ends)
    text = (
        f"On {row['benchmark']}, {told(row['at'])} {row['along']} of {names[0]} are worth {middle} "
        f"as many of {names[1]} ({percent(interval)} interval {low} to {high}); with probability "
        f"{percent(row['probability_above_1'])} more than as many."
    )
    if row["never"] > 0:
        text += f" With probability {percent(row['never'])} {names[1]} never gets there."
    return text


def _times(value: float) -> str:
    if np.isinf(value):
        return "any number of times"
    return "almost none" if value < NEGLIGIBLE else f"{told(value)} times"
