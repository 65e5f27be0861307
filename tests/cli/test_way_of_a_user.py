"""The way of a user through the command line, each step a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bayescale.tables.table import Table

pytestmark = pytest.mark.slow

FIT = ("--table", "mine", "--chains", 2, "--warmup", 200, "--draws", 100, "--quiet")


def bayescale(folder: Path, *args: object) -> str:
    command = [Path(sys.executable).parent / "bayescale", *map(str, args)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fit_ask_compare_backtest_and_draw(small_table: Table, tmp_path: Path) -> None:
    small_table.to_csv(tmp_path / "mine")
    largest = small_table.runs.groupby("family")["params"].idxmax()
    roles = ["test" if run in set(largest) else "train" for run in small_table.runs.index]
    split = pd.DataFrame({"run": small_table.runs.index, "role": roles})
    split.to_csv(tmp_path / "split.csv", index=False)

    for model in ("compute", "observational"):
        bayescale(tmp_path, "fit", model, *FIT, "--out", f"{model}.nc")
    told = json.loads(bayescale(tmp_path, "summary", "compute.nc", "--json"))
    assert told["verdict"] in ("good", "doubtful", "bad")

    ask = ("predict", "compute.nc", "--family", "llama", "--params", "130B", "--tokens", "2T")
    [first, *_] = predicted = json.loads(bayescale(tmp_path, *ask, "--json"))
    assert [row["benchmark"] for row in predicted] == list(small_table.benchmarks.index)
    assert 0 <= first["score_lower_0.9"] < first["score_median"] < first["score_upper_0.9"] <= 1
    assert json.loads(bayescale(tmp_path, *ask, "--json")) == predicted

    compared = json.loads(
        bayescale(tmp_path, "compare", "compute.nc", "observational.nc", "--json")
    )
    assert len(compared["comparison"]) == 2

    options = (*FIT[:2], "--split", "split.csv", "--draws", 100, "--json", "card.json", "--quiet")
    bayescale(tmp_path, "backtest", "compute", *options)
    [card] = json.loads((tmp_path / "card.json").read_text())["cards"]
    assert card["n"] == split["role"].eq("test").sum() * len(small_table.benchmarks)
    assert set(card["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}
    beside = json.loads(bayescale(tmp_path, *ask, "--backtest", "card.json", "--json"))
    words = {"predictable", "erratic", "flat at chance", "saturated", "too few to tell"}
    assert {row["verdict"] for row in beside} <= words

    bayescale(tmp_path, "stack", "compute.nc", "observational.nc", "--quiet", "--out", "stack.json")
    weights = json.loads((tmp_path / "stack.json").read_text())["weights"]
    assert sum(weights.values()) == pytest.approx(1)
    mixed = json.loads(bayescale(tmp_path, *(ask[0], "stack.json", *ask[2:]), "--json"))
    assert len(mixed["predictions"]) == len(predicted)
    assert {row["fit"] for row in mixed["parts"]} <= set(weights)

    for kind in ("fans", "coverage", "trace", "rank"):
        bayescale(tmp_path, "plot", kind, "compute.nc", "--out", f"{kind}.png")
        assert (tmp_path / f"{kind}.png").stat().st_size > 10_000
    bayescale(tmp_path, "plot", "loadings", "observational.nc", "--out", "loadings.png")
    assert (tmp_path / "loadings.png").stat().st_size > 10_000
