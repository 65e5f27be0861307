"""A backtest made by hand, and what every picture must keep to."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import norm

from bayescale.backtesting.run import Backtest, FoldPrediction, score_folds
from bayescale.backtesting.scorecard import Scorecard
from bayescale.backtesting.splits import Fold, Split
from bayescale.tables.table import Table

SD, DRAWS = 0.05, 999
FORECASTS = {"sharp": (SD, 0.0), "wide": (2 * SD, 0.0)}
BASELINES = {"one rule": (SD, 0.06), "another rule": (3 * SD, 0.0)}
GRID = norm.ppf((np.arange(DRAWS) + 0.5) / DRAWS)


def made_table(unit: str = "accuracy") -> Table:
    """Ten families of sizes 1, 2, 10 and 100; values are 0.5 and Gaussian noise."""
    rng = np.random.default_rng(0)
    names = [f"{f}-{s}b" for f in "abcdefghij" for s in (1, 2, 10, 100)]
    runs = pd.DataFrame({"run": names, "family": [name[0] for name in names]})
    runs["params"] = [float(name[2:-1]) * 1e9 for name in names]
    runs["tokens"] = 1e12
    pairs = [(run, benchmark) for run in names for benchmark in ("MMLU", "MATH")]
    frame = pd.DataFrame(pairs, columns=["run", "benchmark"])
    frame["score"] = 0.5 + SD * rng.normal(size=len(frame))
    marks = pd.DataFrame({"benchmark": ["MMLU", "MATH"], "unit": unit})
    return Table.from_long(frame, runs, marks)


def made_split(table: Table) -> Split:
    """The smallest size is trained on; of family j none."""
    run = table.scores["run"]
    train = (run.str.endswith("-1b") & ~run.str.startswith("j")).to_numpy()
    return Split("by hand", (Fold("1", train, ~train & ~run.eq("j-1b").to_numpy(), 0),))


def made_backtest(unit: str = "accuracy") -> Backtest:
    table = made_table(unit)
    split = made_split(table)
    y = table.scores["score"].to_numpy()[split.folds[0].test]

    def card(name: str, sd: float, shift: float) -> Scorecard:
        mean = np.full((DRAWS, len(y)), 0.5 + shift)
        density = norm.logpdf(y, mean, sd)
        fold = FoldPrediction(mean + sd * GRID[:, None], mean, density, 1.0, 1.0, 0, 1)
        return score_folds(name, table, split, [fold])

    cards = {name: card(name, *how) for name, how in FORECASTS.items()}
    baselines = {name: card(name, *how) for name, how in BASELINES.items()}
    return Backtest(table.name, split, cards, baselines, {}, pd.DataFrame())


def check_layout(axes: Axes) -> None:
    """No legend covers a panel, no tick label another, and no text leaves the figure."""
    axes.figure.draw_without_rendering()
    for legend in axes.figure.legends:
        assert not axes.get_tightbbox().overlaps(legend.get_window_extent())
    for axis in (axes.xaxis, axes.yaxis):
        boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text()]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    inside = axes.figure.bbox
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title, *axes.texts):
        box = text.get_window_extent()
        if text.get_text():
            assert inside.x0 <= box.x0 <= box.x1 <= inside.x1, text
            assert inside.y0 <= box.y0 <= box.y1 <= inside.y1, text
