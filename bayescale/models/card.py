"""`Card`: what a model card says, as typed values, read from the mapping that TOML gives."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any, NewType

from cattrs import BaseValidationError, Converter, ForbiddenExtraKeysError
from cattrs.cols import is_mapping, mapping_structure_factory
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn

from bayescale.base.errors import ModelError
from bayescale.base.words import suggest
from bayescale.models.record import Along

Rule = str | Mapping[str, Any]  # of one group: a word, or a spread with its prior
Rules = NewType("Rules", Mapping[str, Rule])  # by group
MedianSpread = NewType("MedianSpread", tuple[float, float])
Path = tuple[str, ...]  # of keys, from the card's top to a value


@dataclass(frozen=True, kw_only=True)
class Score:
    """Link and noise of scores that follow a law of a quantity."""

    link: str
    noise: str


@dataclass(frozen=True, kw_only=True)
class Drifting:
    """How a law drifts along an input: the order, and the scale's median and factor.

    The order is two, of the date one, where it is not given.
    `scale` is of what all runs share; `own` of what members of groups have beside it.
    `origin` says where it is zero, "reference" or "edge"; by default the edge of the data, for
    skills the reference run.
    """

    order: int | None = None
    scale: MedianSpread | None = None
    own: Mapping[str, MedianSpread] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model card says; the keys are those of `Model`, parts are named."""

    name: str
    claim: str
    law: str
    noise: str
    link: str = ""
    score: Score | None = None
    reference: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    skills: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    priors: Mapping[str, MedianSpread] = field(default_factory=dict)
    pooling: Mapping[str, Rules] = field(default_factory=dict)
    effects: Mapping[str, Rule] = field(default_factory=dict)
    along: Along | None = None
    scatter: str = ""
    drift: Mapping[str, Drifting] = field(default_factory=dict)
    notes: str = ""
    table: str = ""
    measured: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)


def read_card(mapping: Mapping[str, Any]) -> Card:
    """Read a card.

    Parameters
    ----------
    mapping
        As TOML gives it.

    Raises
    ------
    ModelError
        A key is unknown or missing, or a value is not of the kind that its key has.
    """
    try:
        return _CONVERTER.structure(mapping, Card)
    except BaseValidationError as error:
        raise ModelError(_told(mapping, error)) from error


def rules_of(said: str | Mapping[str, Rule]) -> dict[str, Rule]:
    """Give the rules of a coefficient by group: "GROUP" and "GROUP:HOW" are one rule."""
    if isinstance(said, str):
        group, _, how = said.partition(":")
        return {group: how or "partial"}
    return dict(said)


class _Misfit(Exception):
    """A value is not of the kind that its place has; the text says which kind."""


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise _Misfit("a text")
    return value


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Misfit("a number")
    return float(value)


def _whole(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Misfit("a whole number")
    return value


def _texts(value: Any, _: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _Misfit("a list of texts")
    return tuple(value)


def _median_spread(value: Any, _: Any) -> MedianSpread:
    if not isinstance(value, list) or len(value) != 2:
        raise _Misfit("two numbers")
    median, spread = (_number(each, float) for each in value)
    return MedianSpread((median, spread))


def _rule(value: Any, _: Any) -> Rule:
    if not isinstance(value, str | Mapping):
        raise _Misfit("a text or a table")
    return value


def _rules(value: Any, _: Any) -> Rules:
    return Rules({group: _rule(rule, Rule) for group, rule in rules_of(_rule(value, Rule)).items()})


def _of_a_table(inner: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Read with `inner` what is a table."""

    def read(value: Any, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _Misfit("a table")
        return inner(value, kind)

    return read


def _converter() -> Converter:
    made = Converter(forbid_extra_keys=True)
    made.register_structure_hook_factory(
        is_dataclass,
        lambda kind: _of_a_table(
            make_dict_structure_fn(kind, made, _cattrs_forbid_extra_keys=True)
        ),
    )
    made.register_structure_hook_factory(
        is_mapping, lambda kind: _of_a_table(mapping_structure_factory(kind, made))
    )
    made.register_structure_hook(str, _text)
    made.register_structure_hook(float, _number)
    made.register_structure_hook(int, _whole)
    others: dict[Any, Callable[[Any, Any], Any]] = {
        tuple[str, ...]: _texts,
        MedianSpread: _median_spread,
        Rule: _rule,
        Rules: _rules,
    }
    for kind, hook in others.items():
        made.register_structure_hook_func(partial(operator.eq, kind), hook)
    return made


_CONVERTER = _converter()

# What is told of faults in the keys of a table, and in the values of one.
OF_KEYS = {
    "score": "[score] has a link and a noise",
    "along": "[along] has within = GROUP and by = INPUT",
}
OF_VALUES = {
    "skills": 'skill "{key}": give a list of benchmarks, such as ["MMLU"]',
    "priors": "prior of {key} = [median, spread], two numbers",
}


def _told(card: Mapping[str, Any], error: BaseValidationError) -> str:
    """Say the first fault: an unknown key before a missing one, these before a wrong value."""
    faults = list(_faults(error))
    for path, fault in faults:
        if not isinstance(fault, _Misfit | ForbiddenExtraKeysError) and not _missing(
            card, path, fault
        ):
            raise fault  # a slip in this file is no fault of the card
    for path, fault in faults:
        if isinstance(fault, ForbiddenExtraKeysError) and not path:
            name, known = min(fault.extra_fields), {each.name for each in fields(Card)}
            return f"unknown key {name!r}{suggest(name, known)}"
    if missing := [p[0] for p, fault in faults if len(p) == 1 and _missing(card, p, fault)]:
        return f"missing key(s) {', '.join(sorted(missing))}"
    path, fault = faults[0]
    if path[0] == "drift" and isinstance(fault, ForbiddenExtraKeysError):
        name, known = min(fault.extra_fields), {each.name for each in fields(Drifting)}
        return f"[{'.'.join(path)}] has no key {name!r}{suggest(name, known)}"
    of_keys = OF_KEYS.get(path[0])
    if of_keys and (len(path) == 1 or not isinstance(fault, _Misfit)):
        given = card[path[0]]
        keys = ", ".join(given) if isinstance(given, Mapping) else repr(given)
        return f"{of_keys}; given: {keys}"
    if path[0] in OF_VALUES and len(path) > 1:
        return f"{OF_VALUES[path[0]].format(key=path[1])}; given: {_at(card, path[:2])!r}"
    table = f"[{'.'.join(path[:-1])}] " if path[1:] else ""
    return f"{table}{path[-1]} is {fault}; given: {_at(card, path)!r}"


def _faults(error: BaseValidationError, path: Path = ()) -> Iterator[tuple[Path, Exception]]:
    """Give every fault with the keys that lead to it."""
    for each in error.exceptions:
        keys = [
            note.name if isinstance(note, AttributeValidationNote) else str(note.index)
            for note in getattr(each, "__notes__", ())
            if isinstance(note, AttributeValidationNote | IterableValidationNote)
        ]
        place = (*path, *keys)
        if isinstance(each, BaseValidationError):
            yield from _faults(each, place)
        else:
            yield place, each


def _missing(card: Mapping[str, Any], path: Path, fault: Exception) -> bool:
    return isinstance(fault, KeyError) and bool(path) and path[-1] not in _at(card, path[:-1])


def _at(card: Mapping[str, Any], path: Path) -> Any:
    value: Any = card
    for key in path:
        value = value[key]
    return value
