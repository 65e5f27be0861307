"""The table that the Sloth experiments read, and their protocol."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table
from builders.leaderboard_facts import ITEMS, V1, V2, benchmarks, protocol

LEADERBOARD = Path(__file__).parents[1] / "open-llm-leaderboard/runs.csv"


def build(raw: Path) -> Table:
    """Build the table that the Sloth experiments read."""
    constants = protocol(raw)
    assert sum(constants["bbh_items"].values()) == ITEMS["BBH"]
    assert sum(constants["musr_items"].values()) == ITEMS["MUSR"]
    raw_frame = pd.read_csv(raw / "sloth/data_v2.csv")
    # Its own dates are of submissions: those of the corrected leaderboard, or none.
    dates = pd.read_csv(LEADERBOARD, index_col="run")["released"]
    frame = pd.DataFrame(
        {
            "run": raw_frame["Model"],
            "family": raw_frame["Family2"],
            # Rounded: 6.9 * 1e9 is not the float 6.9e9.
            "params": (raw_frame["#Params (B)"] * 1e9).round(),
            "params_convention": "nominal",
            "tokens": (raw_frame["Pretraining Data Size (T)"] * 1e12).round(),
            "released": raw_frame["Model"].map(dates).fillna(""),
            "lineage": raw_frame["Family"],
            "instruct": raw_frame["Instruct"],
            "moe": raw_frame["Model"].str.contains(r"-\d+x\d+b"),
        }
    ).join(raw_frame[V1 + V2])
    facts = benchmarks(constants["lower_bounds"], dict.fromkeys(V2, 0.01))
    return Table.from_wide(frame, facts, "sloth-2024")


def extra_files(raw: Path) -> dict[str, str]:
    """Give the experiments of the paper: benchmark sets and test families by sizes kept."""
    constants = protocol(raw)
    sets = dict(zip(("v1", "v2", "all"), constants["benchmark_sets"], strict=True))
    families = {
        name: {keep: constants["test_families"][keep][index] for keep in ("1", "2")}
        for index, name in enumerate(sets)
    }
    record = {
        "source": "felipemaiapolo/sloth, sloth/definitions.py (MIT)",
        "rule": "drop runs that lack a score of the set; of each listed test family keep the "
        "`keep` smallest runs for training, and test on its other runs; the families of a group "
        "are held out together",
        "sets": sets,
        "test_families": families,
    }
    return {"protocol.json": json.dumps(record, indent=1) + "\n"}
