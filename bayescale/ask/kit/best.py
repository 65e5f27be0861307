"""The best split of a budget under a law: what is chosen, what stays, and the draws of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayescale.ask.kit.costs import DATA, SIZES, Cost, Inputs, serving, usual_cost
from bayescale.ask.kit.curve import RATIO, Move, inputs_range, one_benchmark, positive
from bayescale.ask.kit.optimum import Task, optimum
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, number
from bayescale.base.words import quoted, suggest
from bayescale.models.evaluate import law_coefficients
from bayescale.models.model import Model
from bayescale.models.rows import Rows
from bayescale.predict.predict import ask
from bayescale.tables.compute import completed
from bayescale.tables.frames import ACCURACY

if TYPE_CHECKING:
    from bayescale.fits import Fit

# Chosen unless they are given; what else a law reads stays at its usual value.
CHOSEN = (*SIZES, "depth", "vocabulary_params", "learning_rate", "batch")
VOCABULARY, VOCABULARY_PARAMS = "vocabulary", "vocabulary_params"
Tied = Callable[[Mapping[str, Any]], dict[str, Any]]


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
        """Keep every so many draws, `most` of them at most."""
        step = -(-self.draws // most)
        few = {name: values[::step] for name, values in self.coefficients.items()}
        return replace(self, coefficients=few)

    def loss(self, inputs: Mapping[str, Any]) -> Floats:
        """Give the law's response at inputs of a user's choice, shape (draw,)."""
        known = {**self.kept, **inputs}
        known |= self.task.tied(known)
        with jax.enable_x64(True):
            return np.broadcast_to(
                np.asarray(self.task.loss(known, self.coefficients)), (self.draws,)
            )


def one_response(fit: Fit, benchmark: str | None) -> str:
    """Give the response that a law itself gives.

    Raises
    ------
    AskError
        The fit is of a leaderboard, or the benchmark is a score behind a link.
    """
    if fit.model.of_leaderboard:
        raise AskError(
            f"{fit.model.name} is a model of a leaderboard, whose skills rise with the logs of "
            "params and tokens: it has no best split of a budget. Fit a law of a loss, such as "
            "chinchilla, to runs of your own, and ask that"
        )
    units = fit.table.benchmarks["unit"].items()
    own = [str(n) for n, unit in units if not (fit.model.link and unit == ACCURACY)]
    if benchmark is None and len(own) == 1:
        return own[0]
    mark = one_benchmark(fit, benchmark)
    if mark not in own:
        raise AskError(
            f"a budget is split by the loss, and {mark} is a score; ask for {quoted(own)}"
        )
    return mark


def _try_out(cost: Cost, inputs: Mapping[str, float]) -> None:
    """Refuse a cost of the user's that cannot be called."""
    try:
        cost(inputs)
    except (TypeError, KeyError) as error:
        raise AskError(
            f"cost is called with one mapping, from {quoted(inputs)} to numbers, as in: "
            'def cost(inputs): return 6 * inputs["params"] * inputs["tokens"]. '
            f"It gave {type(error).__name__}: {error}"
        ) from error


def best_of(
    fit: Fit,
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
    model = fit.model
    odd = [c.kind for c in model.law.columns if c.kind in ("series", "mixture")]
    if odd:
        raise AskError(f"{model.law.name} reads a {odd[0]}, which a budget does not choose")
    if model.law.response == "optimum":
        raise AskError(
            f"{model.law.name} gives a best choice itself: ask `predict` for it at a budget"
        )
    raw = _chosen_by([c.name for c in model.law.columns])
    if cost is not None and served is not None:
        raise AskError("give cost= or served=, not both: a cost of your own counts what it likes")
    if served is not None and not 0 < number("served", served) < np.inf:
        raise AskError(f"served must be a positive number of tokens; given: {served:g}")
    used = cost or usual_cost(raw, model.law.name)
    if cost is not None:
        _try_out(cost, {n: _usual(fit, n) for n in raw})
    if served is not None:
        used = serving(float(served))
    usual = {n: _usual(fit, n) for n in raw}
    groups = {k: v for k, v in given.items() if k in fit.table.groups}
    flags = {c.name for c in model.law.columns if c.kind == "flag"}
    fixed = {
        k: float(v) if k in flags else positive(k, v)
        for k, v in given.items()
        if v is not None and k not in groups
    }
    tied: Tied = dict
    if VOCABULARY in raw:
        width = fixed.pop("width", usual[VOCABULARY_PARAMS] / usual[VOCABULARY])
        tied = _vocabulary(width)
        if VOCABULARY in fixed:
            fixed[VOCABULARY_PARAMS] = fixed.pop(VOCABULARY) * width
        raw.remove(VOCABULARY)
    if unknown := [n for n in (*fixed, *free) if n not in raw]:
        hint = suggest(unknown[0], raw)
        raise AskError(
            f"{model.law.name} has no input {quoted(unknown)}{hint}; it has {quoted(raw)}"
        )
    spent = next((n for n in DATA if n in raw and n not in fixed), None)
    chosen = [n for n in raw if n != spent and n not in fixed and (n in CHOSEN or n in free)]
    chosen.sort(key=lambda n: [*CHOSEN, *free].index(n))
    if spent is None or not chosen:
        raise AskError(
            f"a budget is split between size and data: of {quoted(raw)} two must be free, one of "
            f"them the data; held are {quoted(fixed) or 'none'}"
        )
    kept = {n: fixed.get(n, usual[n]) for n in raw if n not in chosen and n != spent}
    loss = _law_loss(model)
    bounds = tuple((n, *_range(fit, n)) for n in chosen if n not in CHOSEN)
    task = Task(loss, used, tuple(chosen), spent, bounds, tied)
    row = _consistent({**usual, **fixed, **groups}, [c.name for c in model.law.columns])
    names = {model.inputs.get(k, k): v for k, v in row.items()}
    asked = ask(fit, pd.DataFrame([names]), one={}, seed=seed)
    assert isinstance(asked.layout.design, Rows)  # a law of a quantity
    design = asked.layout.design
    position = [str(fit.table.benchmarks.index[j]) for j in design.own].index(mark)
    coefficients = law_coefficients(
        model, design, asked.layout.sites, response=position, seed=seed, members=asked.layout.new
    )
    doubts = tuple(d for d in asked.doubts if "beyond" not in d)
    return Best(task, coefficients, usual, kept, doubts)


def best_path(
    fit: Fit, want: str, given: Mapping[str, Any], *, benchmark: str | None, seed: int
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


def _chosen_by(columns: list[str]) -> list[str]:
    """Name inputs as they are chosen: compute and its ratio are params and tokens."""
    if {"flops", "multiplier"} & set(columns):
        rest = [n for n in columns if n not in ("flops", "multiplier", "params", "tokens")]
        return ["params", "tokens", *rest]
    return list(columns)


@lru_cache(maxsize=64)
def _law_loss(model: Model) -> Any:
    """Give the law as a function of inputs in the table's units."""

    def loss(inputs: Inputs, coefficients: Mapping[str, Any]) -> Any:
        known = dict(inputs)
        if "params" in known and "tokens" in known:
            known.setdefault("flops", 6.0 * known["params"] * known["tokens"])
            known.setdefault("multiplier", known["tokens"] / known["params"])
        values = []
        for column in model.law.columns:
            scale = 1.0 if column.reference is None else model.reference[column.reference]
            values.append(jnp.asarray(known[column.name]) / scale)
        return model.law(*values, **coefficients)

    return loss


def _usual(fit: Fit, name: str) -> float:
    """Give a value that a run of the fit may have."""
    reference = fit.model.reference.get(name)
    if reference is not None:
        return float(reference)
    low, high = inputs_range(fit, fit.model.inputs.get(name, name))
    return float(np.sqrt(low * high)) if low > 0 else 1.0


def _range(fit: Fit, name: str) -> tuple[float, float]:
    """Give the range that a bounded input is chosen from: what is usual, and what the fit saw."""
    column = next(c for c in fit.model.law.columns if c.name == name)
    low, high = inputs_range(fit, fit.model.inputs.get(name, name))
    return min(column.low, low), max(column.high, high)


def _vocabulary(width: float) -> Tied:
    """Tie the size of a vocabulary to its params: their ratio is the model's width."""
    return lambda x: {VOCABULARY: x[VOCABULARY_PARAMS] / width}


def _consistent(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Describe a place by what a law reads: compute and ratio where it reads these."""
    if not {"flops", "multiplier"} & set(columns):
        return dict(row)
    both = completed({"params": row["params"], "tokens": row["tokens"]})
    kept = {k: v for k, v in row.items() if k not in ("params", "tokens") or k in columns}
    return kept | {k: both[k] for k in ("flops", "multiplier") if k in columns}
