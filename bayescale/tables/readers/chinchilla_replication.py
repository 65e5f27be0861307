"""The runs of Hoffmann et al. 2022, Figure 4, as read off the figure by Besiroglu et al. 2024."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

OUTLIERS = 5


def read(files: Sequence[Path]) -> Table:
    """Read the 245 runs; tokens follow from compute, and the five highest losses are marked."""
    source = pd.read_csv(files[0])
    params, flops = source["Model Size"], source["Training FLOP"]
    high = source["loss"].rank(ascending=False, method="first") <= OUTLIERS
    frame = pd.DataFrame(
        {
            "outlier": high.map({True: "yes", False: "no"}),
            "params": params,
            "tokens": flops / (6 * params),
            "flops": flops,
            "loss": source["loss"],
        }
    )
    units = {"loss": "nats/token"}
    return Table.from_runs(frame, "loss", units=units, name="chinchilla-replication")
