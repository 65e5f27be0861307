"""The runs of Muennighoff et al. 2023 on repeated data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

COLUMNS = {"N": "params", "D": "tokens", "U": "unique_tokens", "val_loss": "loss"}


def build(raw: Path) -> Table:
    """Build the table of the 182 runs that the authors fit."""
    frame = pd.read_csv(raw / "datablations/runs_fit_subset.csv").rename(columns=COLUMNS)
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="data-constrained")
