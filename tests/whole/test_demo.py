"""The demo holds out what it says, and puts the right prediction beside each score."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.cli import run_demo as demo


def test_the_largest_of_each_lineage_is_held_out_with_its_derivatives() -> None:
    table = bs.load_table("open-llm-leaderboard")
    held_out = demo.largest_of_each_lineage(table)
    assert {"llama-2-70b", "llama-2-70b-chat", "qwen2-72b", "qwen2-72b-instruct"} <= {*held_out}
    runs = table.runs.assign(held_out=table.runs.index.isin(held_out))
    for lineage, group in runs.groupby("lineage"):
        if not group["held_out"].any():
            continue
        rest = group.loc[~group["held_out"], "params"]
        assert rest.max() < group.loc[group["held_out"], "params"].min(), lineage
        assert rest.nunique() >= 2, lineage


class KnowsAll:
    """Stands for a fit: every draw is the number of the row, in thousandths, plus a spread."""

    def predict(self, *, rows: pd.DataFrame, benchmark: list[str], **_: Any) -> SimpleNamespace:
        frame = rows.merge(pd.DataFrame({"benchmark": benchmark}), how="cross")
        centre = frame["params"].rank().to_numpy() / 1000
        spread = np.linspace(-0.1, 0.1, 201)[:, None]
        # Shuffled, since the demo must match rows by what they are and not by their place.
        order = np.random.default_rng(0).permutation(len(frame))
        draws = (centre + spread)[:, order]
        return SimpleNamespace(frame=frame.iloc[order].reset_index(drop=True), draws=draws)


def test_each_score_gets_the_prediction_of_its_own_run() -> None:
    table = bs.load_table("open-llm-leaderboard")
    held_out = table.select(runs=demo.largest_of_each_lineage(table))
    predicted = demo.predict_held_out(KnowsAll(), held_out, seed=0)  # type: ignore[arg-type]
    assert len(predicted) == held_out.n_rows
    in_order = predicted.sort_values("params")
    assert in_order["median"].is_monotonic_increasing
    np.testing.assert_allclose(predicted["upper_0.9"] - predicted["median"], 0.09, atol=1e-12)
    np.testing.assert_allclose(predicted["median"] - predicted["lower_0.5"], 0.05, atol=1e-12)


def test_what_is_shown_and_counted() -> None:
    predicted = pd.DataFrame(
        {
            "run": ["big", "big", "big-chat", "small"],
            "params": [70e9, 70e9, 70e9, 7e9],
            "instruct": [False, False, True, False],
            "benchmark": ["MMLU", "GSM8K", "MMLU", "MMLU"],
            "score": [0.70, 0.20, 0.60, 0.50],
            "median": [0.68, 0.40, 0.60, 0.50],
            "lower_0.9": [0.60, 0.30, 0.5, 0.4],
            "upper_0.9": [0.75, 0.50, 0.7, 0.6],
            "lower_0.5": [0.66, 0.38, 0.59, 0.49],
            "upper_0.5": [0.69, 0.42, 0.61, 0.51],
        }
    )
    [row] = demo.shown_frame(predicted).to_dict("records")
    assert row == {
        "held-out model": "big",
        "params": 70e9,
        "MMLU": "68 [60, 75] 70",
        "HellaSwag": "",
        "GSM8K": "40 [30, 50] 20 *",
    }
    headline = demo.headline_of(predicted)
    assert "4 held-out scores of 3 models" in headline
    assert "90% intervals hold 75% and the 50% intervals 50%" in headline
    assert "off by 5.5 points" in headline
