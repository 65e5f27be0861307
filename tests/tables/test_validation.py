"""Bad input: every problem is named, with file, column and line, and all at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bayescale.base.errors import TableError
from bayescale.tables.read import read_table
from bayescale.tables.table import Table

GOOD = """\
run,family,params,tokens,MMLU,ARC
a,x,7e9,2e12,0.5,0.3
b,x,3e9,,0.4,
c,y,9e9,3e12,0.6,0.4
"""


def complaint(tmp_path: Path, text: str, benchmarks: pd.DataFrame | None = None) -> str:
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(TableError) as error:
        read_table(path, benchmarks=benchmarks)
    assert str(path) in str(error.value)
    return str(error.value)


def test_the_good_file_is_good(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(GOOD)
    table = read_table(path)
    assert (table.name, table.n_rows, len(table.runs)) == ("runs", 5, 3)
    path.write_text("\ufeff" + GOOD.replace("\nc,", "\n\nc,"), encoding="utf-8")
    assert read_table(path).n_rows == 5  # byte-order mark and blank line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("params", "parms", ['no column "params"', 'did you mean "parms"']),
        ("run,family", "run,notes", ['no column "family"', "the columns are"]),
        ("family,", "", ["cannot be read as a table"]),
        (",tokens", ",tokns", ['no column "tokens"', 'did you mean "tokns"']),
        ("a,x,7e9", "a,x,0", ['column "params"', "0 is not above zero", 'line 2 (run "a")']),
        ("a,x,7e9", "a,x,-7e9", ["not above zero", "line 2"]),
        ("a,x,7e9", "a,x,", ['column "params"', "is empty", "line 2"]),
        ("a,x,7e9", "a,x,7", ['column "params"', "looks like billions: multiply by 1e9"]),
        ("a,x,7e9", "a,x,7B", ['"7B" is not a number', "7e9", "line 2"]),
        ("a,x,7e9", "a,x,inf", ['column "params"', "is not finite"]),
        ("2e12", "2", ['column "tokens"', "looks like trillions: multiply by 1e12", "line 2"]),
        ("2e12", "2000", ['column "tokens"', "looks like billions: multiply by 1e9"]),
        ("2e12", "0", ['column "tokens"', "not above zero"]),
        ("2e12", "-1e12", ['column "tokens"', "not above zero"]),
        ("0.5,0.3", "50,0.3", ["above 1", "divide them by 100", "line 2", '"MMLU"']),
        ("0.5,0.3", "0.5,-0.3", ["below 0", "line 2", '"ARC"']),
        ("0.5,0.3", "half,0.3", ["half", "line 2"]),
        ("b,x", ",x", ['column "run"', "is empty", "line 3"]),
        ("b,x", "b,", ['column "family"', "is empty", "line 3"]),
        ("b,x", "a,x", ['column "run"', "given twice", "line 2", "line 3"]),
    ],
)
def test_each_fault_of_a_wide_file(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    known = pd.DataFrame({"benchmark": ["MMLU", "ARC"]})
    message = complaint(tmp_path, GOOD.replace(old, new), known)
    for word in words:
        assert word in message


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("7e9", "7").replace("3e12", "3").replace("0.4,\n", "40,\n")
    message = complaint(tmp_path, text)
    assert message.startswith("3 problems")
    for word in ('column "params"', 'column "tokens"', "percent"):
        assert word in message


def test_empty_tables(tmp_path: Path) -> None:
    assert "the file is empty" in complaint(tmp_path, "")
    assert "header but no rows" in complaint(tmp_path, GOOD.split("\n")[0] + "\n")
    assert "no column of benchmark scores" in complaint(
        tmp_path, "run,family,params,tokens\na,x,7e9,2e12\n"
    )


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "nothing.csv")


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(TableError, match="cannot be read as a table"):
        read_table(path)


def test_unknown_benchmark_column_is_not_dropped_in_silence(tmp_path: Path) -> None:
    known = pd.DataFrame({"benchmark": ["MMLU", "ARC"]})
    message = complaint(tmp_path, GOOD.replace("MMLU", "MLLU"), known)
    assert '"MLLU"' in message
    assert 'did you mean "MMLU"' in message


LONG = """\
run,family,params,tokens,benchmark,score
a,x,7e9,2e12,MMLU,0.5
a,x,7e9,2e12,ARC,0.3
b,y,3e9,1e12,MMLU,0.4
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ARC", "MMLU", ['"a" has 2 scores on benchmark "MMLU"', "lines 2, 3"]),
        ("ARC", "ARK", ['unknown benchmark "ARK" (line 3)', 'did you mean "ARC"', '"MMLU"']),
        ("a,x,7e9,2e12,ARC", "a,x,8e9,2e12,ARC", ['run "a"', '"params"', "lines 2, 3"]),
        ("score", "scores", ['no column "score"', 'did you mean "scores"']),
    ],
)
def test_each_fault_of_a_long_file(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    known = pd.DataFrame({"benchmark": ["MMLU", "ARC"]})
    message = complaint(tmp_path, LONG.replace(old, new), known)
    for word in words:
        assert word in message


def test_active_params_are_a_part_of_all_params(tmp_path: Path) -> None:
    text = GOOD.replace("tokens", "params_active,tokens").replace("7e9,", "7e9,7e9,")
    good = text.replace("3e9,", "3e9,,").replace("9e9,", "9e9,1e9,", 1)
    path = tmp_path / "runs.csv"
    path.write_text(good)
    assert read_table(path).runs["params_active"].dropna().to_list() == [7e9, 1e9]
    message = complaint(tmp_path, good.replace("9e9,1e9", "9e9,46e9"))
    assert 'column "params_active"' in message
    assert 'line 4 (run "c")' in message
    assert "problems" not in message


@pytest.mark.parametrize(("chance", "ceiling"), [(0.5, 0.5), (0.9, 0.25)])
def test_guessing_scores_less_than_the_ceiling(chance: float, ceiling: float) -> None:
    scores = pd.DataFrame({"run": ["a"], "benchmark": "MMLU", "score": 0.5})
    runs = pd.DataFrame({"run": ["a"], "family": "f", "params": 1e9, "tokens": 1e12})
    known = pd.DataFrame(
        {"benchmark": ["MMLU", "ARC"], "chance": [0.25, chance], "ceiling": [1.0, ceiling]}
    )
    with pytest.raises(TableError, match=r'column "chance".*ceiling.*: row 1 .*"ARC"') as error:
        Table.from_long(scores, runs, known)
    assert '"MMLU"' not in str(error.value)


def test_many_rows_are_counted_not_listed() -> None:
    names = [f"r{number}" for number in range(20)]
    scores = pd.DataFrame({"run": names, "benchmark": "MMLU", "score": 50.0})
    runs = pd.DataFrame({"run": names, "family": "f", "params": 1e9, "tokens": 1e12})
    with pytest.raises(TableError, match="and 15 more"):
        Table.from_long(scores, runs)


def test_scores_of_runs_that_are_not_listed() -> None:
    scores = pd.DataFrame({"run": ["a", "bb"], "benchmark": "MMLU", "score": 0.5})
    runs = pd.DataFrame({"run": ["a", "bbb"], "family": "f", "params": 1e9, "tokens": 1e12})
    with pytest.raises(TableError, match=r'unknown run "bb".*did you mean "bbb"'):
        Table.from_long(scores, runs)


def test_dates_booleans_and_benchmark_facts() -> None:
    scores = pd.DataFrame({"run": ["a"], "benchmark": "MMLU", "score": 0.5})
    runs = pd.DataFrame({"run": ["a"], "family": "f", "params": 1e9, "tokens": 1e12})
    with pytest.raises(TableError, match=r"15/06/2024.*is not a date"):
        Table.from_long(scores, runs.assign(released="15/06/2024"))
    with pytest.raises(TableError, match=r"2024-6-5.*is not a date"):  # it is no word in order
        Table.from_long(scores, runs.assign(released="2024-6-5"))
    with pytest.raises(TableError, match="neither true nor false"):
        Table.from_long(scores, runs.assign(instruct="maybe"))
    with pytest.raises(TableError, match=r'"chance".*outside \[0, 1\]'):
        Table.from_long(scores, runs, pd.DataFrame({"benchmark": ["MMLU"], "chance": [25]}))
    assert Table.from_long(scores, runs.assign(instruct="yes")).runs["instruct"].tolist() == [True]
