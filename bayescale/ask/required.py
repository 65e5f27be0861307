"""`required`: how much of an input it takes to reach a score or a loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.best import best_path
from bayescale.ask.kit.curve import (
    OPTIMAL,
    Curve,
    enough_before,
    far,
    first_reached,
    higher_is_better,
    inputs_range,
    path_curve,
)
from bayescale.base.errors import AskError
from bayescale.base.intervals import check_interval, intervals, number, quantiles
from bayescale.base.words import percent, told
from bayescale.inference.posterior import Posterior
from bayescale.models.responses import own_responses

SHOWN = 60  # points of the picture's curve


def required(
    fit: Posterior,
    target: float,
    want: str = "flops",
    *,
    probability: float = 0.9,
    benchmark: str | None = None,
    rule: str | None = None,
    interval: float = 0.9,
    seed: int = 0,
    **given: Any,
) -> Answer:
    r"""Find how many params, tokens or FLOPs it takes to reach a score or a loss.

    .. math:: \min \{x : P(f(x) \text{ reaches the target}) \ge p\}

    It is solved in each draw by itself, where it may be that no amount ever does.

    Parameters
    ----------
    target
        The score, in [0, 1], or the loss. It is the expected one that is to reach it.
    want
        "flops", "params", "tokens", or another input of a law.
    probability
        How sure to be.
    benchmark
        Of what; may be left out where the fit has one response.
    rule
        "optimal", with `want` "flops": along each draw's own best split of each budget.
    interval
        Probability of the central interval of the amount.
    seed
        Seed of what is drawn anew.
    given
        How size and data go together: tokens_per_param, or one of params, tokens, flops. Other
        inputs; a family, or members of groups.

    Returns
    -------
    Answer
        `.frame`: `enough`, the amount that suffices with the probability; median and interval
        of the amount that is needed; `never`, the probability that none suffices under this
        law. `.draws`, shape (draw, 1), infinite for never.

    Raises
    ------
    AskError
        The law has no such input, the target lies outside floor and ceiling, inputs are missing
        or contradict each other, a probability is none.

    Examples
    --------
    >>> fit.required(0.8, "params", benchmark="MMLU", family="qwen2", tokens=15e12)
    ... # doctest: +SKIP
    """
    check_interval(interval)
    check_interval(probability, "probability")
    number("the target", target)
    if rule not in (None, OPTIMAL):
        raise AskError(f'rule must be "{OPTIMAL}" or left out; given: {rule!r}')
    move = best_path(fit, want, given, benchmark=benchmark, seed=seed) if rule else None
    splits = bool(own_responses(fit.model, fit.table))  # by a loss, and scores have none
    curve = path_curve(fit, want, given, benchmark=benchmark, seed=seed, move=move, optimal=splits)
    check_target(curve, target)
    draws = first_reached(curve, float(target))
    enough = float(quantiles(draws, probability))
    never = float(np.mean(np.isinf(draws)))
    row = {
        "quantity": want,
        "benchmark": curve.benchmark,
        "target": float(target),
        "probability": probability,
        "enough": enough,
        **{name: float(value) for name, value in intervals(draws, interval).items()},
        "never": never,
    }
    doubts = [*curve.doubts]
    if np.isfinite(enough):
        doubts += far(want, enough, curve)
    start = enough_before(curve, float(target), draws)
    if start.any():
        middle = told(float(quantiles(draws[start], 0.5)))
        doubts.append(
            f"in {percent(float(start.mean()))} of the draws the target is reached with less than "
            f"was looked at: {middle} {want} there, in the median"
        )
    return Answer(
        question="required",
        frame=pd.DataFrame([row]),
        draws=draws[:, None],
        sentence=_sentence(curve, row, interval),
        doubts=tuple(doubts),
        interval=interval,
        picture=_picture(curve, draws),
        about={"want": want, "target": float(target), "benchmark": curve.benchmark},
    )


def check_target(curve: Curve, target: float) -> None:
    """Refuse a target that no run can have, whatever the law.

    Raises
    ------
    AskError
        It is no number, or not between the benchmark's floor and ceiling.
    """
    if not np.isfinite(target):
        raise AskError(f"the target must be a number; given: {target}")
    mark = curve.fit.table.benchmarks.loc[curve.benchmark]
    if higher_is_better(curve.fit, curve.benchmark):
        low = float(np.nan_to_num(mark["chance"], nan=0.0))
        high = float(np.nan_to_num(mark["ceiling"], nan=1.0))
        percent_hint = "; give 0.7, not 70" if 1 < target <= 100 else ""
        if not low < target < high:
            raise AskError(
                f"{curve.benchmark} lies between {low:g} (chance) and {high:g} (the best there "
                f"can be), and the target is {target:g}{percent_hint}"
            )
    elif curve.fit.model.noise.positive and target <= 0:
        raise AskError(f"{curve.benchmark} is positive; the target is {target:g}")


def _sentence(curve: Curve, row: Mapping[str, Any], interval: float) -> str:
    verb = "reach" if curve.rising else "get down to"
    goal = f"{curve.benchmark} of {row['target']:g}"
    want, sure = row["quantity"], percent(row["probability"])
    if np.isinf(row["enough"]):
        text = f"Under this law no {want} {verb} {goal} with probability {sure}"
        text += f": with probability {percent(row['never'])} none ever do."
        if np.isfinite(row["median"]):
            text += f" As likely as not it takes {told(row['median'])} or fewer."
        return text
    low, high = row[f"lower_{interval:g}"], row[f"upper_{interval:g}"]
    text = (
        f"{told(row['enough'])} {want} {verb} {goal} with probability {sure} (median "
        f"{told(row['median'])}, {percent(interval)} interval {told(low)} to {told(high)})."
    )
    if row["never"] > 0:
        text += f" With probability {percent(row['never'])} no {want} ever do under this law."
    return text


def _picture(curve: Curve, draws: Any) -> pd.DataFrame:
    """Give the probability that each value is enough."""
    finite = draws[np.isfinite(draws)]
    low, high = (
        quantiles(finite, [0.002, 0.99]) if len(finite) else inputs_range(curve.fit, curve.along)
    )
    values = np.geomspace(low / 1.5, high * 1.5, SHOWN)
    reached = [float(np.mean(draws <= value)) for value in values]
    return pd.DataFrame({curve.along: values, "probability": reached})
