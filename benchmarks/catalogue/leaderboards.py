"""Components of scores on leaderboards."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.catalogue.common import Array, Line


def components(scores: Array, rank: int = 1, rounds: int = 1_000) -> tuple[Array, Array]:
    """Shares of variance and first component, missing scores filled in by the component itself."""
    missing = np.isnan(scores)
    filled = np.where(missing, np.nanmean(scores, axis=0), scores)
    for _ in range(rounds):
        middle = filled.mean(axis=0)
        left, sizes, right = np.linalg.svd(filled - middle, full_matrices=False)
        guess = (left[:, :rank] * sizes[:rank]) @ right[:rank] + middle
        if np.abs(np.where(missing, guess - filled, 0)).max() < 1e-10:
            break
        filled = np.where(missing, guess, filled)
    return sizes**2 / (sizes**2).sum(), left[:, 0] * sizes[0] * np.sign(right[0].sum())


def row_14() -> list[Line]:
    folder = Path(os.environ["BAYESCALE_MIRROR"]) / "obsscaling"
    source = pd.read_csv(folder / "base_llm_benchmark_eval.csv")
    shares, first = components(source.iloc[:, 5:].to_numpy(float))
    lines = [
        Line("obs-scaling", "share of the first component", 0.85, 0.03, float(shares[0])),
        Line("obs-scaling", "share of three components", 0.97, 0.03, float(shares[:3].sum())),
    ]
    source = source.assign(first=first, log_flops=np.log(source["FLOPs (1E21)"]))
    known = source.dropna(subset="log_flops")
    for family in ("Llama", "OPT", "Pythia", "Qwen1.5", "BLOOM"):
        of = known[known["Model Family"] == family]
        r2 = float(np.corrcoef(of["log_flops"], of["first"])[0, 1] ** 2)
        what = f"{family}, R2 of the first on log FLOPs"
        lines.append(Line("obs-scaling", what, None, None, r2, least=0.9))
    return lines
