"""The runs of Brandfonbrener et al. 2024: one grid of sizes and budgets on six corpora."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

CORPORA = {
    "fineweb-100b": "fineweb",
    "fineweb-edu-100b": "fineweb-edu",
    "proof-pile-2": "proof-pile-2",
    "slimpajama-chunk1": "slimpajama",
    "smollm-corpus": "smollm",
    "starcoder": "starcoder",
}
# Validation losses: those of the six training corpora, and of two others.
LOSSES = {
    "fineweb_100b": "fineweb",
    "fineweb_edu_100b": "fineweb-edu",
    "proof_pile_2": "proof-pile-2",
    "slimpajama": "slimpajama",
    "smollm": "smollm",
    "starcoder": "starcoder",
    "fineweb_1T": "fineweb-1T",
    "c4": "c4",
}
TWIN = "fineweb-edu"
TASK = "eval/downstream_ce_loss/"


def read(files: Sequence[Path]) -> Table:
    """Read the 529 runs with their losses on eight corpora and their cross-entropies on tasks."""
    source = pd.read_csv(files[0])
    columns = {
        "run": source["name"],
        "corpus": source["data"].map(CORPORA),
        "params": source["params"],
        "tokens": source["tokens"],
        "flops": source["iso_flop"],
        # Runs of one budget miss a law together: a group of effects.
        "budget": source["iso_flop"].map("{:.3g}".format),
        "width": source["d_model"],
        "depth": source["n_layers"],
        "loss": source["val_loss"],
    }
    columns |= _twins(pd.DataFrame(columns))
    units = {"loss": "nats/token"}
    for name, corpus in LOSSES.items():
        columns[f"loss_{corpus}"] = source[f"eval/{name}_val/CrossEntropyLoss"]
        units[f"loss_{corpus}"] = "nats/token"
    for column in source:
        if column.startswith(TASK):
            task = column.removeprefix(TASK).removesuffix("_ce_loss") + "_ce"
            columns[task] = source[column]
            units[task] = "nats"
    return Table.from_runs(pd.DataFrame(columns), list(units), units=units, name="loss-to-loss")


def _twins(runs: pd.DataFrame) -> dict[str, pd.Series]:
    """Find for each run the loss of the one of equal size and compute on FineWeb-Edu."""
    cell = ["params", "flops"]
    there = runs[runs["corpus"] == TWIN].set_index(cell)["loss"].rename("twin_loss")
    found = runs[cell].join(there, on=cell)["twin_loss"].where(runs["corpus"] != TWIN)
    return {"twin": found.notna().map({True: "yes", False: "no"}), "twin_loss": found}
