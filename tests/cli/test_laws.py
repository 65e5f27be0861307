"""`bayescale laws`: every law is listed, and a card tells all that a law declares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import bayescale
from bayescale.cli.app import app
from tests.kit.paths import ROOT


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["laws", *map(str, args)])


def test_every_law_is_listed_under_its_structure() -> None:
    rows = json.loads(run("--json").stdout)
    assert [row["law"] for row in rows] == bayescale.list_laws()
    assert all(row["claim"] and row["inputs"] and row["response"] for row in rows)
    shown = run().stdout
    for row in rows:
        assert row["group"] in shown
        assert f"│ {row['law']} " in shown
    title, _, rest = shown.partition("Sums of power terms")
    assert "│ chinchilla " in rest.partition("What is best at a budget")[0]
    assert "│ chinchilla " not in title


def test_a_card_tells_formula_units_priors_source_and_traps() -> None:
    shown = run("chinchilla").stdout
    law = bayescale.load_law("chinchilla")
    for told in (law.claim, law.formula, law.source, law.status, *law.traps):
        assert told in shown
    assert "usually 1 to 10" in shown
    found = json.loads(run("chinchilla", "--json").stdout)
    floor = found["coefficients"][0]
    low, high = law.coefficients[0].prior.interval()
    assert floor == {
        "name": "E",
        "unit": "nats/token",
        "median": 1.8,
        "q05": pytest.approx(low),
        "q95": pytest.approx(high),
        "meaning": "loss that nothing buys down",
    }
    assert [row["divided by"] for row in found["inputs"]] == ["its reference", "its reference"]
    assert found["published"][0] == {
        "from": "Besiroglu et al. 2024",
        **law.published["Besiroglu et al. 2024"],
    }


def test_a_card_tells_what_an_input_is_divided_by() -> None:
    found = json.loads(run("data-constrained", "--json").stdout)
    assert found["inputs"][2]["divided by"] == "the reference of tokens"
    [experts] = [
        row
        for row in json.loads(run("joint-moe", "--json").stdout)["inputs"]
        if row["input"] == "experts"
    ]
    assert experts["divided by"] == "nothing"


@pytest.mark.parametrize("name", bayescale.list_laws())
def test_every_law_has_a_card(name: str) -> None:
    result = run(name)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{name}: ")


def test_a_law_of_ones_own_has_a_card(tmp_path: Path) -> None:
    path = tmp_path / "my_law.py"
    path.write_text(
        "from typing import Annotated\n"
        "from bayescale.own import Tokens, law, positive\n"
        '@law(response="loss", source="me")\n'
        "def mine(tokens: Tokens, *, A: Annotated[float, positive(0.5, 2)]) -> float:\n"
        '    """A line."""\n'
        "    return A * tokens\n"
    )
    shown = run(f"{path}:mine").stdout
    assert "mine: A line." in shown
    assert "usually any" in shown
    assert f"from {path}" in shown.replace("\n", "")


def test_the_law_in_the_readme_is_one(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    path = tmp_path / "my_law.py"
    path.write_text(readme.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    law = bayescale.load_law(f"{path}:my_law")
    assert float(law(1.0, E=1.8, A=0.5, alpha=0.15)) == pytest.approx(2.3)
    assert [c.name for c in law.coefficients] == ["E", "A", "alpha"]
    shown = run(f"{path}:my_law").stdout
    assert "my-law: Loss is a floor and a power of compute." in shown


def test_a_misspelt_law_is_an_error_with_a_hint() -> None:
    result = run("chinchila")
    assert result.exit_code == 1
    assert "no law is called 'chinchila' (did you mean \"chinchilla\"?)" in result.stderr
