"""Fine-tuning curves of Lin et al. 2024: 30 models on two data sets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

RENAMED = {"config name": "model", "size": "params", "0": "loss_zero_shot"}


def build(raw: Path) -> Table:
    """Build the table of 14 amounts of data for each model and data set."""
    parts = []
    for task in ("flan", "wmt19"):
        wide = pd.read_csv(raw / f"rectified-finetuning/{task}.csv").rename(columns=RENAMED)
        facts = ["model", "family", "params", "loss_zero_shot"]
        part = wide.melt(id_vars=facts, var_name="examples", value_name="loss")
        parts.append(part.astype({"examples": "float64"}).assign(task=task))
    frame = pd.concat(parts)[
        ["task", "family", "model", "params", "examples", "loss_zero_shot", "loss"]
    ]
    frame = frame.sort_values(["task", "model", "examples"], ignore_index=True)
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="finetuning")
