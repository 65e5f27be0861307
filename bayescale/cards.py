"""Model cards: TOML text <-> `Model`, and the changes that a call makes to one."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from bayescale.coefficients import (
    OF_BENCHMARKS,
    Coefficient,
    Pooling,
    Prior,
    pooling_from_card,
    prior_from_card,
)
from bayescale.datasets import load_table
from bayescale.errors import ModelError
from bayescale.model import OF_SCORES, Along, Model
from bayescale.parts import Part, find_part, load_law, parts
from bayescale.records import records_dir
from bayescale.table import Table
from bayescale.validation import suggest

REQUIRED = ("name", "claim", "law", "noise")
KEYS = {
    *REQUIRED,
    "link",
    "score",
    "reference",
    "inputs",
    "skills",
    "priors",
    "pooling",
    "effects",
    "along",
    "scatter",
    "notes",
    "table",
    "measured",
    "where",
    "result",
}
EFFECT = Prior("real", 0.0, 0.03)  # scale of shifts of a log response

Rules = str | Mapping[str, Any]
Pool = str | Mapping[str, Rules] | None


def list_models() -> list[str]:
    """List the names of the bundled models.

    Examples
    --------
    >>> "skills" in list_models()
    True
    """
    return sorted(path.stem for path in records_dir("models").glob("*.toml"))


def load_model(name: str | Path | Model) -> Model:
    """Read a model card, or take a law by itself.

    Parameters
    ----------
    name
        Name of a bundled model; path of a TOML card; name of a law that has no card, which then is
        fitted without pooling; or `FILE.py:LAW`, a law of your own. A `Model` is returned as it is.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        There is no such card or law, or it does not say what it must.
    """
    if isinstance(name, Model):
        return name
    text = str(name)
    path = Path(name)
    if path.suffix != ".toml":
        path = records_dir("models") / f"{name}.toml"
        if not path.is_file():
            known = list_models()
            laws = [law.name for law in parts("law").values() if not _of_leaderboard(law)]
            if ".py:" in text or text in laws:
                return model_of_law(text)
            raise ModelError(
                f"no model is called {text!r}{suggest(text, [*known, *laws])}; there are the "
                f"models {', '.join(known)}; the laws {', '.join(laws)}; or give the path of a "
                ".toml card, or FILE.py:LAW"
            )
    if not path.is_file():
        raise ModelError(f"no model card at {path}")
    return model_from_card(path.read_text(encoding="utf-8"), source=str(path))


def own_table(model: Model) -> Table:
    """Load the table that a model's card was written for, as far as the card wants it.

    Raises
    ------
    ModelError
        The card names no table.
    """
    if not model.table:
        raise ModelError(f"model {model.name} names no table of its own: give one to fit")
    table = load_table(model.table)
    if model.measured:
        table = table.select(benchmarks=model.measured)
    return table.where(**model.where) if model.where else table


def for_other_table(model: Model, table: Table) -> tuple[Model, list[str]]:
    """Leave out the groups of a card that another table than its own has no column for.

    So with the columns that its inputs have in its own table, where this one has them by name.
    Without the group along which neighbours share noise, the noise is the law's usual one.

    Parameters
    ----------
    model
        As its card has it: groups that a call asks for must be there.
    table
        Only its names of groups are looked at.

    Returns
    -------
    Model
        Itself, where the table has every group.
    list of str
        The groups left out.
    """
    pooled = {rule.group for rules in model.pooling.values() for rule in rules}
    lacking = {*pooled, *model.effects} - {"benchmark", *table.groups}
    along = model.along
    alone = along and (along.within not in table.groups or along.by not in table.inputs)
    renamed = {k: v for k, v in model.inputs.items() if k in table.inputs and v not in table.inputs}
    if model.of_leaderboard or not (lacking or alone or renamed):
        return model, []
    card = tomllib.loads(model.card)
    card["inputs"] = {k: v for k, v in model.inputs.items() if k not in renamed}
    if along and alone:
        lacking.add(along.within)
        card["noise"] = model.law.noise
        del card["along"]

    def there(rules: Mapping[str, Any]) -> dict[str, Any]:
        return {group: rule for group, rule in rules.items() if group not in lacking}

    kept = {name: there(_rules(rules)) for name, rules in card.get("pooling", {}).items()}
    card["pooling"] = {name: rules for name, rules in kept.items() if rules}
    card["effects"] = there(card.get("effects", {}))
    return model_from_card(tomli_w.dumps(card), source=f"model {model.name}, changed"), sorted(
        lacking
    )


def _of_leaderboard(law: Part) -> bool:
    return law.response in ("skills", "latent")


def model_of_law(name: str) -> Model:
    """Make a model of a law without pooling, with the noise that its kind of response has."""
    law = load_law(name)
    if law.origin:
        name = f"{law.origin}:{name.rpartition(':')[2]}"
    card = {"name": law.name, "claim": law.claim, "law": name, "noise": law.noise}
    return model_from_card(tomli_w.dumps(card), source=f"law {name}")


def customise(
    model: Model,
    *,
    pool: Pool = None,
    effects: Mapping[str, Rules] | Sequence[str] | None = None,
    noise: str | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    reference: Mapping[str, float] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> Model:
    """Change a model's card, and make the model anew.

    Parameters
    ----------
    model
        The model.
    pool
        Name of a group: every coefficient of the law is partially pooled over it. Or for each
        coefficient a group, or a mapping from groups to "partial", "correlated", "separate" or a
        rule as cards have it. "group:separate" is short for {"group": "separate"}.
    effects
        Groups whose members shift the log of the response.
    noise
        Name of another noise.
    priors
        For coefficients, median and spread.
    reference
        Values of inputs at the reference run, added to those given.
    inputs
        For inputs of the law, the table's columns.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        A name is unknown, or a rule makes no sense.
    """
    if not (pool or effects or noise or priors or reference or inputs):
        return model
    card = tomllib.loads(model.card)
    if isinstance(pool, str):
        pool = {c.name: pool for c in model.law.coefficients}
    for name, rules in (pool or {}).items():
        card.setdefault("pooling", {})[name] = _rules(rules)
    if effects is not None:
        given = effects if isinstance(effects, Mapping) else dict.fromkeys(effects, "partial")
        card["effects"] = {**card.get("effects", {}), **given}
    if noise is not None:
        card["noise"] = noise
    for key, changes in (("priors", priors), ("reference", reference), ("inputs", inputs)):
        if changes:
            plain = {k: list(v) if isinstance(v, tuple) else v for k, v in changes.items()}
            card[key] = {**card.get(key, {}), **plain}
    return model_from_card(tomli_w.dumps(card), source=f"model {model.name}, changed")


def _rules(rules: Rules) -> dict[str, Any]:
    if isinstance(rules, str):
        group, _, how = rules.partition(":")
        return {group: how or "partial"}
    return dict(rules)


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
        return _model(card, text)
    except (ModelError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ModelError(f"{source}: {error}") from error


def _model(card: Mapping[str, Any], text: str) -> Model:
    law = load_law(card["law"])
    scores = card.get("score", {})
    if scores and set(scores) != {"link", "noise"}:
        raise ModelError(f"[score] has a link and a noise; given: {', '.join(scores)}")
    if not _of_leaderboard(law) and (extra := {"link", "skills"} & set(card)):
        raise ModelError(
            f"{' and '.join(sorted(extra))} of a card is for leaderboards, and {law.name} is a law "
            f"of {law.response}: scores behind it take [score] link and noise"
        )
    link = card.get("link") if _of_leaderboard(law) else scores.get("link")
    bare = Model(
        name=card["name"],
        claim=card["claim"],
        law=law,
        noise=find_part("noise", card["noise"]),
        link=find_part("link", link) if link else None,
        score_noise=find_part("noise", scores["noise"]) if scores else None,
        reference={key: float(value) for key, value in card.get("reference", {}).items()},
        skills=_skills(card.get("skills", {})),
        inputs=dict(card.get("inputs", {})),
        effects={
            group: pooling_from_card(group, rule, EFFECT)
            for group, rule in card.get("effects", {}).items()
        },
        along=_along(card["along"]) if "along" in card else None,
        scatter=card.get("scatter", ""),
        table=card.get("table", ""),
        measured=tuple(card.get("measured", ())),
        where=card.get("where", {}),
        result=card.get("result", {}),
        card=text,
    )
    names = {c.name: c for c in bare.coefficients}
    pooled = card.get("pooling", {})
    given = card.get("priors", {})
    for used in (*given, *pooled):
        if used not in names:
            raise ModelError(f"no coefficient {used!r}{suggest(used, names)}")
    priors = {
        name: prior_from_card(f"prior of {name}", names[name].prior.support, pair)
        for name, pair in given.items()
    }
    rules = {
        name: tuple(
            pooling_from_card(group, rule, priors.get(name, names[name].prior))
            for group, rule in _rules(of_groups).items()
        )
        for name, of_groups in pooled.items()
    }
    model = replace(bare, pooling=rules, priors_given=priors)
    for problem in _problems(model, names):
        raise ModelError(problem)
    return model


def _along(card: Mapping[str, str]) -> Along:
    if set(card) != {"within", "by"}:
        raise ModelError(f"[along] has within = GROUP and by = INPUT; given: {', '.join(card)}")
    return Along(**card)


def _skills(skills: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    for skill, names in skills.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ModelError(
                f'skill "{skill}": give a list of benchmarks, such as ["MMLU"]; given: {names!r}'
            )
    return {skill: tuple(names) for skill, names in skills.items()}


def _problems(model: Model, names: Mapping[str, Coefficient]) -> Iterator[str]:
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


def _score_problems(model: Model) -> Iterator[str]:
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


def _clashes(model: Model) -> Iterator[str]:
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


def _leaderboard_problems(model: Model) -> Iterator[str]:
    if model.link is None:
        yield "missing key(s) link"
    if short := set(model.law.inputs) - set(model.reference):
        yield f"[reference] lacks {', '.join(sorted(short))}"
    if model.effects or model.along or model.score_noise:
        yield f"[effects], [along] and [score] are for laws of a quantity, not {model.law.name}"


def _leaderboard_rule(model: Model, coefficient: Coefficient, rule: Pooling) -> Iterator[str]:
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


def _rule(model: Model, coefficient: Coefficient, rule: Pooling) -> Iterator[str]:
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
