"""The committed tables are what data/build.py makes of the public files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bayescale.records import records_dir

RAW = os.environ.get("BAYESCALE_MIRROR", "")
DATA = records_dir("data")
FILES = ["card.toml", "runs.csv", "scores.csv", "benchmarks.csv", "excluded.csv"]


@pytest.mark.mirror
@pytest.mark.skipif(not RAW, reason="set BAYESCALE_MIRROR to the folder of the public raw files")
def test_the_build_gives_the_committed_files(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(DATA / "build.py"), "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(DATA.parent), "BAYESCALE_MIRROR": RAW}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "yi-1.5-34b: 01-ai/Yi-1.5-34B, allknowingroger/Yi-1.5-34B" in done.stdout
    names = [
        f"{table}/{file}" for table in ("sloth-2024", "open-llm-leaderboard") for file in FILES
    ]
    for name in [*names, "sloth-2024/protocol.json", "NOTICE"]:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name
