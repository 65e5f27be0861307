"""Split files: which rows each fold trains on, and each way a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.backtesting.splits import Split, read_split
from bayescale.base.errors import SplitError
from bayescale.tables.table import Table


@pytest.fixture(scope="module")
def table() -> Table:
    """Four runs of two families; every score but (b-7b, MATH)."""
    runs = pd.DataFrame(
        {
            "run": ["a-1b", "a-7b", "b-1b", "b-7b"],
            "family": ["a", "a", "b", "b"],
            "params": [1e9, 7e9, 1e9, 7e9],
            "tokens": [1e12] * 4,
        }
    )
    pairs = [(r, b) for r in runs["run"] for b in ("MMLU", "MATH") if (r, b) != ("b-7b", "MATH")]
    scores = pd.DataFrame(pairs, columns=["run", "benchmark"]).assign(score=0.5)
    return Table.from_long(scores, runs, name="four runs")


def read(text: str, table: Table, folder: Path) -> Split:
    path = folder / "split.csv"
    path.write_text(text, encoding="utf-8")
    return read_split(path, table)


def rows(table: Table, mask: np.ndarray) -> set[tuple[str, str]]:
    chosen = table.scores.loc[mask, ["run", "benchmark"]]
    return set(chosen.itertuples(index=False, name=None))


def test_one_role_a_run_covers_all_its_scores(table: Table, tmp_path: Path) -> None:
    text = "run,role\na-1b,train\nb-1b,train\na-7b,test\nb-7b,drop\n"
    (fold,) = read(text, table, tmp_path).folds
    assert rows(table, fold.test) == {("a-7b", "MMLU"), ("a-7b", "MATH")}
    assert {run for run, _ in rows(table, fold.train)} == {"a-1b", "b-1b"}
    assert fold.train.dtype == bool
    assert fold.train.shape == (len(table.scores),)
    assert fold.unlisted == 0


def test_runs_not_named_are_trained_on(table: Table, tmp_path: Path) -> None:
    (fold,) = read("run,role\na-7b,test\n", table, tmp_path).folds
    assert {run for run, _ in rows(table, fold.train)} == {"a-1b", "b-1b", "b-7b"}
    assert fold.unlisted == 3
    assert "3 runs are not named" in str(fold)


def test_a_star_gives_runs_not_named_their_role(table: Table, tmp_path: Path) -> None:
    (fold,) = read("run,role\na-7b,test\na-1b,train\n*,drop\n", table, tmp_path).folds
    assert {run for run, _ in rows(table, fold.train)} == {"a-1b"}
    assert str(fold) == "fold 1: 2 rows train, 2 test, 3 dropped; 2 runs are not named"


def test_a_benchmark_counts_before_its_run(table: Table, tmp_path: Path) -> None:
    text = "run,role,benchmark\nb-1b,train,MMLU\nb-1b,test,\na-1b,drop,MATH\n"
    (fold,) = read(text, table, tmp_path).folds
    assert rows(table, fold.test) == {("b-1b", "MATH")}
    dropped = ~fold.train & ~fold.test
    assert rows(table, dropped) == {("a-1b", "MATH")}


def test_folds_are_apart_and_keep_the_order_of_the_file(table: Table, tmp_path: Path) -> None:
    text = "run,role,fold\na-7b,test,z\nb-7b,drop,z\nb-7b,test,y\n*,train,y\n"
    first, second = read(text, table, tmp_path).folds
    assert (first.label, second.label) == ("z", "y")
    assert {run for run, _ in rows(table, second.train)} == {"a-1b", "a-7b", "b-1b"}
    assert {run for run, _ in rows(table, first.train)} == {"a-1b", "b-1b"}


def test_no_row_has_two_roles(table: Table, tmp_path: Path) -> None:
    for fold in read("run,role,benchmark\na-7b,test,MMLU\n", table, tmp_path).folds:
        assert not (fold.train & fold.test).any()


def test_named_pairs_without_a_score_are_counted_and_said(table: Table, tmp_path: Path) -> None:
    text = "run,role,benchmark\nb-7b,test,MMLU\nb-7b,test,MATH\n"
    split = read(text, table, tmp_path)
    assert split.without_score == 1
    assert split.folds[0].test.sum() == 1
    assert "1 named run-benchmark pairs have no score" in str(split)


def test_blank_lines_spaces_and_other_columns_do_no_harm(table: Table, tmp_path: Path) -> None:
    text = "\ufeffrun , role,comment\n\na-7b , test,big\n\n"
    (fold,) = read(text, table, tmp_path).folds
    assert {run for run, _ in rows(table, fold.test)} == {"a-7b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run,role\na-7,test\n", r'no run "a-7" \(did you mean "a-7b"\?\) \(lines 2\)'),
        ("run,role\na-1b,train\na-7b,tset\n", r'role "tset" .*did you mean "test".*\(lines 3\)'),
        ("run,role\na-1b,train\n", "fold 1 leaves no rows to test"),
        ("run,role\na-1b,test\n*,drop\n", "fold 1 leaves no rows to train on"),
        ("run,role\na-1b,test\n*,test\n", "fold 1 leaves no rows to train on"),
        ("run,role,fold\na-1b,test,1\na-1b,train,2\n", "fold 2 leaves no rows to test"),
        ("run,role,benchmark\nb-7b,test,MATH\n", "leaves no rows to test"),
        ("run,role\na-1b,test\na-1b,train\n", r'"a-1b" has more than one row .*\(lines 2, 3\)'),
        ("run,role,benchmark\na-1b,test,\n\na-1b,test,\n", r"\(lines 2, 4\)"),
        ("run,role,benchmark\na-1b,test,MMLLU\n", 'no benchmark "MMLLU".*"MMLU"'),
        ("run,role\n,test\n", "empty run"),
        ("run,role,fold\na-1b,test,\n", "empty fold"),
        ("run,role\na-1b,\n", "role"),
        ("run,rol\na-1b,test\n", 'no column "role".*"rol"'),
        ("run,role,benchmrk\na-1b,test,MATH\n", 'unknown column "benchmrk".*"benchmark"'),
        ("run,role\na-1b,test,3\n", "more cells"),
        ("run,role\na-1b,test\nb-1b,test,3\n", "cannot read"),
        ("run,role\n", "has no rows"),
        ("", "cannot read"),
    ],
)
def test_bad_files_are_refused(text: str, message: str, table: Table, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=message) as caught:
        read(text, table, tmp_path)
    assert "split.csv" in str(caught.value)


def test_all_problems_are_reported_at_once(table: Table, tmp_path: Path) -> None:
    with pytest.raises(SplitError) as caught:
        read("run,role\nx,test\na-1b,tset\ny,train\n", table, tmp_path)
    for word in ('"x"', '"y"', '"tset"', "four runs"):
        assert word in str(caught.value)


def test_a_missing_file_a_folder_and_bytes_are_refused(table: Table, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="no split file"):
        read_split(tmp_path / "none.csv", table)
    with pytest.raises(SplitError, match="cannot read"):
        read_split(tmp_path, table)
    (tmp_path / "bytes.csv").write_bytes(b"run,role\n\xff\xfe,test\n")
    with pytest.raises(SplitError, match="cannot read"):
        read_split(tmp_path / "bytes.csv", table)


def test_a_run_that_a_rule_left_out_of_the_table_says_why(table: Table, tmp_path: Path) -> None:
    excluded = pd.DataFrame({"run": ["moe-8x7b"], "reason": ["mixture of experts"]})
    other = Table(table.scores, table.runs, table.benchmarks, "four runs", excluded)
    with pytest.raises(SplitError, match='no run "moe-8x7b": mixture of experts'):
        read("run,role\nmoe-8x7b,test\n", other, tmp_path)
