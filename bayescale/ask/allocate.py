"""`allocate`: the best inputs for a budget, in each draw, and what a rival choice would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.best import Best, best_of, one_response
from bayescale.ask.kit.costs import Cost, size, tokens, training
from bayescale.ask.kit.curve import COUNTED, RATIO
from bayescale.ask.kit.optimum import at_edge
from bayescale.ask.kit.rival import against, rival_sentence
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, check_interval, intervals, number, quantiles
from bayescale.base.words import percent, told
from bayescale.predict.queries import beyond
from bayescale.tables.compute import as_read

if TYPE_CHECKING:
    from bayescale.fits import Fit

DECADES = 2.0  # of budgets in the picture, to both sides
BUDGETS = 13  # of the picture
DRAWN = 400  # draws of the picture
LOOSE = 0.25  # share of draws at the end of a range that is worth a word
ENDLESS = 40.0  # logs from the usual value: no best one


def allocate(
    fit: Fit,
    budget: float,
    *,
    served: float | None,
    cost: Cost | None,
    free: Sequence[str],
    rival: Mapping[str, float] | None,
    benchmark: str | None,
    interval: float,
    seed: int,
    given: Mapping[str, Any],
) -> Answer:
    """Find the best inputs; `Questions.allocate` documents the arguments."""
    check_interval(interval)
    if not 0 < number("the budget", budget) < np.inf:
        raise AskError(
            f"the budget must be a positive number of FLOPs, such as 1e24; given: {budget!r}"
        )
    best = best_of(fit, given, free=free, cost=cost, served=served, benchmark=benchmark, seed=seed)
    inputs, loss = best.at(budget)
    if any((~np.isfinite(v) | (v <= 0)).mean() > LOOSE for v in inputs.values()):
        raise AskError(
            f"a budget of {budget:.3g} FLOPs leaves nothing to train with: give a larger one, or "
            "serve fewer tokens"
        )
    response = one_response(fit, benchmark)
    told_of = _quantities(best, inputs, loss, response)
    draws = np.column_stack(list(told_of.values()))
    frame = pd.DataFrame({"quantity": list(told_of), **intervals(draws, interval)})
    about: dict[str, Any] = {"budget": float(budget)}
    doubts = [*best.doubts, *_edges(best, inputs)]
    seen = {name: as_read(fit.table.runs, name) for name in ("flops", *COUNTED)}
    doubts += beyond("a budget", budget, seen["flops"])
    for name in COUNTED:
        if name in told_of:
            doubts += beyond(name, quantiles(told_of[name], 0.5), seen[name])
    sentence = _sentence(told_of, budget, interval)
    if served is not None:
        about["served"] = float(served)
        share = float(quantiles(1 - training({**best.kept, **inputs}) / budget, 0.5))
        sentence += f" Of the budget, {percent(share)} serves {told(served)} tokens."
    if rival is not None:
        other = against(best, told_of, rival, budget)
        frame["rival"] = [other.inputs.get(name, np.nan) for name in frame["quantity"]]
        frame["probability_above_rival"] = [
            float(np.mean(told_of[name] > other.inputs.get(name, np.nan)))
            if name in other.inputs
            else np.nan
            for name in frame["quantity"]
        ]
        sentence += " " + rival_sentence(other, interval)
        about["rival"] = dict(rival)
        about["improbable"] = other.improbable
        for what, values in (("regret", other.regret), ("wasted", other.wasted)):
            about[what] = {k: float(v) for k, v in intervals(values, interval).items()}
    return Answer(
        question="allocate",
        frame=frame,
        draws=draws,
        sentence=sentence,
        doubts=tuple(dict.fromkeys(doubts)),
        interval=interval,
        picture=_picture(best, budget, response, interval),
        about=about,
    )


def _quantities(
    best: Best, inputs: Mapping[str, Floats], loss: Floats, response: str
) -> dict[str, Floats]:
    whole: dict[str, Any] = {**best.kept, **inputs}
    whole |= {k: np.asarray(v, float) for k, v in best.task.tied(whole).items()}
    found = dict(inputs)
    found |= {k: v for k, v in whole.items() if k not in best.kept}
    counted = np.asarray(size(whole)), np.asarray(tokens(whole))
    if "params" not in found and "params_active" not in found:
        found["params"] = counted[0]
    with np.errstate(over="ignore"):  # where the law has no best size
        every = {**found, RATIO: counted[1] / counted[0], response: loss}
    return {name: np.broadcast_to(values, loss.shape) for name, values in every.items()}


def _edges(best: Best, inputs: Mapping[str, Floats]) -> list[str]:
    doubts = []
    for name, low, high in best.task.bounds:
        share = at_edge(inputs[name], (low, high))
        if share > LOOSE:
            doubts.append(
                f"in {percent(share)} of the draws the best {name} is at an end of what was looked "
                f"at ({told(low)} to {told(high)}): the law wants more or less of it than that"
            )
    bounded = {name for name, _, _ in best.task.bounds}
    for name in {*best.task.free, best.task.spent} - bounded:
        share = float(np.mean(np.abs(np.log(inputs[name] / best.start[name])) > ENDLESS))
        if share > 0:
            doubts.append(
                f"in {percent(share)} of the draws the law has no best {name}: it goes on for ever"
            )
    return doubts


def _sentence(told_of: Mapping[str, Floats], budget: float, interval: float) -> str:
    parts = []
    for name, values in told_of.items():
        middle, low, high = map(float, intervals(values, interval).values())
        if name == RATIO:
            parts.append(
                f"{told(middle)} tokens a parameter ({percent(interval)} interval {told(low)} to "
                f"{told(high)})"
            )
        elif name in ("params", "params_active", "tokens"):
            what = name.replace("_", " ")
            parts.append(f"{told(middle)} {what} ({told(low)} to {told(high)})")
    return f"{told(budget)} FLOPs are best spent on {', '.join(parts)}."


def _picture(best: Best, budget: float, response: str, interval: float) -> pd.DataFrame:
    """Give the best inputs over budgets around the one that was asked for."""
    few = best.thinned(DRAWN)
    budgets = budget * 10.0 ** np.linspace(-DECADES, DECADES, BUDGETS)
    inputs, loss = few.at(np.tile(budgets, (few.draws, 1)))
    parts = [
        pd.DataFrame({"budget": budgets, "quantity": name, **intervals(values, interval)})
        for name, values in _quantities(few, inputs, loss, response).items()
    ]
    return pd.concat(parts, ignore_index=True)
