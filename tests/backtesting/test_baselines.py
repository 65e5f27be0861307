"""Baselines: closed forms, and intervals that come from training rows alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from bayescale.backtesting.baselines import (
    BASELINES,
    Points,
    carried_forward,
    logistic,
    predict_baseline,
    straight_line,
)
from bayescale.backtesting.rules import hold_out
from bayescale.backtesting.splits import Split
from bayescale.base.errors import SplitError
from bayescale.tables.named import load_table
from bayescale.tables.table import Table


def points(y: object, x: object, member: str, chance: float = 0.0, ceiling: float = 1.0) -> Points:
    return Points(np.array(y, float), np.array(x, float), np.array(list(member)), chance, ceiling)


def test_the_largest_smaller_sibling_is_carried_forward() -> None:
    train = points([0.1, 0.2, 0.9, 0.6], [20, 21, 24, 22.4], "aaab")
    test = points([0, 0, 0, 0], [22, 19, 25, 22.5], "aabc")
    # Two smaller siblings; none smaller, so the nearest; its own; none at all, so the nearest run.
    np.testing.assert_allclose(carried_forward(train, test), [0.2, 0.1, 0.6, 0.6])


def test_logistic_finds_the_curve_that_scores_lie_on() -> None:
    x, member = np.tile([20.0, 21, 22, 23], 3), "aaaabbbbcccc"
    level = np.repeat([-1.0, 0.0, 1.5], 4)
    curve = 0.25 + 0.7 * expit(level + 0.8 * (x - 21.5))
    train = points(curve, x, member, 0.25, 0.95)
    test = points([0, 0], [25.0, 21.5], "az", 0.25, 0.95)
    expected = 0.25 + 0.7 * expit([-1.0 + 0.8 * 3.5, 0.5 / 3])
    np.testing.assert_allclose(logistic(train, test), expected, atol=1e-6)


def test_logistic_of_another_quantity_is_a_power_law() -> None:
    x, member = np.array([1.0, 2, 3, 1, 2]), "aaabb"
    logs = np.repeat([2.0, 1.0], [3, 2]) - 0.3 * x
    train = points(logs, x, member, np.nan, np.nan)
    test = points([0, 0], [5.0, 5.0], "bz", np.nan, np.nan)
    np.testing.assert_allclose(logistic(train, test), [1.0 - 1.5, 1.5 - 1.5], atol=1e-12)


def test_a_line_is_the_familys_own_where_it_has_two_sizes() -> None:
    train = points([0.1, 0.3, 0.2, 0.25, 0.9], [1, 2, 1, 2, 1], "aabbc")
    test = points([0, 0, 0], [3, 3, 3], "abc")
    # c has one size, so the common slope within families: (0.2 + 0.05) / 2.
    np.testing.assert_allclose(straight_line(train, test), [0.5, 0.3, 0.9 + 2 * 0.125])


@pytest.fixture(scope="module")
def table() -> Table:
    return load_table("sloth-2024").select(benchmarks=["MMLU", "HellaSwag", "ARC"])


@pytest.fixture(scope="module")
def split(table: Table) -> Split:
    return hold_out(table, "family", keep=1, folds=4)


@pytest.mark.parametrize("name", BASELINES)
def test_nothing_depends_on_a_held_out_score(name: str, table: Table, split: Split) -> None:
    fold = split.folds[0]
    scores = table.scores.copy()
    scores.loc[fold.test, "score"] = 1 - scores.loc[fold.test, "score"]
    nonsense = dataclasses.replace(table, scores=scores)
    one, other = (predict_baseline(name, of, split, fold, "family") for of in (table, nonsense))
    np.testing.assert_array_equal(one.draws, other.draws)
    np.testing.assert_array_equal(one.mean_draws, other.mean_draws)


@pytest.mark.parametrize("name", BASELINES)
def test_predictions_of_scores_are_scores(name: str, table: Table, split: Split) -> None:
    fold = split.folds[0]
    found = predict_baseline(name, table, split, fold, "family")
    assert found.draws.shape[1] == found.mean_draws.shape[1] == fold.test.sum()
    for values in (found.draws, found.mean_draws):
        assert ((values >= 0) & (values <= 1)).all()
    assert np.isfinite(found.log_density).all()


def test_no_held_out_value_decides_whether_logs_are_taken() -> None:
    frame = pd.DataFrame({"flops": np.tile(np.geomspace(1e18, 1e21, 6), 3)})
    frame["corpus"] = np.repeat(list("abc"), 6)
    frame["loss"] = 3.0 * (frame["flops"] / 1e19) ** -0.1
    drawn = []
    for value in (frame["loss"].iloc[5], -0.001):
        frame.loc[5, "loss"] = value
        table = Table.from_runs(frame)
        split = hold_out(table, "size", group="corpus")
        fold = split.folds[0]
        drawn += [predict_baseline(name, table, split, fold, "corpus").draws for name in BASELINES]
    for first, second in zip(drawn[:3], drawn[3:], strict=True):
        np.testing.assert_array_equal(first, second)


RULES: list[dict[str, object]] = [
    {"by": "size"},
    {"by": "size", "keep": 1},
    {"by": "size", "keep": 2},
    {"by": "family"},
    {"by": "date"},
    {"by": "benchmark"},
    {"by": "benchmark", "keep": 0},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_rule_has_baselines_on_the_bundled_leaderboard(rule: dict[str, object]) -> None:
    table = load_table("open-llm-leaderboard").select(benchmarks=["MMLU", "GSM8K", "BBH"])
    split = hold_out(table, **rule)  # type: ignore[arg-type]
    fold = split.folds[-1]
    for name in BASELINES:
        found = predict_baseline(name, table, split, fold, "family")
        assert np.isfinite(found.draws).all()
        assert found.draws.shape[1] == fold.test.sum()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("overtraining", {"by": "size", "keep": 1, "group": "corpus"}),
        ("overtraining", {"by": "benchmark", "keep": 0}),
        ("olmo-ladder", {"by": "size"}),
        ("finetuning", {"by": "size"}),
    ],
)
def test_tables_of_laws_have_baselines(name: str, rule: dict[str, object]) -> None:
    table = load_table(name)
    split = hold_out(table, **rule)  # type: ignore[arg-type]
    group = str(rule.get("group", "family"))
    for baseline in BASELINES:
        found = predict_baseline(baseline, table, split, split.folds[0], group)
        assert np.isfinite(found.draws).all()


def test_one_training_run_recalibrates_nothing() -> None:
    table = load_table("gemstones")
    split = hold_out(table, "size", keep=1)
    with pytest.raises(SplitError, match="trains on one run"):
        predict_baseline("line of each family", table, split, split.folds[0], "family")


def test_recalibration_by_date_has_unseen_families_too() -> None:
    """Errors on families that nothing is known of are larger: intervals must have seen some."""
    table = load_table("open-llm-leaderboard")
    split = hold_out(table, "date", cutoffs=("2024-01-01",))
    found = predict_baseline("line of each family", table, split, split.folds[0], "family")
    low, high = np.quantile(found.draws, [0.05, 0.95], axis=0)
    y = table.scores["score"][split.folds[0].test]
    assert ((low <= y) & (y <= high)).mean() > 0.8


def test_density_of_a_positive_quantity_is_of_the_value_not_of_its_log() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"flops": np.tile(np.geomspace(1e18, 1e21, 30), 4)})
    frame["corpus"] = np.repeat(list("abcd"), 30)
    frame["loss"] = 3.0 * (frame["flops"] / 1e19) ** -0.05 * np.exp(0.02 * rng.normal(size=120))
    for factor in (1.0, 10.0):
        table = Table.from_runs(frame.assign(loss=factor * frame["loss"]))
        split = hold_out(table, "size", group="corpus")
        found = predict_baseline("least-squares logistic", table, split, split.folds[0], "corpus")
        score = np.log(np.exp(found.log_density).mean(axis=0)).mean() + np.log(factor)
        if factor == 1.0:
            first = score
    assert score == pytest.approx(first, abs=1e-6)


def test_intervals_keep_their_promise_where_errors_are_alike() -> None:
    """Families of parallel lines: errors in training are those at the held-out sizes."""
    rng = np.random.default_rng(1)
    runs = pd.DataFrame([(f"{f}-{s}", f"f{f}", s) for f in range(60) for s in (1e9, 3e9, 1e10)])
    runs.columns = ["run", "family", "params"]
    runs["tokens"] = 1e12
    level = np.repeat(rng.normal(0.4, 0.05, 60), 3)
    score = level + 0.1 * np.log10(runs["params"] / 1e9) + 0.02 * rng.normal(size=len(runs))
    scores = pd.DataFrame({"run": runs["run"], "benchmark": "MMLU", "score": score})
    table = Table.from_long(scores, runs)
    split = hold_out(table, "family", keep=1, folds=5)
    inside = []
    for fold in split.folds:
        found = predict_baseline("line of each family", table, split, fold, "family")
        low, high = np.quantile(found.draws, [0.05, 0.95], axis=0)
        y = table.scores["score"][fold.test]
        inside.append((low <= y) & (y <= high))
    assert np.mean(np.concatenate(inside)) == pytest.approx(0.9, abs=0.07)
