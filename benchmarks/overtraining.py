"""Extrapolate over-training: large and over-trained runs of Gadre et al. from far smaller ones.

    python -m benchmarks.overtraining --json benchmarks/results/overtraining.json

For each of the six largest runs: train on the runs of at most 1/300 of its compute (for the mean
error of 17 tasks, one less their accuracy: 1/20), three corpora pooled, all ratios of tokens to
parameters; predict its loss and accuracy. Beside it, the same law fitted to the runs of the
target's corpus alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.backtesting.refit import FoldPrediction, fold_fitter
from bayescale.backtesting.scores import crps, interval_score
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.files import write_json
from bayescale.base.runtime import keep_compiled
from bayescale.models.cards import customise
from benchmarks.shared.command import parser_of, say

SHARE = {"loss": 300.0, "accuracy_17": 20.0}
CARD = {"loss": "overtraining", "accuracy_17": "overtraining-downstream"}


def main() -> None:
    """Fit, predict and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows here")
    arguments = parser.parse_args()
    keep_compiled()
    rows = [
        row
        for response in SHARE
        for fit in ("pooled", "separate")
        for row in extrapolate(response, fit, arguments.seed)
    ]
    frame = pd.DataFrame(rows)
    print(frame.round(4).to_string(index=False))
    scores = ["crps", "interval_score", "width", "inside"]
    means = frame.groupby(["response", "fit"])[scores].mean()
    print(means.round(4).to_string())
    if arguments.json:
        write_json(arguments.json, {"seed": arguments.seed, "rows": rows})


def targets(runs: pd.DataFrame) -> list[str]:
    """Name the runs of the largest size, and the over-trained ones of the size below."""
    large = runs[(runs["params"] > 5e9) | ((runs["params"] > 1e9) & (runs["token_multiplier"] > 1))]
    return list(large.sort_values(["corpus", "params"], ascending=[False, True]).index)


def extrapolate(response: str, fit: str, seed: int) -> list[dict[str, Any]]:
    """Predict each large run from those of far less compute."""
    model = bs.load_model(CARD[response])
    table = bs.load_table("overtraining").select(benchmarks=model.measured)
    if fit == "pooled":
        return folds_of(model, table, response, fit, seed)
    alone = customise(model, pool=dict.fromkeys(model.pooling, "corpus:separate"))
    tables = [table.where(corpus=corpus) for corpus in sorted(set(table.runs["corpus"]))]
    return [row for own in tables for row in folds_of(alone, own, response, fit, seed)]


def folds_of(
    model: bs.Model, table: bs.Table, response: str, fit: str, seed: int
) -> list[dict[str, Any]]:
    """Predict the large runs of a table, a fold each."""
    flops = table.scores["run"].map(table.runs["flops"])
    folds = []
    for target in targets(table.runs):
        small = flops <= table.runs.loc[target, "flops"] / SHARE[response]
        test = (table.scores["run"] == target) & (table.scores["benchmark"] == response)
        folds.append(Fold(target, small.to_numpy(), test.to_numpy(), unlisted=0))
    split = Split(f"{response}, {fit}", tuple(folds))
    fitter = fold_fitter(model, table, split, seed=seed, chains=4, draws=500, tell=say)
    return [row(table, response, fit, fold, fitter(fold)) for fold in folds]


def row(
    table: bs.Table, response: str, fit: str, fold: Fold, found: FoldPrediction
) -> dict[str, Any]:
    """Score one prediction."""
    facts = table.runs.loc[fold.label]
    observed = table.scores.loc[fold.test, "score"].to_numpy()
    low, median, high = np.quantile(found.draws, [0.05, 0.5, 0.95], axis=0)
    # What the paper predicts is the mean error of the tasks, as a share of that error.
    whole = observed if response == "loss" else observed - 1
    return {
        "response": response,
        "run": f"{facts['corpus']} {facts['params']:.2g} x{facts['token_multiplier']:g}",
        "fit": fit,
        "train": int(table.runs.index.isin(table.scores.loc[fold.train, "run"]).sum()),
        "observed": float(observed[0]),
        "median": float(median[0]),
        "error": float((median[0] - observed[0]) / whole[0]),
        "lower": float(low[0]),
        "upper": float(high[0]),
        "inside": bool(low[0] <= observed[0] <= high[0]),
        "width": float(high[0] - low[0]),
        "crps": float(crps(found.draws, observed)[0]),
        "interval_score": float(interval_score(low, high, observed, level=0.9)[0]),
        "seconds": found.seconds,
        "r_hat": found.max_r_hat,
        "divergences": found.divergences,
    }


if __name__ == "__main__":
    main()
