"""What a run costs: training FLOPs from the inputs of a law, and FLOPs of serving it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats
from bayescale.base.words import quoted, suggest
from bayescale.tables.compute import FLOPS_PER_TOKEN

Inputs = Mapping[str, Any]
Cost = Callable[[Inputs], Any]
SERVING = 2.0  # FLOPs of a served token and parameter
BODY = 12.0  # params of a layer over its width squared
SIZES = ("params", "params_active", "body_params", "width")
DATA = ("tokens", "characters")


def size(inputs: Inputs) -> Any:
    """Give the params that compute on each token.

    `params_active`, or `params`; else ``12 depth width^2``; else params of body and vocabulary.
    """
    if "params_active" in inputs:
        return inputs["params_active"]
    if "params" in inputs:
        return inputs["params"]
    if "width" in inputs and "depth" in inputs:
        return BODY * inputs["depth"] * inputs["width"] ** 2
    return inputs["body_params"] + inputs.get("vocabulary_params", 0.0)


def tokens(inputs: Inputs) -> Any:
    """Give the training tokens; of a text in characters, by the size of the vocabulary.

    Source: Tao et al. 2024, arXiv:2407.13623, for the tokens of a character.
    """
    if "tokens" in inputs:
        return inputs["tokens"]
    log_v = jnp.log(inputs["vocabulary"] / 1000)
    each = 0.00639222 * log_v**2 - 0.15811069 * log_v + 1.20470122
    return inputs["characters"] * each


def training(inputs: Inputs) -> Any:
    r"""Give training FLOPs.

    .. math:: C = 6\,N\,D
    """
    return FLOPS_PER_TOKEN * size(inputs) * tokens(inputs)


@lru_cache
def serving(served: float) -> Cost:
    r"""Give the cost of training a model and serving a number of tokens with it.

    .. math:: C = 6\,N\,D + 2\,N\,D_{served}
    """
    return lambda inputs: training(inputs) + SERVING * size(inputs) * served


def usual_cost(columns: list[str], law: str) -> Cost:
    """Check that the cost of a law's runs follows from its inputs.

    Raises
    ------
    AskError
        It does not, so that the caller has to say what a run costs.
    """
    sized = set(columns) & {"params", "params_active", "body_params"} or {"width", "depth"} <= set(
        columns
    )
    if not sized or not set(columns) & set(DATA):
        raise AskError(
            f"{law} reads {quoted(columns)}, which do not tell what a run costs: give cost=, a "
            "function from these inputs to FLOPs (command line: --cost FILE.py:FUNCTION)"
        )
    return training


def costs_of(runs: pd.DataFrame, cost: str | None) -> Floats:
    """Give the cost of each run of a frame.

    Parameters
    ----------
    runs
        A row each.
    cost
        Column of the cost; where it is None, "flops", else 6 x params x tokens.

    Raises
    ------
    AskError
        There is no such column, or a cost is not a positive number.
    """
    if cost is not None and cost not in runs:
        raise AskError(
            f"candidates have no column {cost!r} of costs{suggest(cost, map(str, runs.columns))}; "
            f"they have {quoted(map(str, runs.columns))}"
        )

    def column(name: str) -> pd.Series:
        if name not in runs:
            return pd.Series(np.nan, index=runs.index)
        return pd.to_numeric(runs[name], errors="coerce").astype(float)

    if cost is not None:
        values = column(cost)
    else:
        size = column("params_active").fillna(column("params"))
        values = column("flops").fillna(FLOPS_PER_TOKEN * size * column("tokens"))
    bad = ~((values > 0) & (values < np.inf))
    if bad.all() and cost is None:
        raise AskError(
            "candidates need columns params and tokens, or flops, or one of costs that cost= names "
            f"(command line: --cost); they have {quoted(map(str, runs.columns))}"
        )
    if bad.any():
        which = quoted(f"row {i + 1} ({values[i]:g})" for i in np.flatnonzero(bad))
        what = cost or "flops (else 6 x params x tokens)"
        raise AskError(f"each candidate needs a positive cost in {what}; without one: {which}")
    found: Floats = values.to_numpy(float)
    return found
