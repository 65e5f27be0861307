"""What both leaderboard tables share: the facts of the twelve benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

V1 = ["MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K"]
V2 = ["IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO"]
ITEMS = {
    "MMLU": 14042,
    "ARC": 1172,
    "HellaSwag": 10042,
    "Winogrande": 1267,
    "TruthfulQA": 817,
    "GSM8K": 1319,
    "IFEval": 541,
    "BBH": 5761,
    "MATH Lvl 5": 1324,
    "GPQA": 1192,
    "MUSR": 756,
    "MMLU-PRO": 12032,
}


def protocol(raw: Path) -> dict[str, Any]:
    """Read the constants of the Sloth repository: chance levels, sets and families."""
    return json.loads((raw / "sloth/protocol.json").read_text(encoding="utf-8"))


def benchmarks(chance: dict[str, float], rounding: dict[str, float]) -> pd.DataFrame:
    """Return the facts of the twelve benchmarks; `rounding` holds steps other than none."""
    return pd.DataFrame(
        {
            "benchmark": V1 + V2,
            "chance": [chance[name] for name in V1 + V2],
            "ceiling": 1.0,
            "items": [ITEMS[name] for name in V1 + V2],
            "resolution": [rounding.get(name, 0.0) for name in V1 + V2],
            "unit": "accuracy",
        }
    )
