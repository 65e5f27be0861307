"""The runs of Li, Kudugunta and Zettlemoyer 2025: sizes, data and learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

COLUMNS = {
    "model": "model",
    "N": "params",
    "N_no_emb": "params_nonemb",
    "D": "tokens",
    "C": "flops",
    "peak_lr": "learning_rate",
    "loss": "loss",
}


def read(files: Sequence[Path]) -> Table:
    """Read the 261 last checkpoints."""
    frame = pd.read_csv(files[0])[list(COLUMNS)].rename(columns=COLUMNS)
    frame["model"] = frame["model"].str.removeprefix("misfitting_")
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="misfitting")
