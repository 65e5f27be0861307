"""Loss curves of Luo et al. 2025: three sizes under nine learning-rate schedules."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

MOST = 100  # points of a curve
# The logs begin after the warm-up. At the peak rate, half its steps sum to the same rate.
WARM_UP = 2_160


def build(raw: Path) -> Table:
    """Build the table of thinned curves, with the learning rates at the steps that were logged."""
    source = pd.read_csv(raw / "multi-power-law/loss_curves.csv")
    source["size"] = source["model_M"].astype("str") + "M"
    source["params"] = source["model_M"] * 1e6
    source["kind"] = source["schedule"]
    source["schedule"] = source["size"] + " " + source["schedule"]
    source = source.sort_values(["params", "kind", "step"], ignore_index=True)
    curves = source.groupby("schedule", sort=False)
    back = curves.cumcount(ascending=False)
    stride = -(-curves["step"].transform("size") // MOST)
    source["kept"] = back % stride == 0
    columns = ["size", "kind", "schedule", "params", "step", "loss"]
    frame = source.loc[source["kept"], columns].reset_index(drop=True)
    series = pd.concat([rates(name, curve) for name, curve in curves], ignore_index=True)
    units = {"loss": "nats/token"}
    return Table.from_runs(frame, "loss", units=units, name="lr-schedules", series=series)


def rates(name: str, curve: pd.DataFrame) -> pd.DataFrame:
    """Return the schedule of a curve: nodes where a loss is kept, and where the rate changes.

    A logged loss is from before its step: where the rate drops all at once, the loss logged with
    the new rate has not fallen yet. So a logged rate holds from its step on, up to the next.
    """
    rate = curve["lr"].shift(fill_value=curve["lr"].iloc[0])
    changes = (rate != rate.shift()) | (rate != rate.shift(-1))
    nodes = curve.assign(series=name, value=rate).loc[curve["kept"] | changes]
    start = pd.DataFrame({"series": [name], "step": [WARM_UP // 2], "value": [rate.iloc[0]]})
    return pd.concat([start, nodes[["series", "step", "value"]]])
