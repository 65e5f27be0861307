"""Coefficients of a fit in natural units: at the reference run, or as the paper prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd

from bayescale.base.errors import PredictError
from bayescale.base.intervals import Floats, intervals
from bayescale.base.words import suggest
from bayescale.inference.posterior import Posterior
from bayescale.models.responses import own_responses
from bayescale.parts.coefficients import Coefficient
from bayescale.tables.table import members

UNITS = ("reference", "paper")
Place = tuple[str, str] | None  # a group and one of its members; None for the population


def coefficients(
    fit: Posterior, interval: float = 0.9, *, units: str = "reference", by: str | None = None
) -> pd.DataFrame:
    """Summarise the coefficients in natural units.

    Parameters
    ----------
    fit
        A fit.
    interval
        Probability of the central interval.
    units
        "reference": at the reference run, where priors are; "paper": those of the law's paper.
    by
        A group, whose members are told beside the population; separate members always are.

    Returns
    -------
    DataFrame
        One row per element: `coefficient`, `of` (skill, benchmark, member), `median`,
        `lower_<interval>`, `upper_<interval>`, `unit`, `meaning`.

    Raises
    ------
    PredictError
        Units or a group that there are none of.
    """
    if units not in UNITS:
        raise PredictError(f"units must be one of {', '.join(UNITS)}; given: {units!r}")
    if (units != "reference" or by is not None) and not own_responses(fit.model, fit.table):
        raise PredictError(
            f"{fit.model.name} is a model of a leaderboard: its coefficients hold at the reference "
            "run, and members of groups are in fit.posterior"
        )
    rows = []
    for name, of, draws, unit, meaning in _told(fit, units, by):
        rows.append(
            {
                "coefficient": name,
                "of": of,
                **intervals(draws, interval),
                "unit": unit,
                "meaning": meaning,
            }
        )
    return pd.DataFrame(rows)


def law_draws(fit: Posterior, place: Place = None, units: str = "reference") -> dict[str, Floats]:
    """Give draws of the law's coefficients in natural units, chains joined.

    Parameters
    ----------
    fit
        A fit of a law of a quantity.
    place
        A group and its member; coefficients that are not pooled over it keep the population's
        value. None for the population.
    units
        "reference": at the reference run; "paper": as the paper prints them.

    Returns
    -------
    dict
        Coefficient to draws, shape (draw, ...). A coefficient whose members are separate has no
        value for the population, and is not there; nor then are those of the paper.
    """
    found = {}
    for c in fit.model.law.coefficients:
        value = _real_line(fit, c, place)
        if value is not None:
            found[c.name] = _natural(fit, c, value)
    if units == "reference":
        return found
    if len(found) < len(fit.model.law.coefficients):
        return {}
    with jax.enable_x64(True):
        paper = fit.model.law.paper(found, fit.model.reference)
        return {name: np.asarray(value) for name, value in paper.items()}


def places(fit: Posterior, by: str | None) -> list[Place]:
    """List where coefficients are told: the population, members of `by`, separate members.

    Raises
    ------
    PredictError
        No coefficient is pooled over `by`.
    """
    rules = [rule for c in fit.model.law.coefficients for rule in fit.model.pooling.get(c.name, ())]
    groups = {rule.group: rule.spread is None for rule in rules}
    if by is not None and by not in groups:
        raise PredictError(
            f"no coefficient varies over {by!r}{suggest(by, groups)}; the groups are: "
            f"{', '.join(groups) or 'none'}; "
            f"fit again with pool={by!r} (command line: --pool {by})"
        )
    told = [group for group, separate in groups.items() if separate or group == by]
    return [None, *((group, member) for group in told for member in _members(fit, group))]


def _told(
    fit: Posterior, units: str, by: str | None
) -> Iterator[tuple[str, str, Floats, str, str]]:
    """Name, of what, draws, unit and meaning of every scalar."""
    declared = {c.name: c for c in fit.model.coefficients}
    coefficients = fit.model.law.coefficients
    # Axes of skills and benchmarks are told by their names, like those of noise, in one place.
    by_axis = any({*c.dims} & {"skill", "benchmark"} for c in coefficients)
    law = set() if by_axis else {c.name for c in coefficients}
    for place in places(fit, by) if law else ():
        member = "" if place is None else place[1]
        own = law_draws(fit, place)
        for name, draws in law_draws(fit, place, units).items():
            c = declared.get(name)
            if place is not None and c is not None and not _varies(fit, c, place[0], units):
                continue
            unit, meaning = (c.unit, c.meaning) if c else ("", "")
            if not np.array_equal(draws, own.get(name, np.array(()))):
                unit, meaning = "as in the paper", ""
            for index in np.ndindex(draws.shape[1:]):
                label = ", ".join([member, *map(str, index)]).strip(", ")
                yield name, label, draws[(slice(None), *index)], unit, meaning
    for c in fit.model.coefficients:
        if c.name in law:
            continue
        array = fit.posterior[c.name].stack(sample=("chain", "draw")).transpose("sample", ...)
        natural = _natural(fit, c, array.to_numpy().astype(float))
        for index in np.ndindex(natural.shape[1:]):
            named = zip(array.dims[1:], index, strict=True)
            label = ", ".join(str(array[dim].to_numpy()[i]) for dim, i in named)
            yield c.name, label, natural[(slice(None), *index)], c.unit, c.meaning


def _varies(fit: Posterior, coefficient: Coefficient, group: str, units: str) -> bool:
    """Whether a coefficient is worth telling for a member; the paper's mix several of ours."""
    rules = fit.model.pooling.get(coefficient.name, ())
    return units == "paper" or any(rule.group == group for rule in rules)


def _members(fit: Posterior, group: str) -> list[str]:
    if group == "benchmark":
        return [str(name) for name in fit.posterior["response"].to_numpy()]
    return members(fit.table, group)


def _real_line(fit: Posterior, coefficient: Coefficient, place: Place) -> Floats | None:
    """Draws of a coefficient on the real line, shape (draw, ...)."""
    rules = fit.model.pooling.get(coefficient.name, ())
    sites = fit.sites()
    level = sites[coefficient.name].astype(float) if coefficient.name in sites else None
    rule = next((r for r in rules if place is not None and r.group == place[0]), None)
    if rule is None or place is None:
        return level
    position = _members(fit, rule.group).index(place[1])
    return sites[f"{coefficient.name}_{rule.group}"][:, position].astype(float)


def _natural(fit: Posterior, coefficient: Coefficient, value: Any) -> Floats:
    prior = next(c.prior for c in fit.model.coefficients if c.name == coefficient.name)
    with jax.enable_x64(True):
        return np.asarray(prior.natural(value))
