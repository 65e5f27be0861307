"""Tutorials are stored with the outputs of one clean run; `make tutorial` runs them again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.kit.paths import ROOT

FOLDER = ROOT / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_is_a_tutorial() -> None:
    assert [path.name[:3] for path in NOTEBOOKS] == [
        f"{i:02}-" for i in range(1, len(NOTEBOOKS) + 1)
    ]
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_of_one_clean_run_are_stored(path: Path) -> None:
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    kinds = {output["output_type"] for output in outputs}
    assert "error" not in kinds
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_name_no_place_on_the_authors_machine(path: Path) -> None:
    texts = [json.dumps(cell["outputs"]) for cell in code_cells(path)]
    without_pictures = [re.sub(r'"image/png": "[^"]*"', "", text) for text in texts]
    assert not [t for t in without_pictures if re.search(r"/(home|root|tmp|Users|work)/", t)]
