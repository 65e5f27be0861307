"""Points at equal compute from five studies, collected by Open Athena."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table


def read(files: Sequence[Path]) -> Table:
    """Read the 947 points of eight experiments."""
    source = pd.read_csv(files[0]).rename(columns={"budget": "flops"})
    frame = source[["source", "dataset", "experiment", "params", "tokens", "flops", "loss"]]
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="isoflops")
