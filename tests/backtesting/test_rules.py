"""Splits by rule: what is held out, what must leave training with it, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.backtesting.rules import hold_out, inner, size_column
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.errors import SplitError
from bayescale.tables.named import load_table
from bayescale.tables.table import Table


def made(runs: pd.DataFrame, benchmarks: tuple[str, ...] = ("MMLU",)) -> Table:
    pairs = [(run, name) for run in runs["run"] for name in benchmarks]
    scores = pd.DataFrame(pairs, columns=["run", "benchmark"]).assign(score=0.5)
    return Table.from_long(scores, runs.assign(tokens=1e12), name="made")


@pytest.fixture(scope="module")
def table() -> Table:
    """Base family b of three sizes, its chat models c, an independent family d, and a lone e."""
    runs = pd.DataFrame(
        [
            ("b-1", "b", 1e9, "b", "2023-01-05"),
            ("b-7", "b", 7e9, "b", "2023-02-05"),
            ("b-70", "b", 70e9, "b", "2023-03-05"),
            ("c-1", "c", 1e9, "b", "2023-06-05"),
            ("c-7", "c", 7e9, "b", "2024-01-05"),
            ("d-2", "d", 2e9, "d", "2024-02-05"),
            ("d-20", "d", 20e9, "d", ""),
            ("e-3", "e", 3e9, "e", "2024-03-05"),
            ("f-7", "f", 7e9, "c-7", "2024-04-05"),
        ],
        columns=["run", "family", "params", "lineage", "released"],
    )
    return made(runs, ("MMLU", "MATH"))


def names(table: Table, mask: np.ndarray) -> set[str]:
    return set(table.scores["run"][mask])


def test_by_size_keeps_the_smaller_half_of_each_family(table: Table) -> None:
    (fold,) = hold_out(table, "size").folds
    assert names(table, fold.test) == {"b-70", "c-7", "d-20"}
    # f-7 derives from the held-out c-7.
    assert names(table, fold.train) == {"b-1", "b-7", "c-1", "d-2", "e-3"}


def test_by_size_keeps_as_many_sizes_as_told(table: Table) -> None:
    (fold,) = hold_out(table, "size", keep=1).folds
    assert names(table, fold.test) == {"b-7", "b-70", "c-7", "d-20"}


def test_derivatives_of_a_held_out_run_never_stay_in_training(table: Table) -> None:
    split = hold_out(table, "family", keep=1)
    assert [fold.label for fold in split.folds] == ["b", "c", "d"]
    of_b, of_c, of_d = split.folds
    assert names(table, of_b.test) == {"b-7", "b-70"}
    # c-7 comes from b-7 and f-7 from c-7; c-1 comes from b-1, which is trained on.
    assert names(table, of_b.train) == {"b-1", "c-1", "d-2", "d-20", "e-3"}
    assert names(table, of_c.train) == {"b-1", "b-7", "b-70", "c-1", "d-2", "d-20", "e-3"}
    assert names(table, of_d.train) == {"b-1", "b-7", "b-70", "c-1", "c-7", "d-2", "e-3", "f-7"}
    assert any('"e"' in note for note in split.notes)
    assert any("derive" in note for note in split.notes)


def test_an_unseen_family_leaves_with_all_that_derives_from_it(table: Table) -> None:
    of_b = hold_out(table, "family").folds[0]
    assert names(table, of_b.test) == {"b-1", "b-7", "b-70"}
    assert names(table, of_b.train) == {"d-2", "d-20", "e-3"}


def test_a_run_that_has_its_familys_name_is_not_its_familys_ancestor() -> None:
    runs = pd.DataFrame({"run": ["bloom", "bloom-1", "x-1"], "family": ["bloom", "bloom", "x"]})
    runs = runs.assign(params=[1.7e11, 1e9, 1e9], lineage=["bloom", "bloom", "x"])
    table = made(runs)
    (fold,) = hold_out(table, "size", keep=1).folds
    assert names(table, fold.train) == {"bloom-1", "x-1"}


def test_by_date_trains_on_what_was_released_before(table: Table) -> None:
    split = hold_out(table, "date", cutoffs=("2024-01-01",))
    (fold,) = split.folds
    assert fold.label == "2024-01-01"
    assert names(table, fold.test) == {"c-7", "d-2", "e-3", "f-7"}
    assert names(table, fold.train) == {"b-1", "b-7", "b-70", "c-1"}
    assert "1 undated runs left out" in split.notes


def test_dates_roll_from_cutoff_to_cutoff(table: Table) -> None:
    first, second = hold_out(table, "date", cutoffs=("2024-02-01", "2023-06-01")).folds
    assert names(table, first.test) == {"c-1", "c-7"}
    assert names(table, second.test) == {"d-2", "e-3", "f-7"}
    assert names(table, second.train) == {"b-1", "b-7", "b-70", "c-1", "c-7"}


def test_default_cutoffs_are_half_years_within_the_dates() -> None:
    table = load_table("open-llm-leaderboard")
    split = hold_out(table, "date")
    released = table.runs["released"]
    for fold in split.folds:
        assert fold.label[5:] in ("01-01", "07-01")
        train = released.loc[sorted(names(table, fold.train))]
        test = released.loc[sorted(names(table, fold.test))]
        assert train.max() < fold.label <= test.min()


def test_by_benchmark_gives_a_few_scores_over_all_sizes(table: Table) -> None:
    split = hold_out(table, "benchmark", keep=3)
    for fold in split.folds:
        assert set(table.scores["benchmark"][fold.test]) == {fold.label}
        given = fold.train & (table.scores["benchmark"] == fold.label).to_numpy()
        size = table.runs["params"].loc[table.scores["run"][given]]
        assert len(size) == 3
        assert (size.min(), size.max()) == (1e9, 70e9)


def test_what_derives_from_a_tested_score_is_not_given() -> None:
    table = load_table("open-llm-leaderboard")
    for fold in hold_out(table, "benchmark").folds:
        rows = table.scores[fold.train & (table.scores["benchmark"] == fold.label).to_numpy()]
        runs = table.runs.loc[rows["run"]]
        assert len(runs) == 5
        assert (runs["lineage"] == runs["family"]).all()


def test_dates_and_benchmarks_need_no_size(table: Table) -> None:
    runs = table.runs.assign(params=np.nan, tokens=np.nan, flops=np.nan)
    bare = dataclasses.replace(table, runs=runs)
    assert hold_out(bare, "date", cutoffs=("2024-01-01",)).folds
    assert hold_out(bare, "benchmark", keep=2).folds
    with pytest.raises(SplitError, match="no input that is known"):
        hold_out(bare, "size")


def test_points_of_one_training_run_never_straddle_a_split() -> None:
    table = load_table("compute-optimal")
    (fold,) = hold_out(table, "size", group="experiment").folds
    curve = table.runs["trajectory"]
    assert fold.train.sum() > 300
    assert fold.test.sum() > 300
    assert not set(curve[sorted(names(table, fold.train))]) & set(
        curve[sorted(names(table, fold.test))]
    )


@settings(max_examples=15)
@given(keep=st.integers(0, 2), folds=st.integers(2, 12), seed=st.integers(0, 5))
def test_every_family_is_tested_once_and_no_row_is_on_both_sides(
    keep: int, folds: int, seed: int
) -> None:
    table = load_table("sloth-2024")
    split = hold_out(table, "family", keep=keep, folds=folds, seed=seed)
    assert len(split.folds) == folds
    tests = np.sum([fold.test for fold in split.folds], axis=0)
    assert tests.max() == 1
    for fold in split.folds:
        assert not (fold.train & fold.test).any()
    size = np.log10(table.runs["params"]).round(3)
    rank = size.groupby(table.runs["family"]).rank("dense")
    held = rank.loc[table.scores["run"]].to_numpy() > keep
    np.testing.assert_array_equal(held, tests == 1)


def test_sizes_are_params_of_leaderboards_and_budgets_elsewhere(table: Table) -> None:
    assert size_column(table) == "params"
    assert size_column(load_table("compute-optimal")) == "flops"
    assert size_column(table, "tokens") == "tokens"


@pytest.mark.parametrize("rule", ["size", "family", "date"])
def test_inner_pairs_divide_training_rows_alone(rule: str) -> None:
    wide = load_table("sloth-2024")
    options = {"keep": 1} if rule == "family" else {}
    split = hold_out(wide, rule, **options)
    for fold in split.folds[:2]:
        pairs = inner(split, fold, wide, 4)
        assert pairs
        for train, test in pairs:
            assert test.any()
            assert not (train & test).any()
            assert not ((train | test) & ~fold.train).any()


def test_a_split_file_has_inner_pairs_too() -> None:
    wide = load_table("sloth-2024")
    test = (wide.scores["run"] == wide.runs.index[0]).to_numpy()
    split = Split("file", (Fold("1", ~test, test, 0),))
    ((train, other),) = inner(split, split.folds[0], wide, 5)
    assert not ((train | other) & test).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "sise"}, "size"),
        ({"by": "size", "group": "corpus"}, "no groups 'corpus'"),
        ({"by": "size", "size": "depth"}, "'depth'"),
        ({"by": "size", "keep": 9}, "keep fewer or more sizes"),
        ({"by": "family", "keep": 9}, "nothing of table made is held out"),
        ({"by": "benchmark", "keep": 99}, "nothing of table made is held out"),
        ({"by": "family", "folds": 1}, "at least 2"),
        ({"by": "family", "keep": -1}, "at least 0"),
        ({"by": "date", "cutoffs": ("soon",)}, "2024-01-01"),
        ({"by": "date", "cutoffs": ("2022-01-01",)}, "run from 2023-01-05 to 2024-04-05"),
        ({"by": "date", "cutoffs": ("2030-01-01",)}, "run from 2023-01-05 to 2024-04-05"),
        ({"by": "date", "keep": 1}, "keep is of sizes"),
        ({"by": "size", "cutoffs": ("2024-01-01",)}, "of by='date'"),
    ],
)
def test_rules_that_make_no_sense_are_refused(
    table: Table, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(SplitError, match=message):
        hold_out(table, **arguments)  # type: ignore[arg-type]


def test_the_only_family_of_a_table_cannot_be_unseen() -> None:
    runs = pd.DataFrame({"run": ["a", "b"], "family": "f", "params": [1e9, 2e9]})
    with pytest.raises(SplitError, match=r'"f" is the only family .* keep some of its sizes'):
        hold_out(made(runs), "family")


def test_no_dates_are_told() -> None:
    runs = pd.DataFrame({"run": ["a", "b"], "family": ["f", "g"], "params": [1e9, 2e9]})
    with pytest.raises(SplitError, match="released"):
        hold_out(made(runs), "date")
