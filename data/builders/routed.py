"""The runs of Clark et al. 2022: dense and routed language models."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

LOSSES = ["c4", "curation_corpus", "lambada", "pile", "wikitext103"]


def build(raw: Path) -> Table:
    """Build the table of the last step of each run."""
    curves = pd.read_csv(raw / "routed-lm/curves.csv.gz")
    last = curves.loc[curves.groupby("hyper_id")["step"].idxmax()].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "run": "run-" + last["hyper_id"].astype("str"),
            "router": last["router_type"],
            "size": last["model_size_label"],
            "params": last["dense_parameter_count"],
            "params_total": last["total_parameter_count"],
            "experts": last["num_experts"],
            "k": last["k"],
            "routing_frequency": last["routing_frequency"],
            "seed": last["seed"],
            "step": last["step"],
            "flops": last["flops_per_step"] * last["step"],
            "loss": last["loss_validation"],
            **{f"loss_{name}": last[f"loss_{name}"] for name in LOSSES},
        }
    )
    units = dict.fromkeys(["loss", *(f"loss_{name}" for name in LOSSES)], "nats/token")
    return Table.from_runs(frame, list(units), units=units, name="routed")
