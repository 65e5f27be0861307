"""What a budget chooses of a law's inputs, what takes the rest of it, and what stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from bayescale.ask.kit.costs import DATA, SIZES, Cost, Inputs, serving, usual_cost
from bayescale.ask.kit.curve import inputs_range, positive
from bayescale.ask.kit.optimum import STARTS, STARTS_OF_DRIFT, Task
from bayescale.base.errors import AskError
from bayescale.base.intervals import number
from bayescale.base.words import quoted, suggest
from bayescale.inference.posterior import Posterior
from bayescale.models.drifts import law_at
from bayescale.models.inputs import at_reference
from bayescale.models.model import Model
from bayescale.tables.compute import ACTIVE, completed

# Chosen unless they are given; what else a law reads stays at its usual value.
CHOSEN = (*SIZES, "depth", "vocabulary_params", "learning_rate", "batch")
VOCABULARY, VOCABULARY_PARAMS = "vocabulary", "vocabulary_params"
UNIQUE = "unique_tokens"
NEAR = 100.0  # times the runs of the fit, to both sides
Tied = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Choice:
    """A law under a budget.

    Parameters
    ----------
    task
        What to optimise.
    start
        A usual value of each input.
    kept
        Inputs that stay.
    run
        A run with usual values of what is chosen, as a query.
    """

    task: Task
    start: dict[str, float]
    kept: dict[str, float]
    run: dict[str, Any]


def choice_of(
    fit: Posterior,
    given: Mapping[str, Any],
    *,
    free: Sequence[str],
    cost: Cost | None,
    served: float | None,
) -> Choice:
    """Split a law's inputs into what is chosen, what takes the rest, and what stays.

    Raises
    ------
    AskError
        The law has no inputs to choose among, its costs are not known, or an input is none of its.
    """
    model = fit.model
    columns = [c.name for c in model.law.columns]
    _check_choosable(model)
    raw = _chosen_by(columns)
    usual = {n: _usual(fit, n) for n in raw}
    used = _cost_of(model, usual, cost, served)
    groups, fixed = _told_apart(fit, given)
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
    chosen, spent = _chosen(raw, fixed, free)
    kept = {n: fixed.get(n, usual[n]) for n in raw if n not in chosen and n != spent}
    if UNIQUE not in fixed and model.inputs.get(UNIQUE, UNIQUE) not in fit.table.inputs:
        kept.pop(UNIQUE, None)  # the fit took each token to be read once, so the best run does
    bounds = tuple((n, *_range(fit, n)) for n in chosen if n not in CHOSEN)
    starts = STARTS_OF_DRIFT if model.learns_drift else STARTS
    if model.learns_drift:  # a curve that turns has a best place near the data, and one at no end
        bounds += tuple((n, *_near(fit, n)) for n in chosen if n in CHOSEN)
    run = _consistent({**usual, **fixed, **groups}, columns)
    return Choice(
        Task(law_loss(model), used, chosen, spent, bounds, tied, starts),
        usual,
        kept,
        {model.inputs.get(k, k): v for k, v in run.items()},
    )


def _check_choosable(model: Model) -> None:
    odd = [c.kind for c in model.law.columns if c.kind in ("series", "mixture")]
    if odd:
        raise AskError(f"{model.law.name} reads a {odd[0]}, which a budget does not choose")
    if model.law.response == "optimum":
        raise AskError(
            f"{model.law.name} gives a best choice itself: ask `predict` for it at a budget"
        )


def _cost_of(
    model: Model, usual: Mapping[str, float], cost: Cost | None, served: float | None
) -> Cost:
    """Give the cost that was asked for, or that of training, after a look at whether it works."""
    if cost is not None and served is not None:
        raise AskError("give cost= or served=, not both: a cost of your own counts what it likes")
    if served is not None and not 0 < number("served", served) < np.inf:
        raise AskError(f"served must be a positive number of tokens; given: {served:g}")
    if cost is not None:
        _try_out(cost, usual)
        return cost
    training = usual_cost(list(usual), model.law.name)
    return training if served is None else serving(float(served))


def _try_out(cost: Cost, inputs: Mapping[str, float]) -> None:
    """Refuse a cost of the user's that cannot be called."""
    try:
        cost(dict(inputs))
    except (TypeError, KeyError) as error:
        raise AskError(
            f"cost is called with one mapping, from {quoted(inputs)} to numbers, as in: "
            'def cost(inputs): return 6 * inputs["params"] * inputs["tokens"]. '
            f"It gave {type(error).__name__}: {error}"
        ) from error


def _told_apart(
    fit: Posterior, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Tell members of groups from inputs that are held."""
    groups = {k: v for k, v in given.items() if k in fit.table.groups}
    flags = {c.name for c in fit.model.law.columns if c.kind == "flag"}
    fixed = {
        k: float(v) if k in flags else positive(k, v)
        for k, v in given.items()
        if v is not None and k not in groups
    }
    return groups, fixed


def _chosen(
    raw: Sequence[str], fixed: Mapping[str, float], free: Sequence[str]
) -> tuple[tuple[str, ...], str]:
    """Name the inputs to choose, and the one that takes what the budget leaves."""
    spent = next((n for n in DATA if n in raw and n not in fixed), None)
    chosen = [n for n in raw if n != spent and n not in fixed and (n in CHOSEN or n in free)]
    if spent is None or not chosen:
        raise AskError(
            f"a budget is split between size and data: of {quoted(raw)} two must be free, one of "
            f"them the data; held are {quoted(fixed) or 'none'}"
        )
    return tuple(sorted(chosen, key=lambda n: [*CHOSEN, *free].index(n))), spent


def _chosen_by(columns: list[str]) -> list[str]:
    """Name inputs as they are chosen: compute and its ratio are params and tokens."""
    if {"flops", "multiplier"} & set(columns):
        rest = [n for n in columns if n not in ("flops", "multiplier", "params", "tokens")]
        return ["params", "tokens", *rest]
    return list(columns)


@lru_cache(maxsize=64)
def law_loss(model: Model) -> Any:
    """Give the law as a function of inputs in the table's units, under its names or the table's.

    Compute follows from params and tokens; active params are all, and each token is read once,
    where these are not given. The coefficients of a law that drifts are those of `law_at`.
    """

    def loss(inputs: Inputs, coefficients: Mapping[str, Any]) -> Any:
        known = dict(inputs)
        if "params" in known and "tokens" in known:
            known.setdefault("flops", 6.0 * known["params"] * known["tokens"])
            known.setdefault("multiplier", known["tokens"] / known["params"])
        for name, whole in ((ACTIVE, "params"), (UNIQUE, "tokens")):
            if whole in known:
                known.setdefault(name, known[whole])
        scaled = {}
        for name in model.law.inputs:
            given = jnp.asarray(known[name if name in known else model.inputs[name]])
            scaled[name] = at_reference(model, name, given)
        return law_at(model, scaled, coefficients)

    return loss


def _usual(fit: Posterior, name: str) -> float:
    """Give a value that a run of the fit may have."""
    reference = fit.model.reference.get(name)
    if reference is not None:
        return float(reference)
    low, high = inputs_range(fit, fit.model.inputs.get(name, name))
    return float(np.sqrt(low * high)) if low > 0 else 1.0


def _range(fit: Posterior, name: str) -> tuple[float, float]:
    """Give the range that a bounded input is chosen from: what is usual, and what the fit saw."""
    column = next(c for c in fit.model.law.columns if c.name == name)
    low, high = inputs_range(fit, fit.model.inputs.get(name, name))
    return min(column.low, low), max(column.high, high)


def _near(fit: Posterior, name: str) -> tuple[float, float]:
    """Give the range that an input is chosen from where a curve may turn anywhere."""
    low, high = inputs_range(fit, fit.model.inputs.get(name, name))
    return low / NEAR, high * NEAR


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
