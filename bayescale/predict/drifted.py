"""How far a fit's law has drifted along an input, draw by draw, and what that adds to a width."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.base.errors import PredictError
from bayescale.base.intervals import Floats
from bayescale.base.words import suggest, told
from bayescale.inference.estimates import law_draws
from bayescale.inference.posterior import Posterior
from bayescale.inference.thinned import thinned
from bayescale.models.cells import FLOPS, distance, factors
from bayescale.models.lay_out import lay_out
from bayescale.parts.drift import CELL, DRIFT, RELEASED, hinges
from bayescale.predict.surface import (
    MOST_DRAWS,
    drift_draws,
    expected,
    few_draws,
    number_columns,
    usual,
)

POINTS = 121
BEYOND = {RELEASED: 1.5}  # years shown beyond the data; e-folds of other inputs:
BEYOND_EFOLDS = 4.6  # a factor of a hundred
HALF = 0.5
FAR = 14.0  # e-folds beyond the data that the share of a width is followed


class Drifted(NamedTuple):
    """The drift along an input.

    Parameters
    ----------
    values
        Of the input in the table's units, of the date in years, shape (point,).
    draws
        What drift along this input alone adds to the log response, others at their reference, shape
        (draw, point, 1), or to skills or latent scores, shape (draw, point, skill or benchmark).
    """

    values: Floats
    draws: Floats


def drift_along(
    fit: Posterior, along: str, of: tuple[str, str] | None = None, *, seed: int = 0
) -> Drifted:
    """Give the drift along an input, from the data's least value to far beyond its largest.

    Raises
    ------
    PredictError
        The fit does not drift along it.
    """
    model, known = fit.model, list(fit.model.drift)
    if along not in known:
        told_of = f"it drifts along {', '.join(known)}" if known else "it does not drift at all"
        raise PredictError(
            f"{model.name} has no drift along {along!r}{suggest(along, known)}; "
            f"{told_of} (fit with drift=, on the command line --drift)"
        )
    place = distance(lay_out(model, fit.table).inputs, along)
    low, high = min(float(place.min()), 0.0), max(float(place.max()), 0.0)
    away = np.linspace(low, high + BEYOND.get(along, BEYOND_EFOLDS), POINTS)
    if not model.of_leaderboard:
        return Drifted(_in_units(fit, along, away), _of_law(fit, along, of, away, seed))
    found = drift_draws(fit, of, seed=seed)
    own = found[CELL + "along"][0].astype(int) == known.index(along)
    start, width = (found[CELL + name][0][own, None] for name in ("place", "width"))
    with jax.enable_x64(True):
        units = np.asarray(hinges(model.drift[along].order, jnp.asarray(away), start, width))
    increments = found[DRIFT][:, own]
    wide = increments.reshape(*increments.shape[:2], -1)
    draws = np.einsum("dcs,cp->dps", wide, units)
    return Drifted(_in_units(fit, along, away), draws)


def _of_law(
    fit: Posterior, along: str, of: tuple[str, str] | None, away: Floats, seed: int
) -> Floats:
    """Give what the drift along one input adds to a law's log response, shape (draw, point, 1)."""
    model, columns = fit.model, number_columns(fit.model)
    draws = few_draws(fit, of, seed=seed)
    alone = thinned(drift_draws(fit, of, seed=seed, along=along), MOST_DRAWS)
    names = factors(model.law.inputs, along)
    given = {
        n: usual(model, fit.table, n) * np.exp(away / len(names))
        for n, column in columns.items()
        if column.name in names
    }
    bare = {name: values for name, values in draws.items() if name != DRIFT}
    with_drift = expected(fit, {**draws, **alone}, given)
    found: Floats = np.log(with_drift / expected(fit, bare, given))[..., None]
    return found


def runs_along(fit: Posterior, along: str) -> Floats:
    """Give where the runs of a fit lie along an input that it drifts along, in its units."""
    return _in_units(fit, along, distance(lay_out(fit.model, fit.table).inputs, along))


def _in_units(fit: Posterior, along: str, away: Floats) -> Floats:
    """Turn distances from the reference run into the input's units."""
    reference = fit.model.reference
    if along == RELEASED:
        return reference[RELEASED] + away
    owners = {column.name: column.reference for column in fit.model.law.columns}
    at = np.prod([reference[str(owners[name])] for name in factors(list(owners), along)])
    six = 6.0 if along == FLOPS and FLOPS not in owners else 1.0
    found: Floats = six * at * np.exp(away)
    return found


def half_of_width(fit: Posterior) -> tuple[str, float] | None:
    """Say from where on half of the width of an expected value is the law's own shape.

    Along the inputs that drift, all growing alike from the reference run, for the population.

    Returns
    -------
    tuple or None
        The input, compute where the law reads size and tokens, and its value; None where the law
        does not drift, drift nowhere makes half, or there is no population.
    """
    model = fit.model
    if not model.drift or model.of_leaderboard:
        return None
    columns = number_columns(model)
    drifting = {n for along in model.drift for n in factors(model.law.inputs, along)}
    moving = [n for n, column in columns.items() if column.name in drifting]
    steps = np.linspace(0.0, FAR, POINTS)
    start = {name: usual(model, fit.table, name) for name in moving}
    given = {name: value * np.exp(steps) for name, value in start.items()}
    if len(law_draws(fit, None)) < len(model.law.coefficients):
        return None  # members are separate: there is no population
    draws = few_draws(fit, None)
    bare = {name: v for name, v in draws.items() if name != DRIFT}
    with_drift, without = (np.log(expected(fit, d, given)) for d in (draws, bare))
    shape = with_drift - without
    variance = with_drift.var(axis=0)
    share = np.mean((shape - shape.mean(0)) * (with_drift - with_drift.mean(0)), axis=0)
    beyond = np.flatnonzero(share >= HALF * variance)
    if not len(beyond):
        return None
    at = {name: values[beyond[0]] for name, values in given.items()}
    if {"params", "tokens"} <= at.keys():
        return FLOPS, float(6 * at["params"] * at["tokens"])
    name = moving[0]
    return name, float(at[name])


def drift_note(fit: Posterior) -> list[str]:
    """Say in words where half of the width is the law's own shape."""
    found = half_of_width(fit)
    if found is None:
        return []
    name, value = found
    unit = "FLOPs" if name == FLOPS else name
    return [f"beyond {told(value)} {unit} half of the width is the law's own shape"]
