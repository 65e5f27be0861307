"""Params, tokens, FLOPs and tokens per parameter: any two of them tell the other two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

FLOPS_PER_TOKEN = 6.0  # and parameter: C = 6 N D
# Logs of compute quantities in those of params and tokens; flops also have log 6 added.
COMPUTE = {"params": (1, 0), "tokens": (0, 1), "flops": (1, 1), "multiplier": (-1, 1)}
TOLERANCE = 1.2  # factor by which counts that are all given may disagree


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Add what two of params, tokens, flops and multiplier say of the others.

    Parameters
    ----------
    given
        Positive numbers or arrays by name; other names are passed on.

    Returns
    -------
    dict
        With all four, where two are given; what was given stays as it is.
    """
    known = [name for name in COMPUTE if name in given][:2]
    if len(known) < 2:
        return dict(given)
    shift = np.log(FLOPS_PER_TOKEN)
    logs = [np.log(given[name]) - shift * (name == "flops") for name in known]
    inverse = np.linalg.inv([COMPUTE[name] for name in known])
    size, data = (row[0] * logs[0] + row[1] * logs[1] for row in inverse)
    found = {
        name: np.exp(a * size + b * data + shift * (name == "flops"))
        for name, (a, b) in COMPUTE.items()
    }
    return found | dict(given)


def contradiction(given: Mapping[str, Any]) -> str | None:
    """Say where three or four of the quantities disagree by more than 20%; None where they agree.

    Active parameters, where given, stand for params in the FLOPs.
    """
    numbers = {
        name: value
        for name, value in given.items()
        if name in COMPUTE and np.isfinite(value) and value > 0
    }
    if len(numbers) < 3:
        return None
    first = dict(list(numbers.items())[:2])
    implied = completed(first)
    active = given.get("params_active", np.nan)
    if np.isfinite(active) and "params" in numbers and "flops" in numbers:
        implied["flops"] = implied["flops"] * active / numbers["params"]
    for name, value in numbers.items():
        off = max(value / implied[name], implied[name] / value)
        if off > TOLERANCE:
            told = " and ".join(f"{n} of {v:.3g}" for n, v in first.items())
            return (
                f"{name} of {value:.3g} contradicts {told}, which make {implied[name]:.3g} "
                "(FLOPs = 6 x params x tokens): leave one of them out"
            )
    return None
