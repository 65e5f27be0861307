"""The learning curve of four-digit addition of Caballero et al. 2022."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

FITTED = 14  # points that the authors fit; the others are to be extrapolated


def read(files: Sequence[Path]) -> Table:
    """Read the 17 points, from the authors' script (two literal arrays) or from a CSV file."""
    if files[0].suffix == ".csv":
        examples, losses = pd.read_csv(files[0])[["dataset_size", "test_loss"]].to_numpy().T
    else:
        arrays = re.findall(r"= np\.array\((\[.*?\])\)", files[0].read_text("utf-8"), re.DOTALL)
        examples, losses = json.loads(arrays[0]), json.loads(arrays[1])
    frame = pd.DataFrame({"examples": examples, "loss": losses}, dtype="float64")
    frame["training"] = (frame.index < FITTED).astype("float64")
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="bnsl-addition")
