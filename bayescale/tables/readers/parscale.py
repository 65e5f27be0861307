"""The models of Chen et al. 2025: one to eight parallel streams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

COLUMNS = {"dataset": "corpus", "P": "streams", "N_params": "params", "loss": "loss"}
TOKENS = 42e9


def read(files: Sequence[Path]) -> Table:
    """Read the 48 losses: six sizes, four numbers of streams, two corpora."""
    frame = pd.read_csv(files[0]).rename(columns=COLUMNS).assign(tokens=TOKENS)
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="parscale")
