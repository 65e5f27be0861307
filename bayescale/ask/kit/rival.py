"""A rival choice beside the best one: what its loss is above, and the compute that it wastes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from bayescale.ask.kit.best import Best
from bayescale.ask.kit.costs import size, tokens
from bayescale.ask.kit.curve import RATIO, positive
from bayescale.ask.kit.solve import solve
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, intervals, quantiles
from bayescale.base.words import percent, quoted, told

OVER = 1.001  # the budget, for a rival that is given with few digits
SPENT = 0.01  # of the budget: what a rival leaves unspent is worth a word
LEAST, STEPS = 1e-12, 24  # of the budget: how little compute a rival's loss is looked for at


@dataclass(frozen=True, eq=False)
class Rival:
    """A choice of inputs beside the best one.

    Parameters
    ----------
    inputs
        Those that were given, and tokens a parameter.
    unspent
        Share of the budget that it leaves.
    regret
        Its loss above the best, shape (draw,).
    wasted
        Share of the budget that the best choice could do without and be as good, shape (draw,).
    fewer
        Probability that fewer tokens a parameter than its are best.
    """

    inputs: dict[str, float]
    unspent: float
    regret: Floats
    wasted: Floats
    fewer: float

    @property
    def improbable(self) -> float:
        """Posterior probability of a ratio at least as far out as its: of both tails."""
        return 2 * min(self.fewer, 1 - self.fewer)


def against(
    best: Best, told_of: Mapping[str, Floats], given: Mapping[str, float], budget: float
) -> Rival:
    """Hold a choice of a user's against the best one.

    Parameters
    ----------
    best
        The law.
    told_of
        The best inputs, with the loss as the last.
    given
        Inputs of the rival, or tokens_per_param alone. Inputs that it does not tell are the best
        ones' medians; the data are what the budget leaves.
    budget
        In FLOPs.

    Raises
    ------
    AskError
        It names other inputs, or costs more than the budget.
    """
    names = (*best.task.free, best.task.spent)
    plan = {name: positive(name, value) for name, value in given.items()}
    ratio = plan.pop(RATIO, None)
    if unknown := [k for k in plan if k not in names]:
        raise AskError(f"a rival chooses among {quoted((*names, RATIO))}; given: {quoted(unknown)}")
    if ratio is not None:
        if plan or "params" not in names:
            raise AskError(f"{RATIO} is a rival by itself, of a law of params and tokens")
        plan = _at_ratio(best, ratio, budget)
    if not plan:
        raise AskError(f"a rival needs one of {quoted((*names, RATIO))}")
    loss = list(told_of.values())[-1]
    whole = {
        **best.kept,
        **{n: plan.get(n, float(quantiles(told_of[n], 0.5))) for n in best.task.free},
    }
    data = plan.get(best.task.spent)
    whole[best.task.spent] = _spent(best, whole, budget) if data is None else data
    price = float(best.task.cost({**whole, **best.task.tied(whole)}))
    if price > budget * OVER:
        raise AskError(f"the rival costs {price:.3g} FLOPs, more than the budget of {budget:.3g}")
    rival_loss = best.loss({n: whole[n] for n in names})
    told_ratio = float(tokens({**whole, **best.task.tied(whole)})) / float(size(whole))
    return Rival(
        {**{n: whole[n] for n in names if n in plan or n == best.task.spent}, RATIO: told_ratio},
        max(1 - price / budget, 0.0),
        rival_loss - loss,
        1 - _enough(best, rival_loss, budget) / budget,
        float(np.mean(told_of[RATIO] < told_ratio)),
    )


def _spent(best: Best, whole: Mapping[str, float], budget: float) -> float:
    def over(log_data: float) -> float:
        inputs = {**whole, best.task.spent: float(np.exp(log_data))}
        return float(np.log(float(best.task.cost({**inputs, **best.task.tied(inputs)})) / budget))

    try:
        return float(np.exp(brentq(over, -50.0, 120.0)))
    except ValueError as error:
        text = f"the rival costs more than the budget of {budget:g} FLOPs by itself"
        raise AskError(text) from error


def _at_ratio(best: Best, ratio: float, budget: float) -> dict[str, float]:
    def over(log_params: float) -> float:
        params = float(np.exp(log_params))
        inputs = {**best.kept, "params": params, "tokens": ratio * params}
        return float(np.log(float(best.task.cost(inputs)) / budget))

    params = float(np.exp(brentq(over, -20.0, 120.0)))
    return {"params": params, "tokens": ratio * params}


def _enough(best: Best, loss: Floats, budget: float) -> Floats:
    """Find the budget at which the best choice has a loss, in each draw."""
    grid = budget * np.geomspace(LEAST, 1.0 + 1e-9, STEPS)
    return solve(lambda x: best.at(x)[1] - loss[:, None], grid, best.draws, rising=False)


def rival_sentence(rival: Rival, interval: float) -> str:
    """Say how probable it is that a rival's ratio is too high, or too low, and what it costs."""
    middle, low, high = map(float, intervals(rival.wasted, interval).values())
    left = ""
    if rival.unspent > SPENT:
        left = f", of which it leaves {percent(rival.unspent)} unspent"
    share, side = max((rival.fewer, "fewer"), (1 - rival.fewer, "more"))
    return (
        f"The rival has {told(rival.inputs[RATIO])} tokens a parameter: with probability "
        f"{percent(share)} {side} are best, and it wastes {percent(middle)} of the compute "
        f"({percent(low)} to {percent(high)}){left}."
    )
