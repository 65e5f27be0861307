"""The committed tables are what data/build.py makes of the public files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bayescale.base.records import records_dir
from bayescale.tables.named import list_tables

DATA = records_dir("data")
# The rest of a table's folder, and the builders, are written by hand.
BY_HAND = ("lines", "dates")  # what a builder reads
WRITTEN = [p for p in DATA.glob("*/*.*") if p.suffix != ".py" and p.stem not in BY_HAND]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, mirror: Path) -> tuple[Path, str]:
    """The folder that the script wrote, and what it said."""
    out = tmp_path_factory.mktemp("data")
    command = [sys.executable, "-W", "error", str(DATA / "build.py")]
    command += ["--raw", str(mirror), "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(DATA.parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.mark.mirror
@pytest.mark.parametrize("name", list_tables())
def test_the_build_gives_the_committed_files(built: tuple[Path, str], name: str) -> None:
    found = {path.name: path.read_bytes() for path in (built[0] / name).iterdir()}
    committed = {path.name: path.read_bytes() for path in WRITTEN if path.parent.name == name}
    assert sorted(found) == sorted(committed)
    for file, content in committed.items():
        assert found[file] == content, f"{name}/{file}"


@pytest.mark.mirror
def test_the_build_gives_the_notice_and_tells_ambiguous_names(built: tuple[Path, str]) -> None:
    assert (built[0] / "NOTICE").read_bytes() == (DATA / "NOTICE").read_bytes()
    assert "yi-1.5-34b: 01-ai/Yi-1.5-34B, allknowingroger/Yi-1.5-34B" in built[1]


def test_bundled_tables_stay_small() -> None:
    assert sum(path.stat().st_size for path in WRITTEN) < 3.8e6
