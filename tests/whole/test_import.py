"""`import bayescale` is fast, has no side effects, and every public name is there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from types import ModuleType

import pytest

import bayescale
from tests.kit.paths import ROOT

HEAVY = ("jax", "numpyro", "arviz_base", "arviz_stats", "pandas", "matplotlib", "scipy", "rich")


CHILDREN = ("children_user", "children_system")


def run_python(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    return done.stdout


def fastest(code: str, tries: int = 3) -> float:
    """Seconds of a processor that a new process needs beyond an empty one; the best of a few.

    Not by the clock, which counts what else a busy machine does.
    """

    def seconds(what: str) -> float:
        before = os.times()
        run_python(what)
        after = os.times()
        return sum(getattr(after, kind) - getattr(before, kind) for kind in CHILDREN)

    return min(seconds(code) - seconds("pass") for _ in range(tries))


def loaded_by(code: str, names: Sequence[str]) -> list[str]:
    """Of these modules, those that are loaded after some code."""
    ask = f"import json, sys; print(json.dumps([m for m in {names!r} if m in sys.modules]))"
    loaded: list[str] = json.loads(run_python(f"{code}\n{ask}"))
    return loaded


def test_import_takes_less_than_a_tenth_of_a_second() -> None:
    assert fastest("import bayescale") < 0.1


def test_help_takes_less_than_a_second() -> None:
    code = (
        "import sys; sys.argv = ['bayescale', '--help']; from bayescale.cli.app import main; main()"
    )
    assert fastest(code) < 1.0


def test_import_loads_no_heavy_module() -> None:
    code = (
        f"import sys, json, bayescale; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    )
    assert json.loads(run_python(code)) == []


def test_commands_are_defined_without_heavy_modules() -> None:
    assert loaded_by("import bayescale.cli.app", [name for name in HEAVY if name != "rich"]) == []


def test_import_changes_neither_the_environment_nor_jax() -> None:
    code = """
import json, os, jax
import joblib, pandera.pandas  # they set variables of their own
flags = dict(jax.config.values)
before = dict(os.environ)
import bayescale
for name in bayescale.__all__:
    getattr(bayescale, name)
print(json.dumps([name for name in flags if flags[name] != jax.config.values[name]]))
print(json.dumps(before == dict(os.environ)))
"""
    changed, same = run_python(code).splitlines()
    assert json.loads(changed) == []
    assert json.loads(same) is True


@pytest.mark.parametrize("name", bayescale.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(bayescale, name)
    assert not isinstance(value, ModuleType)
    assert name == "__version__" or value.__doc__


def test_public_names_are_sorted_and_those_of_the_stub() -> None:
    stub = (ROOT / "bayescale" / "__init__.pyi").read_text(encoding="utf-8")
    names = re.findall(r"^from \.\S+ import (\w+) as \1$", stub, flags=re.MULTILINE)
    assert len(names) == len(stub.splitlines())
    assert sorted(names) == sorted(bayescale.__all__)
    assert dir(bayescale) == sorted(bayescale.__all__) == bayescale.__all__


def test_no_file_or_folder_has_the_name_of_a_public_name() -> None:
    """Importing it would put the module in the place of the function."""
    for name in bayescale.__all__:
        assert importlib.util.find_spec(f"bayescale.{name}") is None, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="fitt"):
        bayescale.fitt  # noqa: B018
