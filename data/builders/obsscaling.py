"""What both observational tables share: names, chance levels and sizes of their benchmarks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.frames import ACCURACY
from builders.leaderboard_facts import ITEMS, protocol

# Ours for theirs: the same benchmarks as in the other tables.
NAMES = {
    "MMLU": "MMLU",
    "ARC-C": "ARC",
    "HellaSwag": "HellaSwag",
    "Winograd": "Winogrande",
    "Winogrande": "Winogrande",
    "TruthfulQA": "TruthfulQA",
    "GSM8K": "GSM8K",
    "XWinograd": "XWinograd",
    "HumanEval": "HumanEval",
}
STANDARD = list(dict.fromkeys(NAMES.values()))
INPUTS = {
    "Model": "run",
    "Model Family": "family",
    "Model Size (B)": "params",
    "Pretraining Data Size (T)": "tokens",
}


def read(raw: Path, file: str) -> pd.DataFrame:
    """Read a file of standard benchmarks: our names, counts of parameters and tokens."""
    frame = pd.read_csv(raw / "obsscaling" / file).rename(columns=NAMES | INPUTS)
    # Rounded: 6.9 * 1e9 is not the float 6.9e9.
    frame["params"] = (frame["params"] * 1e9).round()
    frame["tokens"] = (frame["tokens"] * 1e12).round()
    return frame


def facts(raw: Path, names: list[str]) -> pd.DataFrame:
    """Return what is known of standard benchmarks; XWinograd is a mean over six languages."""
    chance = protocol(raw)["lower_bounds"] | {"XWinograd": 0.5, "HumanEval": 0.0}
    items = ITEMS | {"HumanEval": 164}
    return pd.DataFrame(
        {
            "benchmark": names,
            "chance": [chance[name] for name in names],
            "ceiling": 1.0,
            "items": [items.get(name) for name in names],
            "resolution": 0.0,
            "unit": ACCURACY,
        }
    )
