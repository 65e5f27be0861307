"""The best split of a budget under a law, in each draw: for `allocate`, and for pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pandas as pd

from bayescale.ask.kit.choice import choice_of, law_loss
from bayescale.ask.kit.costs import Cost, Inputs
from bayescale.ask.kit.curve import RATIO, Move, one_benchmark
from bayescale.ask.kit.optimum import Task, optimum
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats
from bayescale.base.words import quoted
from bayescale.inference.posterior import Posterior
from bayescale.inference.thinned import thinned
from bayescale.models.drifts import as_coefficients, of_run
from bayescale.models.evaluate import increments, law_coefficients
from bayescale.models.responses import own_responses
from bayescale.predict.predict import ask
from bayescale.predict.surface import number_columns, usual
from bayescale.tables.compute import COMPUTE, DERIVED, FLOPS_PER_TOKEN

# How far from params = tokens, in logs, pictures show a best size; a law without one has it beyond.
REACH = np.log(1e4)


@dataclass(frozen=True, eq=False)
class Best:
    """A law that can be optimised: its draws, its task, and what stays."""

    task: Task
    coefficients: dict[str, Floats]
    start: dict[str, float]
    kept: dict[str, float]
    doubts: tuple[str, ...]

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(next(iter(self.coefficients.values())))

    def at(self, budget: Any) -> tuple[dict[str, Floats], Floats]:
        """Give the best inputs, and the loss there.

        Parameters
        ----------
        budget
            Of all draws, of each, or several of each, shape (draw,) or (draw, budget).

        Returns
        -------
        inputs, loss
            Shape (draw,) or (draw, budget).
        """
        money = np.asarray(budget, float)
        shape = (self.draws, *money.shape[1:])
        wide = np.broadcast_to(money, shape)
        each = {
            name: np.repeat(values, wide.size // self.draws, axis=0)
            for name, values in self.coefficients.items()
        }
        found, loss = optimum(self.task, each, wide.ravel(), self.start, self.kept)
        return {name: values.reshape(shape) for name, values in found.items()}, loss.reshape(shape)

    def thinned(self, most: int) -> Best:
        """Keep evenly spaced draws, `most` of them at most."""
        return replace(self, coefficients=thinned(self.coefficients, most))

    def loss(self, inputs: Mapping[str, Any]) -> Floats:
        """Give the law's response at inputs of a user's choice, shape (draw,)."""
        known = {**self.kept, **inputs}
        known |= self.task.tied(known)
        wide = {k: np.broadcast_to(np.asarray(v, float), (self.draws,)) for k, v in known.items()}
        with jax.enable_x64(True):
            return np.asarray(jax.vmap(self.task.loss)(wide, self.coefficients))


def one_response(fit: Posterior, benchmark: str | None) -> str:
    """Give the response that a law itself gives.

    Raises
    ------
    AskError
        The fit is of a leaderboard, or the benchmark is a score behind a link.
    """
    own = own_responses(fit.model, fit.table)
    if not own:
        raise AskError(
            f"{fit.model.name} is a model of a leaderboard, whose skills rise with the logs of "
            "params and tokens: it has no best split of a budget. Fit a law of a loss, such as "
            "chinchilla, to runs of your own, and ask that"
        )
    if benchmark is None and len(own) == 1:
        return own[0]
    mark = one_benchmark(fit, benchmark)
    if mark not in own:
        raise AskError(
            f"a budget is split by the loss, and {mark} is a score; ask for {quoted(own)}"
        )
    return mark


def best_of(
    fit: Posterior,
    given: Mapping[str, Any],
    *,
    free: Sequence[str] = (),
    cost: Cost | None = None,
    served: float | None = None,
    benchmark: str | None = None,
    seed: int = 0,
) -> Best:
    """Prepare a law for its optimum.

    Raises
    ------
    AskError
        The law has no inputs to choose among, its costs are not known, or an input is none of its.
    """
    mark = one_response(fit, benchmark)
    choice = choice_of(fit, given, free=free, cost=cost, served=served)
    asked = ask(fit, pd.DataFrame([choice.run]), one={}, seed=seed)
    grid = asked.layout.grid
    position = [str(fit.table.benchmarks.index[j]) for j in grid.own].index(mark)
    sites, new = asked.layout.sites, asked.layout.new
    coefficients = law_coefficients(
        fit.model, grid, sites, response=position, seed=seed, members=new
    )
    if fit.model.drift:
        moved = increments(fit.model, grid, sites, seed=seed, members=new)
        coefficients |= as_coefficients(fit.model, moved * of_run(fit.model, grid, 0), grid.cells)
    doubts = tuple(d for d in asked.doubts if "beyond" not in d)
    return Best(choice.task, coefficients, choice.start, choice.kept, doubts)


def best_path(
    fit: Posterior, want: str, given: Mapping[str, Any], *, benchmark: str | None, seed: int
) -> Move:
    """Give the path of best splits: from values of `want` to the inputs of each draw.

    Raises
    ------
    AskError
        `want` is not compute, or see `best_of`.
    """
    if want != "flops":
        raise AskError(
            f'rule="optimal" splits compute, and is asked along flops, not {want}; the answer of '
            "allocate at that budget tells params and tokens"
        )
    held = {k: v for k, v in given.items() if v is not None and k != RATIO}
    if more := [k for k in given if k in ("params", "tokens", RATIO) and given[k] is not None]:
        raise AskError(f'rule="optimal" chooses size and data: leave out {quoted(more)}')
    best = best_of(fit, held, benchmark=benchmark, seed=seed)

    def move(values: Floats) -> dict[str, Any]:
        if len(values) == 1 and best.draws > 1:  # any place will do
            return {n: v[:1] for n, v in best.at(np.repeat(values, best.draws, axis=0))[0].items()}
        return best.at(values)[0]

    return move


def best_sizes(
    fit: Posterior,
    draws: Mapping[str, Floats],
    budgets: Floats,
    at: Mapping[str, float] | None = None,
) -> tuple[Floats, Floats]:
    """Find the size at which a law is least for a compute budget, with C = 6 N D.

    It is what `allocate` finds where all but params and tokens is held.

    Parameters
    ----------
    fit
        A fit of a law of two of params, tokens, flops and multiplier.
    draws
        Draws of its coefficients, as `few_draws` gives them.
    budgets
        FLOPs, shape (budget,).
    at
        Values of other inputs; by default those of the reference run.

    Returns
    -------
    params, response : array
        Shape (draw, budget). A draw without a best size gives an end of what pictures show; where
        `at` holds one of the four, there is nothing to choose, and all are NaN.
    """
    count = len(next(iter(draws.values())))
    if COMPUTE.keys() & (at or {}).keys():
        nothing = np.full((count, len(budgets)), np.nan)
        return nothing, nothing
    kept = dict(at or {})
    for name in number_columns(fit.model):
        follows = name in DERIVED and name not in fit.table.inputs  # as it does in the fit
        if name not in COMPUTE and name not in kept and not follows:
            kept[name] = usual(fit.model, fit.table, name)
    middle = np.sqrt(budgets / FLOPS_PER_TOKEN)
    task = Task(law_loss(fit.model), _six_nd, ("params",), "tokens")
    best = Best(task, dict(draws), dict.fromkeys(("params", "tokens"), middle[0]), kept, ())
    inputs, loss = best.at(np.tile(budgets, (count, 1)))
    return np.clip(inputs["params"], middle * np.exp(-REACH), middle * np.exp(REACH)), loss


def has_best_size(params: Floats, budget: float) -> bool:
    """Whether draws of a best size have their median inside what pictures show."""
    middle = np.median(params) / np.sqrt(budget / FLOPS_PER_TOKEN)
    return bool(abs(np.log(middle)) < 0.99 * REACH)


def _six_nd(inputs: Inputs) -> Any:
    return FLOPS_PER_TOKEN * inputs["params"] * inputs["tokens"]
