"""The door for a law of one's own, and the old imports that warn for one version."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import bayescale.own
import bayescale.parts
from bayescale.models.cards import model_from_card, model_of_law
from bayescale.parts import coefficients, inputs
from bayescale.parts.declare import law
from bayescale.parts.find import called, load_law

HEAD = """
from typing import Annotated

from bayescale.coefficients import positive
from bayescale.inputs import Flops
from bayescale.parts import law
"""
LAW = '''

@law(response="loss", unit="nats/token", source="mine")
def my_law(
    flops: Flops,
    *,
    E: Annotated[float, positive(1.8, 1.35)],
    A: Annotated[float, positive(0.5, 3)],
    alpha: Annotated[float, positive(0.15, 2)],
) -> float:
    """Loss is a floor and a power of compute."""
    return E + A * flops**-alpha
'''
VALUES = {"E": 1.5, "A": 0.5, "alpha": 1.0}


def test_one_import_is_enough_for_a_law(tmp_path: Path) -> None:
    path = tmp_path / "my_law.py"
    path.write_text("from bayescale.own import Annotated, Flops, law, positive\n" + LAW)
    assert load_law(f"{path}:my_law")(2.0, **VALUES) == 1.75


def test_every_input_that_there_is_stands_in_the_door() -> None:
    there = {name for name in vars(inputs) if name[0].isupper() and hasattr(inputs, name)}
    assert there - {"Any", "Array", "Kind", "Literal"} <= set(bayescale.own.__all__)
    assert all(hasattr(bayescale.own, name) for name in bayescale.own.__all__)


def test_a_law_with_the_old_imports_loads_and_is_told_the_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "my_law.py"
    path.write_text(HEAD + LAW)
    for name in ("coefficients", "inputs"):  # as in a new process: a module warns once
        sys.modules.pop(f"bayescale.{name}", None)
    with pytest.warns(FutureWarning, match=r"bayescale\.own") as caught:
        found = load_law(f"{path}:my_law")
    assert found(2.0, **VALUES) == 1.75
    # At the lines of the user's file; Python looks a name of a package up twice.
    assert {(Path(w.filename), w.lineno) for w in caught} == {(path, 4), (path, 5), (path, 6)}
    assert all("0.3" in str(w.message) for w in caught)


@pytest.mark.parametrize(("name", "new"), [("coefficients", coefficients), ("inputs", inputs)])
def test_an_old_module_has_the_names_of_the_new_one(name: str, new: object) -> None:
    sys.modules.pop(f"bayescale.{name}", None)
    with pytest.warns(FutureWarning, match=f"bayescale.{name} goes with version 0.3"):
        old = importlib.import_module(f"bayescale.{name}")
    public = {key for key in vars(new) if not key.startswith("_")}
    assert all(getattr(old, key) is getattr(new, key) for key in public)


def test_nothing_else_is_found_in_the_old_place_of_law() -> None:
    with pytest.warns(FutureWarning, match="import it from bayescale.own"):
        assert bayescale.parts.law is law
    with pytest.raises(AttributeError, match="has no attribute 'lawn'"):
        _ = bayescale.parts.lawn


def test_each_of_several_laws_in_one_file_is_found_again(tmp_path: Path) -> None:
    """A model, and a fit of it, name the law with its file, whatever it was loaded by."""
    path = tmp_path / "laws.py"
    body = LAW + LAW.replace("my_law", "my_other_law").replace("E + A", "2 * E + A")
    path.write_text("from bayescale.own import Annotated, Flops, law, positive\n" + body)
    for name in ("my_law", "my_other_law"):
        model = model_of_law(f"{path}:{name}")
        assert called(model.law) == f"{path}:{name}"
        again = model_from_card(model.card, laws=[load_law(called(model.law))])
        assert again.law.name == model.law.name
    assert called(load_law("chinchilla")) == "chinchilla"
