"""The points at equal compute of Porian et al. 2024, from Kaplan's setting to Chinchilla's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

ANALYSES = {
    "refinedweb": "summary_df_isoflop_points.csv",
    "openwebtext2": "summary_df_owt2_isoflop_points.csv",
    "attention": "summary_df_att_isoflop_points.csv",
    "kaplan-tuned": "summary_df_kaplan_tuned_hparams_isoflop_points.csv",
}
DATASETS = {"rw": "refinedweb", "owt2": "openwebtext2"}


def build(raw: Path) -> Table:
    """Build the table of all points that have a loss."""
    folder = raw / "porian-compute-optimal"
    parts = [pd.read_csv(folder / file).assign(analysis=name) for name, file in ANALYSES.items()]
    frame = pd.concat(parts, ignore_index=True)
    frame["experiment"] = frame["analysis"] + " " + frame["experiment"].astype("str")
    frame["dataset"] = frame["dataset"].map(DATASETS)
    frame = frame.rename(columns={"n": "params"}).dropna(subset="loss")
    # Losses at several budgets are read off one curve, that of a size in an experiment.
    size = frame["params"].map("{:.0f}".format)
    frame["trajectory"] = frame["experiment"] + " of " + size + " params"
    frame = frame.drop(columns="analysis").reset_index(drop=True)
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="compute-optimal")
