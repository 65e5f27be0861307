"""`Plan`: the table of what a model samples, written once and read by everything that needs a site.

A site holds real-line values. `<name>` is a coefficient's population value, `<name>_<group>` those
of a group's members, `<name>_<group>_spread` the logarithm of their spread, and
`<name>_<group>_new` members that were not in the fit. `drift` are the increments of drifts, whose
members are cells of inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from bayescale.models.level import pinned_by_level
from bayescale.models.record import EFFECT, OF_SCORES, ModelRecord
from bayescale.parts.coefficients import OF_BENCHMARKS, Coefficient, Pooling
from bayescale.parts.drift import CELL, DRIFT

Kind = Literal["population", "members", "spread", "correlation"]
# Sampled in this order, after the slopes that they rest on, and told where their members' runs are.
LEVELS = {"intercept": 1, "difficulty": 2}
RUN, FAMILY, UNKNOWN = "run", "family", "unknown"
TOKENS_UNKNOWN = "tokens_unknown"


@dataclass(frozen=True)
class Site:
    """One site of a density.

    Parameters
    ----------
    name
        Its name in draws and files.
    kind
        "population": a coefficient's value; "members": of a group; "spread": its logarithm;
        "correlation": a Cholesky factor.
    dims
        Names of its axes; members come first.
    coefficient
        Of which coefficient it is; "" for a correlation of several.
    group
        Whose members it tells apart; "" for the population.
    rule
        How the coefficient varies over the group.
    told
        Whether members are given by the response at their own place (a family's mean inputs, a
        run's inputs), which scores pin down, rather than at the reference run.
    correlation
        The site of the correlation of a member's skills; "" where there is none.
    """

    name: str
    kind: Kind
    dims: tuple[str, ...]
    coefficient: str = ""
    group: str = ""
    rule: Pooling | None = None
    told: bool = False
    correlation: str = ""

    @property
    def new(self) -> str:
        """Name of the site of members that were not in the fit."""
        return f"{self.name}_new"


@dataclass(frozen=True)
class Plan:
    """Every site that a model may sample.

    Parameters
    ----------
    sites
        By name.
    joint
        For each group the coefficients whose members are correlated with each other, in order.
    twice
        Names that two sites would have.
    """

    sites: Mapping[str, Site]
    joint: Mapping[str, tuple[Coefficient, ...]]
    twice: tuple[str, ...]

    @property
    def members(self) -> dict[str, Site]:
        """The sites of members of groups, by name."""
        return {name: site for name, site in self.sites.items() if site.kind == "members"}

    @property
    def new(self) -> dict[str, Site]:
        """The sites of members of groups, by the name of those that were not in the fit."""
        return {site.new: site for site in self.members.values()}

    def told(self) -> list[Site]:
        """List the sites whose members are given at their own place."""
        return [site for site in self.members.values() if site.told]

    def holders(self, group: str) -> list[str]:
        """List the groups of levels that may hold a told group's members whole."""
        groups = {s.group for s in self.members.values() if s.coefficient in LEVELS} - {RUN}
        return sorted(g for g in groups - {*OF_BENCHMARKS} if finer(g) < finer(group))


def finer(group: str) -> int:
    """Order groups of runs: runs are in families, and families in what else there is."""
    return {FAMILY: 1, RUN: 2}.get(group, 0)


@lru_cache(maxsize=256)
def plan(model: ModelRecord) -> Plan:
    """Write down what a model samples."""
    sites: list[Site] = []
    joint: dict[str, list[Coefficient]] = {}
    of_scores = model.of_leaderboard  # whose levels scores pin down at their own place
    if of_scores:
        sites.append(Site(TOKENS_UNKNOWN, "members", (UNKNOWN,), "tokens", UNKNOWN))
    for c in model.coefficients:
        rules = model.pooling.get(c.name, ())
        whole = tuple(_axis(model, c, dim) for dim in c.dims)
        # Pooled over benchmarks, the population has one value, and benchmarks are the members.
        one = tuple(dim for dim, own in zip(whole, c.dims, strict=True) if own != "benchmark")
        over_benchmarks = any(rule.group in OF_BENCHMARKS for rule in rules)
        sites.append(Site(c.name, "population", one if over_benchmarks else whole, c.name))
        level = of_scores and c.name in LEVELS and len(whole) == 1 and c.prior.support == "real"
        for rule in rules:
            of_benchmarks = rule.group in OF_BENCHMARKS
            group, dims = _axis(model, c, rule.group), one if of_benchmarks else whole
            name, of_skills = f"{c.name}_{rule.group}", rule.correlated and dims == ("skill",)
            together = rule.correlated and not of_skills
            told = level and rule.spread is not None and not (of_benchmarks or together)
            corr = f"{name}_corr" if of_skills else ""
            axes = (group, *dims)
            sites.append(Site(name, "members", axes, c.name, rule.group, rule, told, corr))
            if rule.spread is not None:
                sites.append(Site(f"{name}_spread", "spread", dims, c.name, rule.group, rule))
            if of_skills:
                sites.append(Site(corr, "correlation", ("skill", "skill_2"), c.name, rule.group))
            if together:
                joint.setdefault(rule.group, []).append(c)
    for group in joint:
        axis = f"coefficient_{group}"
        sites.append(Site(f"{group}_corr", "correlation", (axis, f"{axis}_2"), "", group))
    for group, rule in model.effects.items():
        name = f"{EFFECT}_{group}"
        sites.append(Site(name, "members", (group,), EFFECT, group, rule))
        sites.append(Site(f"{name}_spread", "spread", (), EFFECT, group, rule))
    if model.drift:
        of = {"skills": ("skill",), "latent": ("benchmark",)}.get(model.law.response, ())
        sites.append(Site(DRIFT, "members", (CELL, *of), DRIFT, CELL))
        parts = [rule for each in model.drift.values() for rule in each.parts.values()]
        sites += [Site(f"{DRIFT}_{r.group}_spread", "spread", (), DRIFT, CELL, r) for r in parts]
    names = [site.name for site in sites] + [s.new for s in sites if s.kind == "members"]
    twice = tuple(sorted({name for name in names if names.count(name) > 1}))
    last = pinned_by_level(model)  # by the others
    together_by = {g: tuple(sorted(cs, key=lambda c: c.name == last)) for g, cs in joint.items()}
    by_name = {site.name: site for site in sites}
    return Plan(MappingProxyType(by_name), MappingProxyType(together_by), twice)


def _axis(model: ModelRecord, coefficient: Coefficient, dim: str) -> str:
    """Name an axis: what the law itself gives is measured by responses, scores by benchmarks."""
    if dim != "benchmark" or model.law.latent:
        return dim
    link = model.link.coefficients if model.link else ()
    of_scores = coefficient.name.startswith(OF_SCORES) or coefficient.name in {c.name for c in link}
    return dim if of_scores else "response"
