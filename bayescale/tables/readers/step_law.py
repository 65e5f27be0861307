"""The grid of Li et al. 2025: learning rates and batch sizes at 17 pairs of size and data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

CONTEXT = 2_048
NEAR = 1.02


def read(files: Sequence[Path]) -> Table:
    """Read the 1,911 dense runs; `loss` is the smoothed training loss at the end."""
    source = pd.read_csv(files[0])
    frame = pd.DataFrame(
        {
            "run": source["exp_name"],
            "cell": source["N"].map("{:.3g}".format) + " x " + source["D"].map("{:.3g}".format),
            "params": source["N"],
            "tokens": source["D"],
            "learning_rate": source["lr"],
            "batch_tokens": source["bs"] * CONTEXT,
            "near": _near(source).map({True: "yes", False: "no"}),
            "step": source["ti"],
            "loss": source["smooth loss"],
            "loss_last": source["loss"],
        }
    )
    units = {"loss": "nats/token", "loss_last": "nats/token"}
    return Table.from_runs(frame, list(units), units=units, name="step-law")


def _near(source: pd.DataFrame) -> pd.Series:
    """Tell the runs of a cell within 2% of its best, where the surface is a bowl."""
    best = source.groupby(["N", "D"])["smooth loss"].transform("min")
    return source["smooth loss"] <= NEAR * best
