"""What in a model the density has no meaning for: pooling, links, effects and names that clash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bayescale.base.words import suggest
from bayescale.models.cells import drifting
from bayescale.models.plan import RUN, plan
from bayescale.models.record import OF_SCORES, ModelRecord
from bayescale.parts.coefficients import OF_BENCHMARKS, Coefficient, Pooling
from bayescale.parts.drift import RELEASED
from bayescale.parts.find import parts
from bayescale.parts.part import Link, Noise

YEARS = (1990.0, 2100.0)  # of a reference run


def problems(model: ModelRecord, names: Mapping[str, Coefficient]) -> Iterator[str]:
    """Say what in a model the density has no meaning for."""
    yield from _leaderboard_problems(model) if model.of_leaderboard else _quantity_problems(model)
    yield from _unknown_inputs(model, model.inputs)
    if model.scatter and model.scatter not in model.law.inputs:
        yield f"scatter names {model.scatter!r}, which is no input of {model.law.name}"
    if model.scatter and "spread" not in {c.name for c in model.noise.coefficients}:
        yield f"noise {model.noise.name} has no spread to change with {model.scatter}"
    if "previous" in model.noise.inputs and model.along is None:
        yield f"noise {model.noise.name} needs [along] within = GROUP, by = INPUT"
    for group, rule in model.effects.items():
        if rule.spread is None or rule.correlated:
            yield f"effects of {group}: give partial, or spread = [median, factor]"
    yield from _drift_problems(model)
    yield from _clashes(model)
    for name, rules in model.pooling.items():
        if len(rules) > 1 and any(rule.spread is None for rule in rules):
            yield (
                f"pooling {name}: separate members of one group leave nothing for another group to "
                "tell; give one rule, or partial for each"
            )
        for rule in rules:
            yield from _rule_problems(model, names[name], rule)
    for group, together in plan(model).joint.items():
        if len(together) < 2:
            yield f"pooling {together[0].name} over {group}: it is correlated with nothing"


def _quantity_problems(model: ModelRecord) -> Iterator[str]:
    """Scores are pinned at the reference run, which therefore must have every input."""
    yield from _unknown_inputs(model, model.reference)
    if model.link is None:
        return
    if model.link.of == "latent":
        yield f"link {model.link.name} is of skills: choose one of a loss, such as downstream-exp"
    for column in model.law.columns:
        if column.reference is None:
            yield (
                f"[score] needs a law whose inputs all have a reference, and {column.name} of "
                f"{model.law.name} is used as it is"
            )


def _unknown_inputs(model: ModelRecord, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name not in model.law.inputs:
            known = ", ".join(model.law.inputs)
            yield f"{model.law.name} has no input {name!r}; its inputs are {known}"


def _drift_problems(model: ModelRecord) -> Iterator[str]:
    if not model.of_leaderboard and model.drift and not model.law.noise.endswith("-log"):
        yield f"[drift] is of the log of a response, and that of {model.law.name} may be negative"
    known = drifting(model.law.columns) + ([RELEASED] if model.of_leaderboard else [])
    for along, drift in model.drift.items():
        if model.of_leaderboard and drift.own:
            yield f"[drift.{along}] own is of laws of a quantity, not {model.law.name}"
        if odd := {*OF_BENCHMARKS, RUN} & {*drift.own}:
            yield f"[drift.{along}] own names {odd.pop()}: drift differs by groups of runs"
        if along not in known:
            yield (
                f"[drift.{along}] is along no input of {model.law.name}{suggest(along, known)}; it "
                f"may drift along {', '.join(known) or 'none'}"
            )


def _clashes(model: ModelRecord) -> Iterator[str]:
    """Say which names of sites two coefficients share."""
    for name in plan(model).twice:
        yield (
            f"two coefficients are called {name!r} (of the law, its pooling, the link or the "
            "noise): rename the one in your law"
        )


def _leaderboard_problems(model: ModelRecord) -> Iterator[str]:
    if model.link is None:
        yield "missing key(s) link"
    needed = {c.reference or c.name for c in model.law.columns} | {RELEASED} & set(model.drift)
    if short := needed - set(model.reference):
        yield f"[reference] lacks {', '.join(sorted(short))}"
    year = model.reference.get(RELEASED, YEARS[0])
    if not YEARS[0] <= year <= YEARS[1]:
        yield f"[reference] released is a year, such as 2023.5; given: {year:g}"
    if other := [c.name for c in model.law.columns if c.kind not in ("number", "flag")]:
        yield f"{model.law.name} is a law of skills, which reads numbers: {other[0]} is none"
    if model.link is not None and model.link.of == "loss":
        fit = ", ".join(name for name, link in parts(Link).items() if link.of == "latent")
        yield f"link {model.link.name} is of a loss: choose one of skills: {fit}"
    if not model.noise.scores:
        fit = ", ".join(name for name, noise in parts(Noise).items() if noise.scores)
        yield f"noise {model.noise.name} is not for scores of leaderboards: choose one of {fit}"
    if model.score_noise:
        yield f"[score] is for laws of a quantity, not {model.law.name}"


def _rule_problems(model: ModelRecord, coefficient: Coefficient, rule: Pooling) -> Iterator[str]:
    of = f"pooling {coefficient.name} over {rule.group}"
    name, by_benchmark = coefficient.name, "benchmark" in coefficient.dims
    own = name in {c.name for c in model.law.coefficients}
    of_noise = name in {c.name for c in model.noise.coefficients} or name.startswith(OF_SCORES)
    if rule.correlated and rule.group in OF_BENCHMARKS:
        yield f"{of}: give partial or separate"
    if model.of_leaderboard:
        if rule.group in OF_BENCHMARKS and not by_benchmark:
            yield f"{of}: {name} does not differ by benchmark"
        if rule.group == "other" and model.law.response != "skills":
            yield f"{of}: {model.law.name} has no anchors; pool over benchmark"
        if rule.correlated and coefficient.dims != ("skill",) and (coefficient.dims or not own):
            yield f"{of}: only coefficients of skills, or single numbers, can be correlated"
        return
    if rule.group == "other":
        yield f"{of}: {model.law.name} has no anchors; pool over benchmark"
    if rule.group == "benchmark" and not own:
        yield f"{of}: {name} differs by benchmark already; take the rule out"
    if rule.correlated and (coefficient.dims or not own):
        yield f"{of}: only single numbers of the law can be correlated"
    if rule.group == "benchmark" and any(c.kind == "series" for c in model.law.columns):
        yield f"{of}: a law of a series has one response"
    if of_noise:
        yield f"{of}: noise does not vary by group"
