"""What in a model the density has no meaning for: pooling, links, effects and names that clash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bayescale.models.record import OF_SCORES, ModelRecord
from bayescale.parts.coefficients import OF_BENCHMARKS, Coefficient, Pooling
from bayescale.parts.find import parts
from bayescale.parts.part import Link, Noise


def problems(model: ModelRecord, names: Mapping[str, Coefficient]) -> Iterator[str]:
    """Say what in a model the density has no meaning for."""
    if model.of_leaderboard:
        yield from _leaderboard_problems(model)
    else:
        for key in (*model.inputs, *model.reference):
            if key not in model.law.inputs:
                known = ", ".join(model.law.inputs)
                yield f"{model.law.name} has no input {key!r}; its inputs are {known}"
        if model.scatter and model.scatter not in model.law.inputs:
            yield f"scatter names {model.scatter!r}, which is no input of {model.law.name}"
        if model.scatter and "spread" not in {c.name for c in model.noise.coefficients}:
            yield f"noise {model.noise.name} has no spread to change with {model.scatter}"
        if "previous" in model.noise.inputs and model.along is None:
            yield f"noise {model.noise.name} needs [along] within = GROUP, by = INPUT"
        yield from _score_problems(model)
        for group, rule in model.effects.items():
            if rule.spread is None or rule.correlated:
                yield f"effects of {group}: give partial, or spread = [median, factor]"
        yield from _clashes(model)
    for name, rules in model.pooling.items():
        if len(rules) > 1 and any(rule.spread is None for rule in rules):
            yield (
                f"pooling {name}: separate members of one group leave nothing for another group to "
                "tell; give one rule, or partial for each"
            )
        check = _leaderboard_rule if model.of_leaderboard else _rule
        for rule in rules:
            yield from check(model, names[name], rule)


def _score_problems(model: ModelRecord) -> Iterator[str]:
    """Scores are pinned at the reference run, which therefore must have every input."""
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


def _clashes(model: ModelRecord) -> Iterator[str]:
    """Say which names of sites two coefficients share."""
    names = [c.name for c in model.coefficients]
    for name, rules in model.pooling.items():
        names += [f"{name}_{rule.group}" for rule in rules]
        names += [f"{name}_{rule.group}_spread" for rule in rules if rule.spread]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield (
            f"two coefficients are called {name!r} (of the law, its pooling, the link or the "
            "noise): rename the one in your law"
        )


def _leaderboard_problems(model: ModelRecord) -> Iterator[str]:
    if model.link is None:
        yield "missing key(s) link"
    if short := set(model.law.inputs) - set(model.reference):
        yield f"[reference] lacks {', '.join(sorted(short))}"
    if model.link is not None and model.link.of == "loss":
        fit = ", ".join(name for name, link in parts(Link).items() if link.of == "latent")
        yield f"link {model.link.name} is of a loss: choose one of skills: {fit}"
    if not model.noise.scores:
        fit = ", ".join(name for name, noise in parts(Noise).items() if noise.scores)
        yield f"noise {model.noise.name} is not for scores of leaderboards: choose one of {fit}"
    if model.effects or model.along or model.score_noise:
        yield f"[effects], [along] and [score] are for laws of a quantity, not {model.law.name}"


def _leaderboard_rule(model: ModelRecord, coefficient: Coefficient, rule: Pooling) -> Iterator[str]:
    of = f"pooling {coefficient.name} over {rule.group}"
    of_benchmarks = rule.group in OF_BENCHMARKS
    if rule.group not in ("family", "run", *OF_BENCHMARKS):
        known = ", ".join(("family", "run", *OF_BENCHMARKS))
        yield f"pooling {coefficient.name} over {rule.group!r}: choose one of {known}"
    if rule.spread is None:
        yield f"{of}: a leaderboard's groups share strength; give a spread"
    if of_benchmarks and coefficient.dims != ("benchmark",):
        yield f"{of}: {coefficient.name} does not differ by benchmark"
    if rule.group == "other" and model.law.response != "skills":
        yield f"{of}: {model.law.name} has no anchors; pool over benchmark"
    if not of_benchmarks and (not coefficient.dims or coefficient.name == "loading"):
        yield f"{of}: {coefficient.name} is the same for every {rule.group}; take the rule out"
    if rule.correlated and coefficient.dims != ("skill",):
        yield f"{of}: only coefficients of skills can be correlated"


def _rule(model: ModelRecord, coefficient: Coefficient, rule: Pooling) -> Iterator[str]:
    of = f"pooling {coefficient.name} over {rule.group}"
    own = coefficient.name in {c.name for c in model.law.coefficients}
    if rule.group == "benchmark" and not own:
        yield f"{of}: {coefficient.name} differs by benchmark already; take the rule out"
    if rule.correlated and (coefficient.dims or not own):
        yield f"{of}: only single numbers of the law can be correlated"
    if rule.group == "benchmark" and any(c.kind == "series" for c in model.law.columns):
        yield f"{of}: a law of a series has one response"
    if rule.correlated and rule.group == "benchmark":
        yield f"{of}: give partial or separate"
    if coefficient.name.startswith(OF_SCORES) or coefficient.name in {
        c.name for c in model.noise.coefficients
    }:
        yield f"{of}: noise does not vary by group"
