"""`Plan`: the table of what a model samples, written once and read by everything that needs a site.

A site holds real-line values. `<name>` is a coefficient's population value, `<name>_<group>` those
of a group's members, `<name>_<group>_spread` the logarithm of their spread, and
`<name>_<group>_new` members that were not in the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from bayescale.models.record import EFFECT, OF_SCORES, ModelRecord
from bayescale.parts.coefficients import OF_BENCHMARKS, Coefficient, Pooling

Kind = Literal["population", "members", "spread", "correlation"]
# Sampled in this order, after the slopes that they rest on, and told where their members' runs are.
LEVELS = {"intercept": 1, "difficulty": 2}
RUN, UNKNOWN = "run", "unknown"
TOKENS_UNKNOWN = "tokens_unknown"
NEW = "_new"


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
    """

    name: str
    kind: Kind
    dims: tuple[str, ...]
    coefficient: str = ""
    group: str = ""
    rule: Pooling | None = None
    told: bool = False


@dataclass(frozen=True)
class Plan:
    """Every site that a model may sample.

    Parameters
    ----------
    sites
        By name.
    joint
        For each group the coefficients whose members are correlated with each other, in order.
    """

    sites: Mapping[str, Site]
    joint: Mapping[str, tuple[Coefficient, ...]]

    @property
    def members(self) -> dict[str, Site]:
        """The sites of members of groups, by name."""
        return {name: site for name, site in self.sites.items() if site.kind == "members"}

    def group_of_new(self, name: str) -> str | None:
        """Give the group whose new members a site draws; None for a site of the fit."""
        site = self.sites.get(name.removesuffix(NEW))
        return site.group if site and site.name != name and site.kind == "members" else None

    def told(self) -> list[Site]:
        """List the sites whose members are given at their own place."""
        return [site for site in self.members.values() if site.told]


@lru_cache(maxsize=256)
def plan(model: ModelRecord) -> Plan:
    """Write down what a model samples."""
    sites: dict[str, Site] = {}
    of_scores = model.of_leaderboard  # whose levels scores pin down at their own place
    joint: dict[str, list[Coefficient]] = {}

    def add(site: Site) -> None:
        sites[site.name] = site

    if of_scores:
        add(Site(TOKENS_UNKNOWN, "members", (UNKNOWN,), "tokens", UNKNOWN))
    for c in model.coefficients:
        rules = model.pooling.get(c.name, ())
        whole = tuple(_axis(model, c, dim) for dim in c.dims)
        # Pooled over benchmarks, the population has one value, and benchmarks are the members.
        one = tuple(dim for dim, own in zip(whole, c.dims, strict=True) if own != "benchmark")
        over_benchmarks = any(rule.group in OF_BENCHMARKS for rule in rules)
        add(Site(c.name, "population", one if over_benchmarks else whole, c.name))
        for rule in rules:
            of_benchmarks = rule.group in OF_BENCHMARKS
            group, dims = _axis(model, c, rule.group), one if of_benchmarks else whole
            at_own = of_scores and c.name in LEVELS and not of_benchmarks
            told = at_own and rule.spread is not None
            name = f"{c.name}_{rule.group}"
            add(Site(name, "members", (group, *dims), c.name, rule.group, rule, told))
            if rule.spread is not None:
                add(Site(f"{name}_spread", "spread", dims, c.name, rule.group, rule))
            if rule.correlated and dims == ("skill",):
                corr = ("skill", "skill_2")
                add(Site(f"{name}_corr", "correlation", corr, c.name, rule.group, rule))
            elif rule.correlated:
                joint.setdefault(rule.group, []).append(c)
    for group in joint:
        axis = f"coefficient_{group}"
        add(Site(f"{group}_corr", "correlation", (axis, f"{axis}_2"), "", group))
    for group, rule in model.effects.items():
        name = f"{EFFECT}_{group}"
        add(Site(name, "members", (group,), EFFECT, group, rule))
        add(Site(f"{name}_spread", "spread", (), EFFECT, group, rule))
    together = {group: tuple(coefficients) for group, coefficients in joint.items()}
    return Plan(MappingProxyType(sites), MappingProxyType(together))


def is_joint(model: ModelRecord, coefficient: Coefficient, group: str) -> bool:
    """Whether a coefficient's members are correlated with those of other coefficients."""
    return coefficient in plan(model).joint.get(group, ())


def _axis(model: ModelRecord, coefficient: Coefficient, dim: str) -> str:
    """Name an axis: what the law itself gives is measured by responses, scores by benchmarks."""
    if dim != "benchmark" or model.law.latent:
        return dim
    link = model.link.coefficients if model.link else ()
    of_scores = coefficient.name.startswith(OF_SCORES) or coefficient.name in {c.name for c in link}
    return dim if of_scores else "response"
