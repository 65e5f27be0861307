"""Decisions between families: who is matched, with what odds, and how they are scored."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayescale.backtesting.decisions import RANKING, decide, decision_scores, matched_pairs, ranked
from bayescale.backtesting.splits import Fold, Split
from bayescale.tables.table import Table

EVERY = Split("by hand", ())


@pytest.fixture(scope="module")
def table() -> Table:
    """Three corpora at two sizes; a is best at the small one, b at the large one."""
    frame = pd.DataFrame(
        {
            "run": ["a1", "b1", "c1", "a9", "b9", "c9"],
            "corpus": list("abcabc"),
            "params": [1e8] * 3 + [9e8] * 3,
            "tokens": [1e10] * 6,
            "acc": [0.5, 0.4, 0.3, 0.6, 0.7, 0.5],
        }
    )
    return Table.from_runs(frame, "acc", units={"acc": "points"})


def rows_of(table: Table) -> pd.DataFrame:
    rows = table.scores[["run", "benchmark", "score"]].assign(fold="1")
    return rows.assign(family=table.runs["corpus"].loc[rows["run"]].to_numpy())


def test_pairs_are_of_one_size_and_any_folds(table: Table) -> None:
    pairs = matched_pairs(rows_of(table), table, EVERY)
    assert len(pairs) == 6
    assert list(zip(pairs["a"], pairs["b"], strict=True))[:3] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert list(pairs["won"]) == [1, 1, 1, 0, 1, 1]
    assert len(matched_pairs(rows_of(table).assign(fold=list("111212")), table, EVERY)) == 6


def test_runs_of_other_sizes_or_of_unknown_size_do_not_match(table: Table) -> None:
    rows = rows_of(table)
    for change in (
        {"params": np.nan, "flops": np.nan, "tokens": np.nan},
        {"params": [1e8, 2e8, 4e8] * 2},
    ):
        other = dataclasses.replace(table, runs=table.runs.assign(**change))
        if "flops" not in change:
            other.runs["flops"] = 6 * other.runs["params"] * other.runs["tokens"]
        assert matched_pairs(rows, other, EVERY).empty
    by_examples = Table.from_runs(
        pd.DataFrame({"examples": [1e3, 1e6], "corpus": ["a", "b"], "ce": [2.0, 1.0]}), "ce"
    )
    assert matched_pairs(rows_of(by_examples), by_examples, EVERY).empty


def test_members_of_one_family_are_no_choice(table: Table) -> None:
    assert matched_pairs(rows_of(table).assign(family="a"), table, EVERY).empty


def test_equal_scores_decide_nothing(table: Table) -> None:
    assert matched_pairs(rows_of(table).assign(score=0.5), table, EVERY).empty


def test_odds_are_shares_of_joint_draws(table: Table) -> None:
    pairs = matched_pairs(rows_of(table), table, EVERY).iloc[:1]
    draws = np.zeros((4, 6))
    draws[:, 0] = [1, 1, 0, 0]  # above, above, equal, below
    draws[3, 1] = 1
    assert decide(pairs, draws) == pytest.approx([2.5 / 4])


def test_the_ranking_is_by_the_largest_run_in_training(table: Table) -> None:
    rows = rows_of(table)
    large = rows["run"].str.endswith("9").to_numpy()
    split = Split("s", (Fold("1", ~large, large, 0),))
    held = rows[large].reset_index(drop=True)
    pairs = matched_pairs(held, table, split)
    np.testing.assert_array_equal(ranked(pairs, held, table, split, "corpus"), [1, 1, 1])
    # a's larger run of another size counts only where b has none to set beside it.
    apart = dataclasses.replace(
        table, runs=table.runs.assign(params=[1e8, 2e8, 1e8, 9e8, 9e8, 9e8], flops=6e18)
    )
    assert list(ranked(pairs, held, apart, split, "corpus")) == [1, 1, 1]
    none = Split("s", (Fold("1", (rows["run"] == "a1").to_numpy(), large, 0),))
    np.testing.assert_array_equal(ranked(pairs, held, table, none, "corpus"), [0.5, 0.5, 0.5])


def test_accuracy_and_brier_are_closed_forms(table: Table) -> None:
    pairs = matched_pairs(rows_of(table), table, EVERY)
    p = np.array([0.9, 0.6, 0.4, 0.2, 0.5, 1.0])
    frame = decision_scores(pairs, {"m": p, RANKING: np.ones(6)})
    assert frame.loc["m", "accuracy"] == pytest.approx((1 + 1 + 0 + 1 + 0.5 + 1) / 6)
    brier = (0.1**2 + 0.4**2 + 0.6**2 + 0.2**2 + 0.5**2 + 0) / 6
    assert frame.loc["m", "brier"] == pytest.approx(brier)
    assert frame.loc[RANKING, "accuracy"] == pytest.approx(5 / 6)
    assert frame.loc[RANKING, "brier"] == pytest.approx(1 / 6)
    assert (frame["accuracy_se"] > 0).all()


def test_the_bootstrap_draws_members_not_pairs() -> None:
    """Many pairs that share one member tell little more than one pair."""
    many = pd.DataFrame({"a": "a", "b": [f"x{i % 2}" for i in range(100)]})
    many = many.assign(won=[float(i % 2) for i in range(100)])
    frame = decision_scores(many, {"m": np.full(100, 0.9)})
    assert frame.loc["m", "accuracy_se"] > 5 * np.sqrt(0.25 / 100)


def test_a_ranking_is_of_the_largest_runs_of_one_size() -> None:
    """The corpus with the larger small run is not better for that."""
    frame = pd.DataFrame(
        {
            "run": ["a-small", "a-mid", "b-small", "a-large", "b-large"],
            "corpus": list("aabab"),
            "params": [1e8, 4e8, 1e8, 9e9, 9e9],
            "tokens": 1e10,
            "acc": [0.40, 0.60, 0.45, 0.7, 0.8],
        }
    )
    table = Table.from_runs(frame, "acc", units={"acc": "points"})
    rows = rows_of(table)
    large = rows["run"].str.endswith("large").to_numpy()
    split = Split("s", (Fold("1", ~large, large, 0),))
    held = rows[large].reset_index(drop=True)
    pairs = matched_pairs(held, table, split)
    assert list(ranked(pairs, held, table, split, "corpus")) == [0.0]
