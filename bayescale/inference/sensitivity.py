"""What a posterior owes to its prior: power-scaling, what data say nothing of, wrong scales."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from bayescale.base.words import quoted
from bayescale.inference.diagnostics import Diagnosis
from bayescale.inference.posterior import Posterior
from bayescale.models.responses import ANY_UNIT, own_responses
from bayescale.parts.coefficients import Coefficient

stats: Any = arviz_stats  # it says it is typed, but its functions are not
DRIVEN = 0.5  # posterior over prior standard deviation from which a direction is the prior's
NAMED = 0.35  # weight in such a direction from which a coefficient is named


def judged(fit: Posterior) -> Diagnosis:
    """Give the diagnosis of the draws, with notes of what they owe to the prior."""
    found = fit.diagnosis
    return replace(found, notes=(*found.notes, *off_scale(fit), *prior_driven(fit)))


def sensitivity(fit: Posterior) -> pd.DataFrame:
    """Tell how much the posterior owes to the prior, by power-scaling.

    How it moves, that is, when prior or likelihood are given a little more weight.

    Parameters
    ----------
    fit
        A fit; its population coefficients are looked at.

    Returns
    -------
    DataFrame
        Indexed by coefficient (and element): `prior` and `likelihood`, the power-scaling
        sensitivities, above 0.05 worth a look; `width`, the posterior standard deviation over the
        prior's, on the real line; `diagnosis`, in words.

    Source: Kallioinen, Paananen, Buerkner and Vehtari 2024, Statistics and Computing 34:57.
    """
    chosen = _population(fit)
    names = [c.name for c in chosen]
    posterior = fit.posterior[names].astype(float)
    priors = {
        c.name: posterior[c.name].copy(
            data=norm.logpdf(posterior[c.name].to_numpy(), c.prior.location, c.prior.scale)
        )
        for c in chosen
    }
    tree = xr.DataTree.from_dict(
        {
            "/posterior": posterior,
            "/log_prior": xr.Dataset(priors),
            "/log_likelihood": fit.log_likelihood().to_dataset(name="response"),
        }
    )
    found = _summary(tree)
    scale = {c.name: c.prior.scale for c in chosen}
    widths = [
        float(value) / scale[name]
        for name in names
        for value in np.ravel(posterior[name].std(("chain", "draw")).to_numpy())
    ]
    return found.assign(width=widths)[["prior", "likelihood", "width", "diagnosis"]]


def _summary(tree: xr.DataTree) -> pd.DataFrame:
    """Summarise power-scaling; what ArviZ logs of it stands in the column of diagnoses."""
    log = logging.getLogger("arviz_stats")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        found: pd.DataFrame = stats.psense_summary(tree)
    finally:
        log.setLevel(level)
    return found


def prior_driven(fit: Posterior) -> tuple[str, ...]:
    """Say which coefficients of a law the data leave to the prior, one by one or together.

    Looks at the law's coefficients in prior standard deviations, on the real line: where the
    posterior is at least half as wide as the prior in some direction, it names the coefficients
    that make up that direction.

    Parameters
    ----------
    fit
        A fit of a law of a quantity.

    Returns
    -------
    tuple of str
        A sentence for each direction, the widest first.
    """
    chosen = [c for c in fit.model.law.coefficients if not c.dims and c.name in fit.posterior]
    if not chosen:
        return ()
    priors = {c.name: c.prior for c in fit.model.coefficients}
    sites = fit.sites()
    standard = np.column_stack(
        [(sites[c.name] - priors[c.name].location) / priors[c.name].scale for c in chosen]
    )
    variances, directions = np.linalg.eigh(np.cov(standard, rowvar=False).reshape(len(chosen), -1))
    sentences = []
    for variance, direction in zip(variances[::-1], directions.T[::-1], strict=True):
        if variance < DRIVEN**2:
            break
        part = [c.name for c, w in zip(chosen, direction, strict=True) if abs(w) >= NAMED]
        share = f"{min(np.sqrt(variance), 1.0):.0%} as wide as the prior"
        sentences.append(
            f"{part[0]} is prior-driven: its posterior is {share}; a wider range of runs, "
            "or more groups where it is pooled, would tell"
            if len(part) == 1
            else f"{', '.join(part)} are prior-driven: the data cannot tell them apart (in the "
            f"direction that trades one for another the posterior is {share}); runs whose inputs "
            "vary apart would tell"
        )
    return tuple(sentences)


def off_scale(fit: Posterior) -> tuple[str, ...]:
    """Say so where what was measured is not of the scale that the law's priors are of.

    Parameters
    ----------
    fit
        A fit; priors that the user gave are taken to be of the right scale.

    Returns
    -------
    tuple of str
        A sentence, or none.
    """
    law, units = fit.model.law, fit.table.benchmarks["unit"]
    own = own_responses(fit.model, fit.table)
    if not own or law.unit == ANY_UNIT:
        return ()
    other = [name for name in own if units[name] and law.unit and units[name] != law.unit]
    if other and not fit.model.priors_given:
        text = (
            f"{law.name} gives a {law.response} in {law.unit}, and {quoted(other)} of table "
            f"{fit.table.name} is in {quoted(units[other].unique())}: give priors of that unit, or "
            "convert it"
        )
        return (text,)
    if law.plausible is None or fit.model.priors_given:
        return ()
    middle = fit.table.scores.loc[fit.table.scores["benchmark"].isin(own), "score"].median()
    low, high = law.plausible
    if low <= middle <= high:
        return ()
    text = (
        f"the middle {law.response} of table {fit.table.name} is {middle:.4g}, where {law.name} "
        f"expects {low:g} to {high:g} {law.unit}: if it is a perplexity, percent or in another "
        "unit, convert it; if not, give priors of its scale"
    )
    return (text,)


def _population(fit: Posterior) -> list[Coefficient]:
    return [c for c in fit.model.coefficients if c.name in fit.posterior]
