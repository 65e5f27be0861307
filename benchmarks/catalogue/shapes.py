"""Best sizes along a hull of model shapes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.spatial import ConvexHull

from benchmarks.catalogue.common import Line, runs_with_scores


def hull_exponent(runs: pd.DataFrame, size: str) -> float:
    """Slope of log size against log compute along the lower convex hull of loss over compute."""
    x, y = np.log(runs["flops"].to_numpy()), np.log(runs["loss"].to_numpy())
    above = [x.max() + math.log(2), y.max() + math.log(2)]  # so that the hull is the lower one
    points = np.vstack([np.column_stack([x, y]), above])
    corner = [i for i in ConvexHull(points).vertices if i < len(x)]
    return float(np.polyfit(x[corner], np.log(runs[size].to_numpy())[corner], 1)[0])


def row_22() -> list[Line]:
    runs = runs_with_scores("gemstones")
    rows = (
        ("all of the constant rate", ["hot"], "params", 0.499),
        ("beyond 100 billion tokens too", ["hot", "hot-100b"], "params", 0.458),
        ("without embeddings", ["hot"], "params_nonemb", 0.627),
    )
    return [
        Line("gemstones", what, value, 0.03, hull_exponent(runs[runs["set"].isin(sets)], size))
        for what, sets, size, value in rows
    ]
