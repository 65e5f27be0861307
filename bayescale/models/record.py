"""`ModelRecord`: law, link, noise, pooling and priors as one value, which all below is typed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.parts.coefficients import OF_BENCHMARKS, Coefficient, Pooling, Prior, real
from bayescale.parts.drift import DRIFT, RELEASED, Drift
from bayescale.parts.part import Law, Link, Noise
from bayescale.tables.table import Table

# How skills are measured: every law of skills shares these two.
MEASUREMENT = (
    replace(
        real(0.0, 1.5, "other", unit="logits", meaning="level of a benchmark at zero skill"),
        name="difficulty",
    ),
    replace(
        real(0.4, 0.4, "other", "skill", unit="1", meaning="gain of a benchmark from a skill"),
        name="loading",
    ),
)
# How noise changes with an input: where a card names one.
SCATTER = replace(
    real(0.0, 0.7, unit="1", meaning="rise of log noise with the log of the input it changes with"),
    name="scatter",
)
EFFECT = "effect"  # before the groups whose members shift the response
OF_SCORES = "score_"  # before the coefficients of the noise of linked scores
POINTS_PER_LOGIT = 25.0  # slope of the logistic at its middle, in points


@dataclass(frozen=True)
class Along:
    """Where neighbouring measurements share noise: members of `within`, in the order of `by`."""

    within: str
    by: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelRecord:
    """A law, a link and a noise with their priors and pooling.

    Parameters
    ----------
    name, claim
        Name and one-sentence claim.
    law
        The law: of skills, or of a quantity such as a loss.
    noise
        Noise of what the law gives.
    link
        From what the law gives to an expected score; None where the law's own response is measured
        only.
    score_noise
        Beside a law of a quantity: noise of the linked scores.
    reference
        Values of the law's inputs at the reference run. A law of a quantity takes the geometric
        means of the table's inputs for what is not given (see `on_table`).
    skills
        For each skill its anchor benchmarks, the preferred first. A skill takes part in a fit when
        the table has scores on one of them; the anchor loads on that skill alone, with loading one,
        which fixes the skill's direction and scale.
    pooling
        For each pooled coefficient its rules.
    inputs
        For each input of the law its column, where the names differ.
    effects
        Groups whose members shift the response, such as the runs that checkpoints are of: its log,
        or skills and latent scores themselves.
    along
        Where neighbouring measurements share noise.
    scatter
        Input of the law that the noise's spread is a power of; "" for none.
    drift
        For inputs, how the law's shape drifts along them.
    priors_given
        Priors that replace those the parts declare.
    table, measured, where
        Name of the table that the card was written for, and what of it: responses, and members of
        groups.
    result
        A reference result on it, which a test rechecks.
    card
        The card's text, kept with every fit.
    """

    name: str
    claim: str
    law: Law
    noise: Noise
    link: Link | None = None
    score_noise: Noise | None = None
    reference: Mapping[str, float] = field(default_factory=dict)
    skills: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pooling: Mapping[str, tuple[Pooling, ...]] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    effects: Mapping[str, Pooling] = field(default_factory=dict)
    along: Along | None = None
    scatter: str = ""
    drift: Mapping[str, Drift] = field(default_factory=dict)
    priors_given: Mapping[str, Prior] = field(default_factory=dict)
    table: str = ""
    measured: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""

    @property
    def of_leaderboard(self) -> bool:
        """Whether the law gives skills or latent scores, rather than a quantity of its own."""
        return self.law.latent

    @property
    def learns_drift(self) -> bool:
        """Whether a drift is felt within the data, so that they teach its increments."""
        return any(drift.origin == "reference" for drift in self.drift.values())

    @property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """Every coefficient, with the card's priors in place."""
        measurement = MEASUREMENT if self.law.response == "skills" else ()
        link, scores = (part.coefficients if part else () for part in (self.link, self.score_noise))
        declared = (
            *self.law.coefficients,
            *measurement,
            *link,
            *self.noise.coefficients,
            *(replace(c, name=OF_SCORES + c.name) for c in scores),
            *((SCATTER,) if self.scatter else ()),
        )
        return tuple(replace(c, prior=self.priors_given.get(c.name, c.prior)) for c in declared)

    def anchors(self, table: Table) -> dict[str, str]:
        """Choose the anchor benchmark of each skill that a table can measure.

        The first anchor of the card that the table has a score on, and that no earlier skill took.
        A table with none of them gets one general skill, anchored at its first benchmark with a
        score.

        Parameters
        ----------
        table
            The table to be fitted.

        Returns
        -------
        dict
            Skill to benchmark; empty for a law without skills.
        """
        if self.law.response != "skills":
            return {}
        # A benchmark without a score would give its skill neither direction nor scale.
        scored = set(table.scores["benchmark"])
        chosen: dict[str, str] = {}
        for skill, names in self.skills.items():
            free = [name for name in names if name in scored and name not in chosen.values()]
            if free:
                chosen[skill] = free[0]
        return chosen or {
            "general": next(name for name in table.benchmarks.index if name in scored)
        }

    def priors(self) -> pd.DataFrame:
        """Tabulate the priors: natural units, and what they mean in points of score.

        Returns
        -------
        DataFrame
            One row per coefficient, and per spread of a group's members or effects: `coefficient`,
            `varies_over`, `median`, `lower_0.9`, `upper_0.9`, `unit`, `in_score_units`, `meaning`.
        """
        rows = []
        for c in self.coefficients:
            rules = self.pooling.get(c.name, ())
            rows.append(_prior_row(c.name, c.prior, c.unit, c.meaning, [r.group for r in rules]))
            for rule in rules:
                if rule.spread is None:
                    continue
                name = f"{c.name}_{rule.group}_spread"
                member = "non-anchor benchmark" if rule.group == "other" else rule.group
                text = f"how much {c.name} differs between one {member} and the next"
                unit = c.unit if c.prior.support == "real" else f"{c.prior.support} scale"
                rows.append(_prior_row(name, rule.spread, unit, text, []))
        for group, rule in self.effects.items():
            if rule.spread is not None:
                text = f"how much the response differs between one {group} and the next"
                name = f"{EFFECT}_{group}_spread"
                unit = self.law.unit if self.law.latent else "log response"
                rows.append(_prior_row(name, rule.spread, unit, text, []))
        for along, each in self.drift.items():
            for group, rule in each.parts.items():
                of_pace = each.origin == "edge" and not self.law.latent
                power = "of its exponent" if each.order == 2 else "of its level"
                unit = f"{self.law.unit if self.law.latent else 'log response'} {power}"
                each_step = "year" if along == RELEASED else f"e-fold of {along}"
                text = f"how much the law's shape wanders per root {each_step}"
                text += f", of one {group} beside the others" if group else ""
                text += " beyond the data" if each.origin == "edge" else ""
                text += ", where runs scatter by 1% about it" if of_pace else ""
                unit = "log of the local exponent" if of_pace else unit
                name = f"{DRIFT}_{rule.group}_spread"
                rows.append(_prior_row(name, rule.learned, unit, text, []))
        return pd.DataFrame(rows)


def group_names(model: ModelRecord) -> list[str]:
    """List the groups of runs that a model tells members of apart."""
    pooled = [rule.group for rules in model.pooling.values() for rule in rules]
    within = [model.along.within] if model.along else []
    drifting = [group for each in model.drift.values() for group in each.own]
    names = [n for n in (*pooled, *model.effects, *within, *drifting) if n not in OF_BENCHMARKS]
    return sorted(set(names))


def _prior_row(
    name: str, prior: Prior, unit: str, meaning: str, groups: list[str]
) -> dict[str, Any]:
    low, high = prior.interval()
    return {
        "coefficient": name,
        "varies_over": ", ".join(groups),
        "median": prior.median,
        "lower_0.9": low,
        "upper_0.9": high,
        "unit": unit,
        "in_score_units": _in_points(unit, low, high),
        "meaning": meaning,
    }


def _in_points(unit: str, low: float, high: float) -> str:
    """Say what a prior means in points of score, where the curve is steepest."""
    if unit == "score":
        return f"{100 * low:.1f} to {100 * high:.1f} points"
    if "logits" not in unit:
        return ""
    factor = POINTS_PER_LOGIT
    per = ""
    if "e-fold" in unit:
        factor *= float(np.log(10)) ** (2 if "squared" in unit else 1)
        per = " per tenfold" + (" of each" if "squared" in unit else "")
    return f"{factor * low:+.0f} to {factor * high:+.0f} points{per}, mid-curve"
