"""Params, tokens, FLOPs and tokens per parameter: any two of them tell the other two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

FLOPS_PER_TOKEN = 6.0  # and parameter: C = 6 N D
# Logs of compute quantities in those of params and tokens; flops also have log 6 added.
ACTIVE = "params_active"
COMPUTE = {"params": (1, 0), "tokens": (0, 1), "flops": (1, 1), "multiplier": (-1, 1)}
TOLERANCE = 1.2  # factor by which counts that are all given may disagree

# What a table gives for an input that it has no column of.
DERIVED: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "tokens": lambda runs: runs["flops"] / (6 * runs["params_active"].fillna(runs["params"])),
    "multiplier": lambda runs: runs["tokens"] / runs["params"],
    "params_active": lambda runs: runs["params_active"].fillna(runs["params"]),
    "unique_tokens": lambda runs: runs["tokens"],
}


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Add what two of params, tokens, flops and multiplier say of the others.

    The FLOPs are those of active parameters, where `params_active` is given beside params.

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
    if {"params", ACTIVE} <= given.keys():
        shift = shift + np.log(given[ACTIVE]) - np.log(given["params"])
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
    active = given.get(ACTIVE, np.nan)
    known = {ACTIVE: active} if np.isfinite(active) else {}
    implied = completed(first | known)
    if known and "params" in numbers and "params" not in first and "flops" in first:
        implied["params"] = implied["params"] * numbers["params"] / active
    for name, value in numbers.items():
        off = max(value / implied[name], implied[name] / value)
        if off > TOLERANCE:
            told = " and ".join(f"{n} of {v:.3g}" for n, v in first.items())
            return (
                f"{name} of {value:.3g} contradicts {told}, which make {implied[name]:.3g} "
                "(FLOPs = 6 x params x tokens): leave one of them out"
            )
    return None


def as_read_by(columns: Collection[str], query: Mapping[str, Any]) -> dict[str, Any]:
    """Give params and tokens in the place of two others of the four, where these are what is read.

    Parameters
    ----------
    columns
        Inputs that are read.
    query
        What was given; what is not a number, and other names, are passed on.
    """
    known = {n: v for n, v in query.items() if n in (*COMPUTE, ACTIVE) and np.isscalar(v)}
    wanted = {"params", "tokens"} & {*columns}
    if not wanted or len(known.keys() & COMPUTE.keys()) != 2:
        return dict(query)
    both = completed(known)
    rest = {name: value for name, value in query.items() if name not in COMPUTE}
    return {"params": float(both["params"]), "tokens": float(both["tokens"]), **rest}


def as_read(runs: pd.DataFrame, name: str) -> pd.Series:
    """Give an input as a law reads it: where runs lack it, from what they have."""
    filled = runs.assign(tokens=runs["tokens"].fillna(DERIVED["tokens"](runs)))
    given = filled[name] if name in filled else pd.Series(np.nan, index=runs.index)
    return given.fillna(DERIVED[name](filled)) if name in DERIVED else given
