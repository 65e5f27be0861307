"""The model database of Li et al. 2024: one recipe, hundreds of training sets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table


def build(raw: Path) -> Table:
    """Build the table of the two aggregate scores."""
    source = pd.read_csv(raw / "dclm/DCLM_model_database.csv")
    frame = pd.DataFrame(
        {
            "run": source["Model JSON"].str.removeprefix("evaluation_").str.removesuffix(".json"),
            "dataset": source["Dataset"],
            "model": source["model"],
            "params": source["params"],
            "tokens": source["tokens"],
            "core": source["Core"],
            "extended": source["Extended"],
        }
    )
    units = {"core": "score", "extended": "score"}
    return Table.from_runs(frame, list(units), units=units, name="dclm")
