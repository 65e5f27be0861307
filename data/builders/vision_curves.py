"""The learning curves of Alabdulmohsin et al. 2022: few-shot image classification."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

COLUMNS = {
    "Task": "task",
    "Model": "model",
    "Seen Examples": "examples",
    "Training": "training",
    "Loss": "error",
}


def build(raw: Path) -> Table:
    """Build the table of all points of the 72 curves."""
    frame = pd.read_csv(raw / "revisiting-nsl/benchmark.vision.csv").rename(columns=COLUMNS)
    frame.insert(0, "curve", frame["task"] + " " + frame["model"])
    frame = frame[["curve", *COLUMNS.values()]]
    return Table.from_runs(frame, "error", units={"error": "error"}, name="vision-curves")
