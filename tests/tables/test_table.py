"""Table: what goes in comes out, in every form, and counts never overflow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from bayescale.base.errors import TableError
from bayescale.tables.read import read_table
from bayescale.tables.table import Table


def make(**columns: object) -> Table:
    """Return three runs of two families on two benchmarks, one score missing."""
    frame = pd.DataFrame(
        {
            "run": ["a-7b", "a-3b", "b-9b"],
            "family": ["a", "a", "b"],
            "params": [7e9, 3e9, 9e9],
            "tokens": [2e12, np.nan, 3e12],
            "released": ["2024-06-15", "", ""],
            "lineage": ["a", "a", ""],
            "instruct": [False, True, False],
            "MMLU": [0.5, 0.4, 0.6],
            "ARC": [np.nan, 0.3, 0.1 + 0.2],
            "ARC_stderr": [np.nan, 0.01, np.nan],
        }
    )
    facts = pd.DataFrame(
        {"benchmark": ["ARC", "MMLU"], "chance": [0.25, 0.25], "items": [1172, 14042]}
    )
    return Table.from_wide(frame.assign(**columns), facts, "mine")


def assert_same(one: Table, other: Table) -> None:
    assert one.name == other.name
    for part in ("scores", "runs", "benchmarks"):
        assert_frame_equal(getattr(one, part), getattr(other, part), check_exact=True)
    assert one.excluded.to_dict("list") == other.excluded.to_dict("list")


def test_a_missing_score_is_a_missing_row() -> None:
    table = make()
    assert table.n_rows == 5
    assert table.families == ("a", "b")
    assert list(table.scores.columns) == ["run", "benchmark", "score", "stderr"]
    assert list(table.scores["benchmark"]) == ["MMLU", "ARC", "MMLU", "ARC", "MMLU"]
    assert table.scores["stderr"].notna().sum() == 1


def test_flops_are_six_n_d_and_do_not_overflow() -> None:
    # 6 * 4e11 * 2e13 = 4.8e25 is far above the largest int64, 9.2e18.
    scores = pd.DataFrame({"run": ["a", "b"], "benchmark": "MMLU", "score": 0.5})
    runs = pd.DataFrame(
        {
            "run": ["a", "b"],
            "family": "f",
            "params": np.array([400_000_000_000, 7_000_000_000], dtype="int64"),
            "tokens": np.array([20_000_000_000_000, 2_000_000_000_000], dtype="int64"),
        }
    )
    table = Table.from_long(scores, runs)
    assert table.runs["params"].dtype == np.float64
    assert table.runs["flops"].tolist() == [4.8e25, 8.4e22]


def test_flops_use_active_params_and_keep_what_is_given() -> None:
    table = make(params_active=[np.nan, np.nan, 1e9], flops=[1e20, np.nan, np.nan])
    assert table.runs.loc["a-7b", "flops"] == 1e20
    assert np.isnan(table.runs.loc["a-3b", "flops"])  # unknown tokens
    assert table.runs.loc["b-9b", "flops"] == 6 * 1e9 * 3e12


def test_mixture_of_experts_without_active_params_is_excluded_with_a_reason() -> None:
    table = make(moe=[True, False, True], params_active=[np.nan, np.nan, 1e9])
    assert list(table.runs.index) == ["a-3b", "b-9b"]
    assert "a-7b" not in set(table.scores["run"])
    assert table.excluded["run"].tolist() == ["a-7b"]
    assert "params_active" in table.excluded["reason"][0]


def test_a_table_of_excluded_runs_alone_is_refused() -> None:
    with pytest.raises(TableError, match=r'"params_active".*no score is left.*row 0 .*"a-7b"'):
        make(moe=True)


def test_wide_and_back() -> None:
    table = make()
    again = Table.from_wide(table.to_wide(), table.benchmarks, "mine")
    assert_same(again, table)


@pytest.mark.parametrize("moe", [False, True])
def test_files_give_the_same_table_back(tmp_path: Path, moe: bool) -> None:
    table = make(moe=[moe, False, False])
    folder = tmp_path / "mine"
    table.to_csv(folder)
    assert_same(read_table(folder), table)
    table.to_parquet(tmp_path / "x.parquet")
    assert_same(read_table(tmp_path / "x.parquet"), table)
    table.to_frame().to_csv(tmp_path / "mine.csv", index=False)
    long = read_table(tmp_path / "mine.csv", benchmarks=table.benchmarks)
    assert_frame_equal(long.scores, table.scores, check_exact=True)
    assert_frame_equal(long.runs, table.runs, check_exact=True)
    table.to_wide().to_csv(tmp_path / "mine.csv")
    wide = read_table(tmp_path / "mine.csv", benchmarks=table.benchmarks)
    assert_frame_equal(wide.scores, table.scores, check_exact=True)


def test_parquet_keeps_runs_and_benchmarks_that_have_no_score(tmp_path: Path) -> None:
    table = make(ARC=np.nan, MMLU=[0.5, np.nan, 0.6])
    table.to_parquet(tmp_path / "mine.parquet")
    assert_same(read_table(tmp_path / "mine.parquet"), table)


def test_writing_over_a_folder_leaves_nothing_of_the_old_table(tmp_path: Path) -> None:
    make(moe=[True, False, False]).to_csv(tmp_path / "mine")
    make().to_csv(tmp_path / "mine")
    assert_same(read_table(tmp_path / "mine"), make())


@settings(max_examples=25, deadline=None)
@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    params=st.floats(1e6, 1e12),
    tokens=st.floats(1e9, 1e14),
)
def test_csv_keeps_every_bit(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float], params: float, tokens: float
) -> None:
    names = [f"r{number}" for number in range(len(scores))]
    runs = pd.DataFrame({"run": names, "family": "f", "params": params, "tokens": tokens})
    table = Table.from_long(
        pd.DataFrame({"run": names, "benchmark": "MMLU", "score": scores}), runs, name="t"
    )
    folder = tmp_path_factory.mktemp("tables") / "t"
    table.to_csv(folder)
    assert_same(read_table(folder), table)


def test_row_order_of_scores_does_not_matter() -> None:
    table = make()
    shuffled = table.scores.sample(frac=1, random_state=0)
    again = Table.from_long(shuffled, table.runs, table.benchmarks, "mine")
    assert_same(again, table)


def test_add_joins_runs_and_keeps_the_first_tables_benchmarks() -> None:
    table = make()
    extra = pd.DataFrame(
        {"run": ["c-1b"], "family": ["c"], "params": [1e9], "tokens": [1e11], "MMLU": [0.3]}
    )
    joined = table.add(Table.from_wide(extra))
    assert joined.n_rows == table.n_rows + 1
    assert list(joined.runs.index) == [*table.runs.index, "c-1b"]
    assert_frame_equal(joined.benchmarks, table.benchmarks)
    assert_frame_equal(joined.select(families=["a", "b"]).scores, table.scores)


def test_add_names_clashing_runs_and_unknown_benchmarks() -> None:
    table = make()
    extra = pd.DataFrame(
        {"run": ["a-7b"], "family": ["c"], "params": [1e9], "tokens": [1e11], "MMLUU": [0.3]}
    )
    with pytest.raises(TableError) as error:
        table.add(Table.from_wide(extra, name="other"))
    for words in ('"a-7b"', "rename", '"MMLUU"', 'did you mean "MMLU"'):
        assert words in str(error.value)


def test_select_keeps_order_and_drops_runs_without_a_score() -> None:
    table = make()
    arc = table.select(benchmarks=["ARC"])
    assert list(arc.runs.index) == ["a-3b", "b-9b"]
    assert list(arc.benchmarks.index) == ["ARC"]
    assert table.select(families=["b"]).families == ("b",)
    assert table.select(runs=["b-9b", "a-7b"]).scores["run"].unique().tolist() == ["a-7b", "b-9b"]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"benchmarks": ["MMLLU"]}, 'no benchmark "MMLLU" in the table (did you mean "MMLU"?)'),
        ({"runs": ["zzz"]}, 'no run "zzz"'),
        ({"families": ["q"]}, 'no family "q"'),
        ({"benchmarks": ["ARC"], "runs": ["a-7b"]}, "no score is left"),
    ],
)
def test_select_refuses_unknown_names(choice: dict[str, list[str]], words: str) -> None:
    with pytest.raises(TableError) as error:
        make().select(**choice)
    assert words in str(error.value)


def test_doubts_are_worded() -> None:
    assert make().doubts() == []
    one = make(MMLU=0.5, ARC=[0.3, np.nan, np.nan], family="a").doubts()
    assert any("one family only" in doubt for doubt in one)
    assert any('"ARC" has one score only' in doubt for doubt in one)
    assert any('"MMLU": all 3 scores equal 0.5' in doubt for doubt in one)
    none = make(ARC=np.nan, MMLU=[0.5, np.nan, 0.6]).doubts()
    assert any('no score on benchmark "ARC"' in doubt for doubt in none)
    assert any('no score of run "a-3b"' in doubt for doubt in none)
