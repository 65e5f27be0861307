"""What a release must carry, and that its parts agree."""

from __future__ import annotations

import re
import tomllib

import pytest

import bayescale
from bayescale.base.records import records_dir
from tests.kit.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    "name",
    ["LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "data/NOTICE"],
)
def test_is_present_and_not_empty(name: str) -> None:
    assert (ROOT / name).read_text().strip()


def test_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert PROJECT["project"]["license"] == "Apache-2.0"


def test_versions_agree() -> None:
    assert f"version: {bayescale.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert bayescale.__version__ in (ROOT / "CHANGELOG.md").read_text()


def test_change_log_begins_with_what_is_not_released() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_records_are_found_in_the_checkout() -> None:
    assert records_dir("data") == ROOT / "data"
    assert records_dir("models") == ROOT / "models"
    assert {"open-llm-leaderboard", "sloth-2024"} <= {*bayescale.list_tables()}
    assert {"skills", "observational", "compute"} <= {*bayescale.list_models()}


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    for line in PROJECT["project"]["dependencies"]:
        bounds = line.split(";")[0]
        assert ">=" in bounds, line
        assert ",<" in bounds, line


def test_every_tool_is_pinned() -> None:
    for line in PROJECT["project"]["optional-dependencies"]["dev"]:
        assert "==" in line, line
