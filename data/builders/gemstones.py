"""The checkpoints of McLeish et al. 2025: 22 shapes of width and depth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

VOCABULARY = 50_304
CONTEXT = 2_048
HEAD = 128
COARSE = 2_385  # steps between the checkpoints of the file for fitting
FIT_TOKENS = 1.001e11  # that file ends at 100 billion, the longer one at 350


def build(raw: Path) -> Table:
    """Build the table of all checkpoints of the constant rate, and of the ends of cool-downs."""
    folder = raw / "gemstones"
    hot = pd.read_csv(folder / "wandb_df_for_fitting_hot_100b+_477.csv.gz")
    hot["set"] = (hot["tokens"] < FIT_TOKENS).map({True: "hot", False: "hot-100b"})
    cool = pd.read_csv(folder / "wandb_df_for_fitting_cool_end.csv").assign(set="cool-end")
    source = pd.concat([hot, cool], ignore_index=True)
    width, depth = source["width"], source["depth"]
    coarse = (source["step"] % COARSE == 0) & (source["set"] != "cool-end")
    shape = width.astype("str") + "x" + depth.astype("str")
    frame = pd.DataFrame(
        {
            "shape": shape,
            "set": source["set"],
            "grid": coarse.map({True: "coarse", False: "fine"}),
            "width": width,
            "depth": depth,
            "params": source["params_active_precise"],
            # Embedding and output matrix are not tied.
            "params_nonemb": source["params_active_precise"] - 2 * VOCABULARY * width,
            "tokens": source["tokens"],
            "flops": source["tokens"] * flops_per_token(width, depth),
            "loss": source["final_loss"],
        }
    )
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="gemstones")


def flops_per_token(width: pd.Series, depth: pd.Series) -> pd.Series:
    """Count training FLOPs a token as the authors do, elementwise operations and attention too.

    Per token and layer: queries of `width`, keys and values of half of it each; scores over half
    the context; three feed-forward matrices to four times the width; the backward pass is twice
    the forward pass, and 2.5 times for the attention scores, which are computed again.
    """
    heads = width / HEAD
    projections = 4.0 * width**2 + 3.5 * 1.5 * width
    scores = (CONTEXT + 2.0 * CONTEXT) * width + 3.0 * CONTEXT * heads
    output = 2.0 * width**2
    attention = 3.0 * (projections + output) + 3.5 * scores
    feed_forward = 3.0 * (24.0 * width**2 + 40.0 * width + 2.0 * width + 14.0 * width)
    head = 3.0 * (7.0 * width + 2.0 * width * VOCABULARY)
    return depth * (attention + feed_forward) + head
