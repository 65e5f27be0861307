"""Verdicts by benchmark follow their stated rules."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayescale.backtesting.scorecard import Scorecard, score_rows, scorecard
from bayescale.backtesting.verdicts import RULES, verdicts
from bayescale.tables.table import Table

RUNS = 40


def card_of(center: float, spread: float, error: float, width: float) -> tuple[Scorecard, Table]:
    """Scores around a centre, predicted with errors of one size and intervals of a width."""
    rng = np.random.default_rng(0)
    names = [f"r{i}" for i in range(RUNS)]
    y = np.clip(center + spread * rng.normal(size=RUNS), 0, 1)
    middle = y + error * rng.normal(size=RUNS)
    observed = pd.DataFrame({"fold": "1", "run": names, "family": [n[-1] for n in names]})
    observed = observed.assign(benchmark="MMLU", score=y)
    grid = np.linspace(-1, 1, 201)[:, None]
    rows = score_rows(middle + width * grid, middle[None], observed, np.zeros((1, RUNS)))
    folds = pd.DataFrame({"fold": ["1"], "n": RUNS, "seconds": 1.0, "max_r_hat": 1.0})
    runs = pd.DataFrame({"run": names, "family": "f", "params": 1e9, "tokens": 1e12})
    marks = pd.DataFrame({"benchmark": ["MMLU"], "chance": 0.25})
    table = Table.from_long(observed[["run", "benchmark", "score"]], runs, marks)
    return scorecard("m", rows, folds.assign(divergences=0)), table


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ((0.6, 0.1, 0.02, 0.1), "predictable"),
        ((0.6, 0.1, 0.2, 1.0), "erratic"),  # medians explain nothing
        ((0.6, 0.1, 0.04, 0.01), "erratic"),  # medians are good, intervals far too narrow
        ((0.26, 0.01, 0.01, 0.1), "flat at chance"),
        ((0.985, 0.003, 0.01, 0.1), "saturated"),
    ],
)
def test_rules(facts: tuple[float, float, float, float], verdict: str) -> None:
    frame = verdicts(*card_of(*facts))
    assert frame.loc["MMLU", "verdict"] == verdict
    assert verdict in RULES


def test_few_scores_or_families_tell_nothing() -> None:
    card, table = card_of(0.6, 0.1, 0.02, 0.1)
    for rows in (card.rows.iloc[:8], card.rows.assign(family="f")):
        few = dataclasses.replace(card, rows=rows)
        assert verdicts(few, table).loc["MMLU", "verdict"] == "too few to tell"


def test_explained_is_one_less_the_error_over_the_spread() -> None:
    card, table = card_of(0.6, 0.1, 0.05, 0.2)
    y, middle = card.rows["score"], card.rows["mean_median"]
    expected = 1 - ((y - middle) ** 2).mean() / y.var(ddof=0)
    assert verdicts(card, table).loc["MMLU", "explained"] == pytest.approx(expected)
