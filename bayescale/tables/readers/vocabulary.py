"""The checkpoints of Tao et al. 2024: models with vocabularies of 4,096 to 96,256."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

LEAST_FLOPS = 2.18e17  # the paper fits later checkpoints only


def read(files: Sequence[Path]) -> Table:
    """Read the 1,200 checkpoints; the loss is normalised by that of unigrams, hence negative."""
    source = pd.read_csv(files[0])
    vocabulary, nonvocab = source["vocab_size"], source["Non_vocab_parameters"]
    frame = pd.DataFrame(
        {
            "model": nonvocab.map("{:.0f}".format) + " x " + vocabulary.map("{:.0f}".format),
            "vocabulary": vocabulary,
            "width": source["embed_dim"],
            "params_nonvocab": nonvocab,
            "params_vocab": vocabulary * source["embed_dim"],
            "characters": source["num_characters"],
            "flops": source["FLOPs"],
            "fitted": (source["FLOPs"] >= LEAST_FLOPS).map({True: "yes", False: "no"}),
            "loss": source["Lossu"],
        }
    )
    units = {"loss": "nats/token above unigrams"}
    return Table.from_runs(frame, "loss", units=units, name="vocabulary")
