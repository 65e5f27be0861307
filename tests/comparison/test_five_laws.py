"""Five laws on the Chinchilla runs: those of params and tokens stand far above those of compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayescale
from bayescale.cli.app import app
from bayescale.comparison.comparison import LAW_TASK
from bayescale.models.cards import customise, model_of_law

# BNSL has a mode for a break among the few largest runs; these priors keep it inside the data, with
# slopes of the size that a loss has (benchmarks/README.md).
BREAK = {"L": (2.5, 1.3), "c_0": (0.06, 0.03), "c_1": (0.0, 0.03), "d_1": (1.0, 2.0)}
LAWS: dict[str, dict[str, Any]] = {
    "chinchilla": {},
    "kaplan-nd": {},
    "gadre-overtrain": {},
    "power-floor": {"inputs": {"x": "flops"}},
    "bnsl": {"inputs": {"x": "flops"}, "priors": BREAK},
}
COLUMNS = {
    *("rank", "elpd_loo", "se_elpd_loo", "elpd_diff", "se_diff", "se_diff_over_families"),
    *("p_better", "stacking_weight", "pseudo_bma", "p_loo", "bad_pareto_k"),
    *("refitted", "scored_by"),
    *("elpd_waic", "se_elpd_waic", "p_waic", "p_waic_above_0.4"),
}


@pytest.mark.slow
@pytest.mark.mirror
def test_the_table_ranks_five_laws_and_doubts_it(tmp_path: Path) -> None:
    table = bayescale.load_table("chinchilla-replication")
    for name, changes in LAWS.items():
        model = customise(model_of_law(name), noise="student-t-log", **changes)
        fit = bayescale.fit(model, table, seed=0, progress=False, warmup=500, draws=400)
        fit.save(tmp_path / f"{name}.nc")
    files = [str(tmp_path / f"{name}.nc") for name in LAWS]
    result = CliRunner().invoke(app, ["compare", *files, "--json"], prog_name="bayescale")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    frame = pd.DataFrame(told["comparison"]).set_index("model")
    frame.columns = frame.columns.str.removesuffix(f" ({LAW_TASK})")
    assert set(frame.columns) == COLUMNS
    assert list(frame["rank"]) == [1, 2, 3, 4, 5]
    assert frame["elpd_loo"].is_monotonic_decreasing
    assert set(frame.index[:2]) == {"chinchilla", "gadre-overtrain"}
    for law in ("power-floor", "bnsl"):
        assert frame.loc[law, "elpd_diff"] < -5 * frame.loc[law, "se_diff"]
    assert frame["stacking_weight"].sum() == pytest.approx(1)
    assert (frame[["se_elpd_loo", "se_elpd_waic"]] > 0).all(axis=None)
    assert np.allclose(frame["elpd_waic"], frame["elpd_loo"], atol=2)
    doubts = " ".join(told["doubts"])
    assert "only a backtest" in doubts
    assert "do not tell them apart" in doubts
