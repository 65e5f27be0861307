"""Best sizes at equal compute, read off the points of Porian et al. 2024."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.tables.table import Table
from builders import compute_optimal

SIDE = 2  # points on either side of the lowest that its parabola goes through, where there are any
SETTING = ["dataset", "hparams", "warmup", "decay", "param_count", "val"]
UNITS = {"best_params": "params", "best_tokens": "tokens", "loss": "nats/token"}
DIGITS = 6


def build(raw: Path) -> Table:
    """Build the table of all budgets whose lowest loss has points on both sides."""
    table = compute_optimal.build(raw)
    points = table.runs.assign(loss=table.scores.set_index("run")["score"])
    found = [of_experiment(name, of) for name, of in points.groupby("experiment", sort=False)]
    frame = pd.concat(found, ignore_index=True)
    return Table.from_runs(frame, list(UNITS), units=UNITS, name="compute-optima")


def of_experiment(name: str, points: pd.DataFrame) -> pd.DataFrame:
    """Find the minimum of each budget's parabola, with standard errors from all their residuals."""
    fitted = {flops: parabola(of.sort_values("params")) for flops, of in points.groupby("flops")}
    inside = {flops: found for flops, found in fitted.items() if found is not None}
    residuals = np.concatenate([found["residuals"] for found in inside.values()])
    freedom = sum(len(found["residuals"]) - 3 for found in inside.values())
    noise = np.sqrt((residuals**2).sum() / freedom)
    rows = []
    for flops, found in inside.items():
        params = np.exp(found["at"])
        of_size, of_loss = noise * found["of_at"], noise * found["of_lowest"]
        tokens, loss = flops / 6 / params, np.exp(found["lowest"])
        rows.append(
            {
                "run": f"{name} {flops:g}",
                "experiment": name,
                **points[SETTING].iloc[0],
                "flops": flops,
                "best_params": params,
                "best_params_stderr": params * of_size,
                "best_tokens": tokens,
                "best_tokens_stderr": tokens * of_size,
                "loss": loss,
                "loss_stderr": loss * of_loss,
            }
        )
    frame = pd.DataFrame(rows)
    numbers = [column for column in frame if frame[column].dtype == float and column != "flops"]
    return frame.assign(**{c: [float(f"{x:.{DIGITS}g}") for x in frame[c]] for c in numbers})


def parabola(points: pd.DataFrame) -> dict[str, np.ndarray] | None:
    """Fit log loss by a parabola in log params around the lowest; None where that is at an end.

    `at` and `lowest` are its minimum; `of_at` and `of_lowest` their standard errors for noise of
    one.
    """
    low = int(points["loss"].to_numpy().argmin())
    if low in (0, len(points) - 1):
        return None
    near = points.iloc[max(low - SIDE, 0) : low + SIDE + 1]
    x, y = np.log(near["params"].to_numpy()), np.log(near["loss"].to_numpy())
    middle = x.mean()
    design = np.vander(x - middle, 3)
    (a, b, c), *_ = np.linalg.lstsq(design, y, rcond=None)
    if a <= 0 or len(near) < 4:
        return None
    at = -b / (2 * a)
    if not (x - middle).min() <= at <= (x - middle).max():
        return None
    covariance = np.linalg.inv(design.T @ design)
    slope = np.array([b / (2 * a**2), -1 / (2 * a), 0.0])
    there = np.array([at**2, at, 1.0])
    return {
        "at": middle + at,
        "lowest": c - b**2 / (4 * a),
        "of_at": np.sqrt(slope @ covariance @ slope),
        "of_lowest": np.sqrt(there @ covariance @ there),
        "residuals": y - design @ [a, b, c],
    }
