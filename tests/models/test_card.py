"""A card becomes typed values; faults of its writer are told in words, our own are not hidden."""

from __future__ import annotations

from typing import Any

import pytest

from bayescale.base.errors import ModelError
from bayescale.models import card
from bayescale.models.card import Card, Score, read_card
from bayescale.models.cards import model_from_card

LEAST = {"name": "x", "claim": "X.", "law": "chinchilla", "noise": "normal-log"}


def test_a_card_is_typed_values() -> None:
    more = {
        "reference": {"params": 10**9},
        "measured": ["loss"],
        "priors": {"E": [2, 1.5]},
        "pooling": {"E": "corpus", "A": "lab:separate", "B": {"lab": {"spread": [0.1, 2]}}},
        "score": {"link": "downstream-exp", "noise": "normal"},
        "where": {"size": ["1B", 3]},
    }
    found = read_card({**LEAST, **more})
    assert isinstance(found.reference["params"], float)
    assert (found.measured, found.priors) == (("loss",), {"E": (2.0, 1.5)})
    assert found.pooling == {
        "E": {"corpus": "partial"},
        "A": {"lab": "separate"},
        "B": {"lab": {"spread": [0.1, 2]}},
    }
    assert found.score == Score(link="downstream-exp", noise="normal")
    assert found.where == {"size": ["1B", 3]}
    assert read_card(LEAST) == Card(**LEAST)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"name": 3}, "name is a text; given: 3"),
        ({"clam": 3, "claims": 4}, "unknown key 'claims' (did you mean \"claim\"?)"),
        ({"reference": {"params": "1e9"}}, "[reference] params is a number; given: '1e9'"),
        ({"reference": 3}, "reference is a table; given: 3"),
        ({"measured": "loss"}, "measured is a list of texts; given: 'loss'"),
        ({"inputs": {"x": 3}}, "[inputs] x is a text; given: 3"),
        ({"scatter": True}, "scatter is a text; given: True"),
        ({"pooling": {"E": 3}}, "[pooling] E is a text or a table; given: 3"),
        ({"effects": {"lab": 3}}, "[effects] lab is a text or a table; given: 3"),
        ({"along": "lab"}, "[along] has within = GROUP and by = INPUT; given: 'lab'"),
        ({"along": {"within": "lab"}}, "[along] has within = GROUP and by = INPUT; given: within"),
        (
            {"score": {"link": "x", "nose": "y"}},
            "[score] has a link and a noise; given: link, nose",
        ),
        ({"score": {"link": 1, "noise": "y"}}, "[score] link is a text; given: 1"),
        (
            {"priors": {"E": [1.0, "x"]}},
            "prior of E = [median, spread], two numbers; given: [1.0, 'x']",
        ),
        ({"priors": {"E": [1.0]}}, "prior of E = [median, spread], two numbers; given: [1.0]"),
        (
            {"skills": {"logic": "BBH"}},
            'skill "logic": give a list of benchmarks, such as ["MMLU"]; given: \'BBH\'',
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_was_given(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_card({**LEAST, **more})
    assert str(caught.value) == told


def test_every_missing_key_is_told_at_once() -> None:
    with pytest.raises(ModelError) as caught:
        read_card({"name": "x", "law": 3})
    assert str(caught.value) == "missing key(s) claim, noise"


@pytest.mark.parametrize("slip", [KeyError, TypeError, ValueError, AttributeError])
def test_a_slip_in_our_own_code_is_not_told_as_a_fault_of_the_card(
    slip: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(*_: Any) -> Any:
        raise slip("ours")

    monkeypatch.setattr("bayescale.models.cards.find_part", careless)
    with pytest.raises(slip, match="ours"):
        model_from_card("\n".join(f'{key} = "{value}"' for key, value in LEAST.items()))
    monkeypatch.setattr(card, "rules_of", careless)
    with pytest.raises(slip, match="ours"):
        read_card({**LEAST, "pooling": {"E": "corpus"}})
