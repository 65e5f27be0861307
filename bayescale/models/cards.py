"""Model cards: TOML text <-> `Model`, and the changes that a call makes to one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from bayescale.base.errors import ModelError
from bayescale.base.records import records_dir
from bayescale.base.words import suggest
from bayescale.models.card import Card, Rule, read_card, rules_of
from bayescale.models.card_checks import problems
from bayescale.models.card_drift import drift_from_card, written_drifts
from bayescale.models.model import Model
from bayescale.models.plan import RUN
from bayescale.parts.coefficients import OF_BENCHMARKS, Prior, pooling_from_card, prior_from_card
from bayescale.parts.drift import RELEASED
from bayescale.parts.find import Own, called, find_part, is_called, load_law, own_laws, parts
from bayescale.parts.part import Law, Link, Noise
from bayescale.tables.named import load_table
from bayescale.tables.table import Table, group_columns

EFFECT = Prior("real", 0.0, 0.03)  # scale of shifts of a log response
EFFECT_ON_LOGITS = Prior("real", 0.0, 1.0)

Rules = str | Mapping[str, Rule]
Pool = str | Mapping[str, Rules] | None
Drifts = str | Sequence[str] | Mapping[str, Mapping[str, Any]] | None


def list_models() -> list[str]:
    """List the names of the bundled models.

    Examples
    --------
    >>> "skills" in list_models()
    True
    """
    return sorted(path.stem for path in records_dir("models").glob("*.toml"))


def load_model(name: str | Path | Model, *, law: Own = ()) -> Model:
    """Read a model card, or take a law by itself.

    A card never runs a file: where its law is your own, you name that yourself.

    Parameters
    ----------
    name
        Name of a bundled model; path of a TOML card; name of a law that has no card, which then is
        fitted without pooling; or `FILE.py:LAW`, a law of your own. A `Model` is returned as it is.
    law
        Of a card whose law is in a file: `FILE.py:LAW`, the law, or several that it may be of.

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
            laws = [law.name for law in parts(Law).values() if not law.latent]
            if ".py:" in text or text in laws:
                return model_of_law(text)
            raise ModelError(
                f"no model is called {text!r}{suggest(text, [*known, *laws])}; there are the "
                f"models {', '.join(known)}; the laws {', '.join(laws)}; or give the path of a "
                ".toml card, or FILE.py:LAW"
            )
    if not path.is_file():
        raise ModelError(f"no model card at {path}")
    text = path.read_text(encoding="utf-8")
    return model_from_card(text, source=str(path), laws=own_laws(law))


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
    Without the group along which neighbours share noise, the noise is the law's usual one. Without
    any date nothing drifts along it.

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
        The groups left out, and "released" where there are no dates.
    """
    pooled = {rule.group for rules in model.pooling.values() for rule in rules}
    drifting_alone = {group for drift in model.drift.values() for group in drift.own}
    lacking = {*pooled, *model.effects, *drifting_alone}
    lacking -= {RUN, *OF_BENCHMARKS, *group_columns(table)}
    along = model.along
    alone = along and (along.within not in table.groups or along.by not in table.inputs)
    undated = RELEASED in model.drift and not (table.runs[RELEASED] != "").any()
    renamed = {k: v for k, v in model.inputs.items() if k in table.inputs and v not in table.inputs}
    if not (lacking or alone or renamed or undated):
        return model, []
    card = tomllib.loads(model.card)
    card["inputs"] = {k: v for k, v in model.inputs.items() if k not in renamed}
    if undated:
        card["drift"] = {k: v for k, v in card["drift"].items() if k != RELEASED}
        lacking.add(RELEASED)
    if along and alone:
        lacking.add(along.within)
        card["noise"] = model.law.noise
        del card["along"]

    def there(rules: Mapping[str, Any]) -> dict[str, Any]:
        return {group: rule for group, rule in rules.items() if group not in lacking}

    kept = {name: there(rules_of(rules)) for name, rules in card.get("pooling", {}).items()}
    card["pooling"] = {name: rules for name, rules in kept.items() if rules}
    card["effects"] = there(card.get("effects", {}))
    for said in card.get("drift", {}).values():
        said["own"] = there(said.get("own", {}))
    return _changed(model, card), sorted(lacking)


def model_of_law(name: str) -> Model:
    """Make a model of a law without pooling, with the noise that its kind of response has.

    A law of a positive quantity drifts from the edge of the data on, as in its card.
    """
    law = load_law(name)
    name = called(law)
    card: dict[str, Any] = {"name": law.name, "claim": law.claim, "law": name, "noise": law.noise}
    if not law.latent and law.noise.endswith("-log"):
        card["drift"] = written_drifts(law, "usual", dated=False)
    return model_from_card(tomli_w.dumps(card), source=f"law {name}", laws=[law])


def customise(
    model: Model,
    *,
    pool: Pool = None,
    effects: Mapping[str, Rules] | Sequence[str] | None = None,
    noise: str | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    reference: Mapping[str, float] | None = None,
    inputs: Mapping[str, str] | None = None,
    drift: Drifts = None,
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
        Groups whose members shift the log of the response, or skills and latent scores.
    noise
        Name of another noise.
    priors
        For coefficients, median and spread.
    reference
        Values of inputs at the reference run, added to those given.
    inputs
        For inputs of the law, the table's columns.
    drift
        "none"; "usual", along every input of the law and compute; names of inputs; or for each
        what cards say of it: `order`, `scale`, `own`, `origin`.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        A name is unknown, or a rule makes no sense.
    """
    if drift is None and not (pool or effects or noise or priors or reference or inputs):
        return model
    card = tomllib.loads(model.card)
    if isinstance(pool, str):
        pool = {c.name: pool for c in model.law.coefficients}
    for name, rules in (pool or {}).items():
        card.setdefault("pooling", {})[name] = rules_of(rules)
    if effects is not None:
        given = effects if isinstance(effects, Mapping) else dict.fromkeys(effects, "partial")
        card["effects"] = {**card.get("effects", {}), **given}
    if noise is not None:
        card["noise"] = noise
    for key, changes in (("priors", priors), ("reference", reference), ("inputs", inputs)):
        if changes:
            plain = {k: list(v) if isinstance(v, tuple) else v for k, v in changes.items()}
            card[key] = {**card.get(key, {}), **plain}
    if drift is not None:
        dated = RELEASED in model.reference
        card["drift"] = written_drifts(model.law, drift, dated=dated)
    return _changed(model, card)


def _changed(model: Model, card: Mapping[str, Any]) -> Model:
    source = f"model {model.name}, changed"
    return model_from_card(tomli_w.dumps(card), source=source, laws=[model.law])


def model_from_card(text: str, *, source: str = "the card", laws: Sequence[Law] = ()) -> Model:
    """Make a model from the text of its card.

    Parameters
    ----------
    text
        The card. No file that it names is imported.
    source
        Where it is from, for messages.
    laws
        Laws of the user's own that a card may be of.

    Raises
    ------
    ModelError
        The text is no TOML, or a key is missing, unknown or wrong.
    """
    try:
        mapping = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{source} is not TOML: {error}") from error
    try:
        return _model(read_card(mapping), text, laws)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from error


def of_file(law: str) -> bool:
    """Tell whether the name of a law is one in a file, FILE.py:LAW."""
    return law.rpartition(":")[0].endswith(".py") or law.endswith(".py")


def _law(card: Card, laws: Sequence[Law]) -> Law:
    """Find the law of a card: one that BayeScale ships, or one of a file that a caller named."""
    if not of_file(card.law):
        return load_law(card.law)
    variable = card.law.rpartition(":")[2]
    own = [law for law in laws if law.origin]
    if found := next((law for law in own if is_called(law, variable)), None):
        return found
    other = [f"{law.name} in {law.origin} is another" for law in own]
    raise ModelError(
        f"its law is in a file, {card.law}, which no card runs by itself: look at that file, and "
        f"name it with --law {card.law} (in Python, law={card.law!r}){'; '.join(['', *other])}"
    )


def _model(card: Card, text: str, laws: Sequence[Law]) -> Model:
    law = _law(card, laws)
    of_scores = [key for key in ("link", "skills") if getattr(card, key)]
    if of_scores and not law.latent:
        raise ModelError(
            f"{' and '.join(of_scores)} of a card is for leaderboards, and {law.name} is a law "
            f"of {law.response}: scores behind it take [score] link and noise"
        )
    of_quantity = card.score.link if card.score else ""
    link = card.link if law.latent else of_quantity
    bare = Model(
        name=card.name,
        claim=card.claim,
        law=law,
        noise=find_part(Noise, card.noise),
        link=find_part(Link, link) if link else None,
        score_noise=find_part(Noise, card.score.noise) if card.score else None,
        reference=card.reference,
        skills=card.skills,
        inputs=card.inputs,
        effects={
            group: pooling_from_card(group, rule, EFFECT_ON_LOGITS if law.latent else EFFECT)
            for group, rule in card.effects.items()
        },
        along=card.along,
        scatter=card.scatter,
        drift={
            along: drift_from_card(law, along, card.inputs.get(along, along), given)
            for along, given in card.drift.items()
        },
        table=card.table,
        measured=card.measured,
        where=card.where,
        result=card.result,
        card=text,
    )
    names = {c.name: c for c in bare.coefficients}
    for used in (*card.priors, *card.pooling):
        if used not in names:
            raise ModelError(f"no coefficient {used!r}{suggest(used, names)}")
    priors = {
        name: prior_from_card(f"prior of {name}", names[name].prior.support, pair)
        for name, pair in card.priors.items()
    }
    rules = {
        name: tuple(
            pooling_from_card(group, rule, priors.get(name, names[name].prior))
            for group, rule in of_groups.items()
        )
        for name, of_groups in card.pooling.items()
    }
    model = replace(bare, pooling=rules, priors_given=priors)
    for problem in problems(model, names):
        raise ModelError(problem)
    return model
