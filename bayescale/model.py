"""`Model`: law, link, noise, pooling and priors as one value, read from a card in `models/`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.coefficients import (
    OF_BENCHMARKS,
    Coefficient,
    Pooling,
    Prior,
    pooling_from_card,
    real,
)
from bayescale.errors import ModelError
from bayescale.parts import Part, find_part
from bayescale.records import records_dir
from bayescale.table import Table
from bayescale.validation import suggest

if TYPE_CHECKING:
    from bayescale.design import Design

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
REQUIRED = ("name", "claim", "law", "link", "noise", "reference")
KEYS = {*REQUIRED, "skills", "priors", "pooling", "notes"}
POINTS_PER_LOGIT = 25.0  # slope of the logistic at its middle, in points


@dataclass(frozen=True, eq=False)
class Model:
    """A law, a link and a noise with their priors and pooling.

    Parameters
    ----------
    name, claim
        Name and one-sentence claim.
    law, link, noise
        The parts.
    reference
        Values of the law's inputs at the reference run.
    skills
        For each skill its anchor benchmarks, the preferred first. A skill takes part in a fit when
        the table has scores on one of them; the anchor loads on that skill alone, with loading one,
        which fixes the skill's direction and scale.
    pooling
        For each pooled coefficient its rules.
    priors_given
        Priors that replace those the parts declare.
    card
        The card's text, kept with every fit.
    """

    name: str
    claim: str
    law: Part
    link: Part
    noise: Part
    reference: Mapping[str, float]
    skills: Mapping[str, tuple[str, ...]]
    pooling: Mapping[str, tuple[Pooling, ...]]
    priors_given: Mapping[str, Prior] = field(default_factory=dict)
    card: str = ""

    @property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """Every coefficient, with the card's priors in place."""
        measurement = MEASUREMENT if self.law.response == "skills" else ()
        declared = (
            *self.law.coefficients,
            *measurement,
            *self.link.coefficients,
            *self.noise.coefficients,
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

    def design(self, table: Table) -> Design:
        """Lay a table out for this model; raise `ModelError` when it is no table."""
        from bayescale.design import make_design

        if not isinstance(table, Table):
            raise ModelError(
                f"a Table is needed, not {table!r:.80}: load_table gives a bundled one by name, "
                "read_table one of your own, Table.from_wide or Table.from_long one from a frame"
            )
        return make_design(table, tuple(self.anchors(table).values()))

    def priors(self) -> pd.DataFrame:
        """Tabulate the priors: natural units, and what they mean in points of score.

        Returns
        -------
        DataFrame
            One row per coefficient and per pooling spread: `coefficient`, `varies_over`, `median`,
            `lower_0.9`, `upper_0.9`, `unit`, `in_score_units`, `meaning`.
        """
        rows = []
        for c in self.coefficients:
            rules = self.pooling.get(c.name, ())
            rows.append(_prior_row(c.name, c.prior, c.unit, c.meaning, [r.group for r in rules]))
            for rule in rules:
                name = f"{c.name}_{rule.group}_spread"
                member = "non-anchor benchmark" if rule.group == "other" else rule.group
                text = f"how much {c.name} differs between one {member} and the next"
                unit = c.unit if c.prior.support == "real" else f"{c.prior.support} scale"
                rows.append(_prior_row(name, rule.spread, unit, text, []))
        return pd.DataFrame(rows)

    def prior_scores(self, table: Table, *, draws: int = 100, seed: int = 0) -> pd.DataFrame:
        """Draw scores from the prior, for the runs of a table.

        Parameters
        ----------
        table
            Gives runs, families and benchmarks; its scores are not looked at.
        draws
            Number of draws.
        seed
            Seed.

        Returns
        -------
        DataFrame
            Columns `draw`, `run`, `benchmark`, `expected`, `score`.
        """
        from bayescale.simulate import prior_scores

        return prior_scores(self, table, draws=draws, seed=seed)


def _check_pooling(model: Model, coefficient: Coefficient, rules: tuple[Pooling, ...]) -> None:
    """Refuse rules that the density has no meaning for."""
    for rule in rules:
        of = f"{coefficient.name} over {rule.group}"
        of_benchmarks = rule.group in OF_BENCHMARKS
        if of_benchmarks and coefficient.dims != ("benchmark",):
            raise ModelError(f"pooling {of}: {coefficient.name} does not differ by benchmark")
        if rule.group == "other" and model.law.response != "skills":
            raise ModelError(f"pooling {of}: {model.law.name} has no anchors; pool over benchmark")
        if not of_benchmarks and (not coefficient.dims or coefficient.name == "loading"):
            raise ModelError(
                f"pooling {of}: {coefficient.name} is the same for every {rule.group}; take the "
                "rule out"
            )
        if rule.correlated and coefficient.dims != ("skill",):
            raise ModelError(f"pooling {of}: only coefficients of skills can be correlated")


def _skills_from_card(skills: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    for skill, names in skills.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ModelError(
                f'skill "{skill}": give a list of benchmarks, such as ["MMLU"]; given: {names!r}'
            )
    return {skill: tuple(names) for skill, names in skills.items()}


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


def list_models() -> list[str]:
    """List the names of the bundled models.

    Examples
    --------
    >>> list_models()
    ['compute', 'observational', 'skills']
    """
    return sorted(path.stem for path in records_dir("models").glob("*.toml"))


def load_model(name: str | Path | Model) -> Model:
    """Read a model card.

    Parameters
    ----------
    name
        Name of a bundled model, or path of a TOML card. A `Model` is returned as it is.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        There is no such card, or it does not say what it must.
    """
    if isinstance(name, Model):
        return name
    path = Path(name)
    if path.suffix != ".toml":
        path = records_dir("models") / f"{name}.toml"
        if not path.is_file():
            known = list_models()
            raise ModelError(
                f"no model is called {str(name)!r}{suggest(str(name), known)}; there are: "
                f"{', '.join(known)}; or give the path of a .toml card"
            )
    if not path.is_file():
        raise ModelError(f"no model card at {path}")
    return model_from_card(path.read_text(encoding="utf-8"), source=str(path))


def model_from_card(text: str, *, source: str = "the card") -> Model:
    """Make a model from the text of its card.

    Raises
    ------
    ModelError
        The text is no TOML, or a key is missing, unknown or wrong.
    """
    try:
        card = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{source} is not TOML: {error}") from error
    if unknown := set(card) - KEYS:
        name = min(unknown)
        raise ModelError(f"{source}: unknown key {name!r}{suggest(name, KEYS)}")
    if missing := set(REQUIRED) - set(card):
        raise ModelError(f"{source}: missing key(s) {', '.join(sorted(missing))}")
    try:
        model = Model(
            name=card["name"],
            claim=card["claim"],
            law=find_part("law", card["law"]),
            link=find_part("link", card["link"]),
            noise=find_part("noise", card["noise"]),
            reference={key: float(value) for key, value in card["reference"].items()},
            skills=_skills_from_card(card.get("skills", {})),
            pooling={
                name: tuple(pooling_from_card(group, rule) for group, rule in rules.items())
                for name, rules in card.get("pooling", {}).items()
            },
            card=text,
        )
        names = {c.name: c for c in model.coefficients}
        for used in (*card.get("priors", {}), *model.pooling):
            if used not in names:
                raise ModelError(f"no coefficient {used!r}{suggest(used, names)}")
        for name, rules in model.pooling.items():
            _check_pooling(model, names[name], rules)
        given = {
            name: Prior(names[name].prior.support, *map(float, pair))
            for name, pair in card.get("priors", {}).items()
        }
        if short := set(model.law.inputs) - set(model.reference):
            raise ModelError(f"[reference] lacks {', '.join(sorted(short))}")
    except (ModelError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{source}: {error}") from error
    return replace(model, priors_given=given)
