"""A law at points of our choice under draws of its coefficients: what its pictures show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pandas as pd

from bayescale.base.errors import PredictError
from bayescale.base.intervals import Floats
from bayescale.base.words import quoted, suggest
from bayescale.inference.estimates import law_draws, places
from bayescale.inference.posterior import Posterior
from bayescale.inference.thinned import thinned
from bayescale.models.dates import dated_runs
from bayescale.models.drifts import as_coefficients, law_at, of_run
from bayescale.models.evaluate import increments
from bayescale.models.inputs import at_reference
from bayescale.models.lay_out import lay_out
from bayescale.models.model import Model
from bayescale.models.record import group_names
from bayescale.models.responses import own_responses
from bayescale.parts.inputs import Input
from bayescale.predict.layout import lay_out_queries
from bayescale.predict.queries import as_table
from bayescale.tables.compute import COMPUTE, DERIVED, completed
from bayescale.tables.table import Table

MOST_DRAWS = 400
INTERVAL = 0.9
TAILS = (0.05, 0.5, 0.95)  # of that interval, and the median

Values = Mapping[str, Any]
Of = tuple[str, str] | None


def check_quantity(model: Model) -> None:
    """Refuse a model of a leaderboard, whose pictures are others."""
    if model.of_leaderboard:
        raise PredictError(
            f"{model.name} is a model of a leaderboard, and this picture is of a law of a quantity "
            "such as a loss; plot_fans draws scores and plot_loadings skills"
        )


def response_of(fit: Posterior, of: Of) -> str:
    """Name the response that a picture shows.

    Raises
    ------
    PredictError
        The fit is of a leaderboard, or has several responses and none is named.
    """
    check_quantity(fit.model)
    own = own_responses(fit.model, fit.table)
    if of is not None and of[0] == "benchmark" and of[1] in own:
        return of[1]
    if len(own) > 1:
        raise PredictError(
            f"the fit has {len(own)} responses: {quoted(own)}; say which with "
            f"of=('benchmark', {own[0]!r}) (command line: --of benchmark={own[0]})"
        )
    return own[0]


def check_member(fit: Posterior, of: Of) -> None:
    """Refuse a group that the law does not vary over, and a member that it does not have."""
    if of is None:
        return
    known = [place[1] for place in places(fit, of[0]) if place and place[0] == of[0]]
    if of[1] not in known:
        raise PredictError(
            f"{of[0]} has no member {of[1]!r}{suggest(of[1], known)}; it has: {quoted(known)}"
        )


def few_draws(fit: Posterior, of: Of, *, seed: int = 0) -> dict[str, Floats]:
    """Give evenly spaced draws of the law's coefficients, 400 at most, shape (draw, ...).

    Raises
    ------
    PredictError
        There is no such group or member, or members are separate and none is named.
    """
    check_member(fit, of)
    draws = law_draws(fit, of)
    if len(draws) < len(fit.model.law.coefficients):
        group, member = next(place for place in places(fit, None) if place)
        raise PredictError(
            f"members of {group} are separate, so that there is no population: say which with "
            f"of=({group!r}, {member!r}) (command line: --of {group}={member})"
        )
    if fit.model.drift:
        draws |= drift_draws(fit, of, seed=seed)
    return thinned(draws, MOST_DRAWS)


def drift_draws(
    fit: Posterior, of: Of = None, *, seed: int = 0, along: str | None = None
) -> dict[str, Floats]:
    """Give draws of increments with their places: of what all share, and what a member has alone.

    Along one input alone where it is named.

    Shape (draw, cell) each; of a leaderboard (draw, cell, skill or benchmark) for increments.
    """
    model, runs = fit.model, dated_runs(fit.model, fit.table).iloc[:1]
    named = {of[0]: of[1]} if of else {}
    asked = as_table(fit, runs.assign(**named), group_names(model))
    layout = lay_out_queries(fit, asked, {})
    grid = layout.grid
    found = increments(model, grid, layout.sites, seed=seed, members=layout.new)
    alone = np.array([not group for group in grid.cells.groups])[np.asarray(grid.cells.part)]
    shown = of_run(model, grid, layout.position[0]) if of else alone
    if along is not None:
        shown = shown & (np.asarray(grid.cells.along) == list(model.drift).index(along))
    shown = shown.reshape(-1, *(1,) * (found.ndim - 2))
    return as_coefficients(model, found * shown, grid.cells)


def number_columns(model: Model) -> dict[str, Input]:
    """Give the columns of numbers that the law reads, with what is declared of them."""
    return {
        model.inputs.get(column.name, column.name): column
        for column in model.law.columns
        if column.kind in ("number", "flag")
    }


def check_axes(model: Model, *names: str) -> None:
    """Check that the law is a function of inputs, others at their reference.

    Two of params, tokens, flops and multiplier tell the other two.

    Raises
    ------
    PredictError
        It is not, and the message lists its inputs; or it reads a series or a mixture too.
    """
    for column in model.law.columns:
        if column.kind in ("series", "mixture"):
            raise PredictError(
                f"{model.law.name} reads a {column.kind}, {column.name}, which an axis of "
                "numbers cannot show; plot_residuals and plot_forest draw this fit"
            )
    own = number_columns(model)
    derived = COMPUTE if len(names) > 1 and len(set(own) & set(COMPUTE)) > 1 else ()
    known = list(dict.fromkeys([*own, *derived]))
    if missing := [name for name in names if name not in known]:
        there = "the axes can be two of" if 1 < len(names) <= len(known) else "it has"
        raise PredictError(
            f"{model.law.name} has no input {quoted(missing)}{suggest(missing[0], known)}; "
            f"{there} {quoted(known)}"
        )
    if len(set(names)) < len(names):
        raise PredictError(f"the inputs of the two axes must differ; given: {quoted(names)}")


def check_not_held(at: Values | None, *axes: str) -> None:
    """Refuse to hold an input that is an axis."""
    if fixed := [name for name in axes if name in (at or {})]:
        raise PredictError(
            f"{quoted(fixed)} is an axis of this picture, and cannot be held at a value: take it "
            "out of at (command line: --at), or choose other axes"
        )


def check_held(model: Model, at: Values | None) -> None:
    """Refuse to hold what is no input of the law."""
    columns = number_columns(model)
    for name in at or {}:
        if name not in columns:
            raise PredictError(
                f"{model.law.name} has no input {name!r}{suggest(name, columns)}; it has: "
                f"{quoted(columns)}"
            )


def usual(model: Model, table: Table, column: str) -> float:
    """Give the value that an input keeps where a picture does not vary it.

    That of the reference run; of an absolute input, the table's middle value.
    """
    declared = number_columns(model)[column]
    if declared.reference in model.reference and declared.reference == declared.name:
        return model.reference[declared.reference]
    return float(np.quantile(inputs_seen(model, table)[column], 0.5, method="nearest"))


def inputs_seen(model: Model, table: Table) -> pd.DataFrame:
    """Give what the law read of each run of the table, in the table's units."""
    grid = lay_out(model, table)
    scale: dict[str | None, float] = {None: 1.0}
    scale.update(model.reference)
    seen = {
        name: grid.inputs[column.name] * scale[column.reference]
        for name, column in number_columns(model).items()
    }
    return pd.DataFrame(seen, index=table.runs.index)


def observed(fit: Posterior, of: Of) -> pd.DataFrame:
    """List the measurements of a response: `run`, the law's inputs, groups, `observed`.

    Of one member where one is named, else of all. Params, tokens, flops and multiplier are told
    where the table or the law's inputs tell them.
    """
    name, runs = response_of(fit, of), fit.table.runs
    check_member(fit, of)
    inputs = inputs_seen(fit.model, fit.table)
    own = runs[[c for c in runs.columns if c not in inputs]].dropna(axis="columns", how="all")
    everything = inputs.join(own)
    for column, values in completed({c: inputs[c] for c in COMPUTE if c in inputs}).items():
        told = column in everything
        everything[column] = everything[column].fillna(values) if told else values
    scores = fit.table.scores[fit.table.scores["benchmark"] == name]
    found = scores[["run", "score"]].rename(columns={"score": "observed"})
    found = found.join(everything, on="run").reset_index(drop=True)
    if of is not None and of[0] in found:
        found = found[found[of[0]] == of[1]].reset_index(drop=True)
    return found


def expected(
    fit: Posterior,
    draws: Mapping[str, Floats],
    given: Values,
    at: Mapping[str, float] | None = None,
) -> Floats:
    """Evaluate the law at points, shape (draw, point).

    Parameters
    ----------
    fit
        A fit of a law of a quantity.
    draws
        Draws of its coefficients, as `few_draws` gives them.
    given
        Inputs in the table's units, shape (point,) each.
    at
        Values of inputs that are not given; by default those of the reference run.

    Raises
    ------
    PredictError
        `at` names no input of the law.
    """
    check_held(fit.model, at)
    columns = number_columns(fit.model)
    known = completed(given) | dict(at or {})
    points = len(next(iter(given.values())))
    frame = pd.DataFrame(known, index=range(points))
    frame["params_active"] = frame.get("params_active", np.nan)
    values = []
    for name, column in columns.items():
        told = frame.get(name)
        # What the table lacks too follows from the others, as it does in the fit.
        if name in DERIVED and name not in fit.table.inputs and (told is None or told.isna().any()):
            told = _derived(name, frame)
        if told is None or told.isna().any():
            told = pd.Series(usual(fit.model, fit.table, name), index=range(points))
        values.append(at_reference(fit.model, column.name, told.to_numpy(float)))
    with jax.enable_x64(True):
        names = [column.name for column in columns.values()]
        law = jax.jit(
            jax.vmap(lambda c: law_at(fit.model, dict(zip(names, values, strict=True)), c))
        )
        return np.broadcast_to(np.asarray(law(dict(draws))), (_count(draws), points))


def first_group(fit: Posterior) -> str | None:
    """Give the first group that a coefficient of the law is pooled over."""
    rules = [rule for c in fit.model.law.coefficients for rule in fit.model.pooling.get(c.name, ())]
    return rules[0].group if rules else None


def _derived(name: str, frame: pd.DataFrame) -> pd.Series | None:
    try:
        return DERIVED[name](frame)
    except KeyError:
        return None  # a quantity that it follows from is no axis of this picture


def _count(draws: Mapping[str, Floats]) -> int:
    return len(next(iter(draws.values())))
