"""Tables of any scaling-law runs: units, inputs, groups, and what from_runs refuses."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from bayescale.base.errors import TableError
from bayescale.tables.frames import RUN_COLUMNS
from bayescale.tables.read import read_table
from bayescale.tables.table import Table
from tests.tables.test_table import assert_same
from tests.tables.test_table import make as leaderboard

RUNS = {
    "params": [1e6, 2e6, 4e6],
    "tokens": [1e8, np.nan, 4e8],
    "lr": [0.01, 0.02, np.nan],
    "warm": [True, False, True],
    "optimizer": ["adam", "adam", "muon"],
    "loss": [4.5, 4.0, 3.5],
    "loss_stderr": [0.01, np.nan, 2.0],
}
LEADERS = {"run": ["a"], "family": ["f"], "params": [7e9], "tokens": [2e12]}


def runs(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(RUNS).assign(**columns)


def complaint(frame: pd.DataFrame, *responses: str, **more: object) -> str:
    with pytest.raises(TableError) as error:
        Table.from_runs(frame, responses or "loss", **more)  # type: ignore[arg-type]
    return str(error.value)


def test_from_runs_takes_one_row_per_measurement() -> None:
    table = Table.from_runs(runs(), name="mine")
    assert list(table.scores["run"]) == ["1", "2", "3"]
    assert list(table.scores["score"]) == RUNS["loss"]
    assert_frame_equal(table.scores[["stderr"]], pd.DataFrame({"stderr": RUNS["loss_stderr"]}))
    assert table.inputs == ("params", "tokens", "flops", "lr", "warm")
    assert table.groups == ("family", "optimizer")
    assert list(table.runs.columns) == [*RUN_COLUMNS, "lr", "warm", "optimizer"]
    assert table.families == ("all",)
    assert list(table.runs["warm"]) == [1.0, 0.0, 1.0]
    assert table.runs["flops"].iloc[0] == 6 * 1e6 * 1e8
    assert np.isnan(table.runs["flops"].iloc[1])
    fact = table.benchmarks.loc["loss"]
    assert (fact["unit"], fact["resolution"]) == ("nats/token", 0.0)
    assert fact[["chance", "ceiling", "items"]].isna().all()


def test_nothing_but_a_response_is_needed() -> None:
    table = Table.from_runs(pd.DataFrame({"loss": [3.0, -1.0]}))
    assert (table.n_rows, table.inputs, table.groups) == (2, (), ("family",))
    assert table.runs["params"].isna().all()


def test_several_responses_have_units_of_their_own_and_may_be_empty() -> None:
    frame = runs(error=[0.2, np.nan, np.nan], run=["x", "y", "z"])
    table = Table.from_runs(frame, ["loss", "error"], units={"error": "error"})
    assert list(table.benchmarks["unit"]) == ["nats/token", "error"]
    assert list(table.scores["benchmark"]) == ["loss", "error", "loss", "loss"]
    assert list(table.runs.index) == ["x", "y", "z"]
    assert "error" not in table.runs.columns
    indexed = Table.from_runs(frame.set_index("run"), ["loss", "error"], units={"error": "error"})
    assert_same(indexed, table)


@pytest.mark.parametrize("response", ["params", "tokens", "flops"])
def test_a_count_can_be_the_response(response: str, tmp_path: Path) -> None:
    """The optimum as a function of compute: the count is then no input, and is not filled in."""
    frame = pd.DataFrame({"flops": [1e18, 1e19], "params": [1e8, 3e8], "tokens": [1e9, 3e9]})
    table = Table.from_runs(frame, response, units={response: "count"})
    assert set(table.inputs) == {"flops", "params", "tokens"} - {response}
    assert table.to_wide()[response].tolist() == frame[response].tolist()
    table.to_parquet(tmp_path / "table.parquet")
    assert_same(read_table(tmp_path / "table.parquet"), table)
    again = Table.from_wide(table.to_wide(), table.benchmarks)
    assert_same(again, table)


def test_small_counts_are_meant_where_no_accuracy_is_measured() -> None:
    table = Table.from_runs(runs(params=[7.0, 8.0, 9.0], tokens=[1.0, 2.0, 3.0]))
    assert table.runs["flops"].tolist() == [42.0, 96.0, 162.0]
    assert "looks like billions" in complaint(
        runs(params=[7.0, 8.0, 9.0], loss=0.5, family="f"), units={"loss": "accuracy"}
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lr": [0.1, np.inf, 0.2]}, ['column "lr"', "not finite", 'row 1 (run "2")']),
        ({"lr": ["0.1", "0.2", "0.3x"]}, ['column "lr"', '"0.3x" is not a number', "row 2"]),
        ({"optimizer": ["adam", "", "muon"]}, ['column "optimizer": is empty', "row 1"]),
        ({"optimizer": ["adam", None, "muon"]}, ['column "optimizer": is empty', "row 1"]),
        ({"family": ["x", "", "y"]}, ['column "family"', "is empty", "row 1"]),
        ({"params": [0.0, 1.0, 2.0]}, ['column "params"', "not above zero"]),
        ({"params_active": [1e6, 3e6, 1.0]}, ["above params", "row 1"]),
        ({"loss": [1.0, np.inf, 2.0]}, ['column "score"', "not finite", 'run "2"', '"loss"']),
        ({"loss": [1.0, "high", 2.0]}, ['"high" is not a number', 'run "2"']),
        ({"loss_stderr": [0.1, -0.1, 2.0]}, ['column "stderr"', "-0.1 is below zero", 'run "2"']),
        ({"loss_stderr": [0.1, np.inf, 2.0]}, ['column "stderr"', "not finite"]),
        ({"loss": np.nan}, ["no score"]),
        ({"run": ["a", "b", "a"]}, ['"a" is given twice', "row 0", "row 2"]),
        ({"run": ["a", "", "c"]}, ['column "run"', "is empty", "row 1"]),
        ({"items": 5.0}, ['column "items"', "scores or benchmarks", "rename"]),
    ],
)
def test_each_fault_of_runs(change: dict[str, object], words: list[str]) -> None:
    message = complaint(runs(**change))
    for word in words:
        assert word in message


def test_a_missing_response_is_told_with_the_columns_there_are() -> None:
    message = complaint(runs().rename(columns={"loss": "losss"}))
    for word in ('no column "loss"', 'did you mean "losss"', '"params"', '"optimizer"'):
        assert word in message
    message = complaint(runs(), "loss", units={"los": "bits"})
    assert '"los" is no response (did you mean "loss"?)' in message


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pd.concat([runs(), runs()[["lr"]]], axis="columns")
    assert 'two columns are called "lr"' in complaint(frame)


def test_all_problems_of_runs_are_reported_at_once() -> None:
    frame = runs(lr=np.inf, optimizer="", loss=["a", 1.0, 2.0])
    assert complaint(frame).startswith("3 problems")


def test_a_name_cannot_be_a_benchmark_and_a_column_of_runs() -> None:
    scores = pd.DataFrame({"run": ["a"], "benchmark": "lr", "score": 0.5})
    with pytest.raises(TableError, match='"lr": is a benchmark and a column of runs'):
        Table.from_long(scores, pd.DataFrame(LEADERS | {"lr": 0.1}))


@pytest.mark.parametrize("column", ["chance", "ceiling", "items"])
def test_bounds_and_items_are_of_accuracies(column: str) -> None:
    scores = pd.DataFrame({"run": ["a", "a"], "benchmark": ["MMLU", "loss"], "score": [0.5, 3.0]})
    facts = pd.DataFrame({"benchmark": ["MMLU", "loss"], "unit": ["", "nats/token"]})
    table = Table.from_long(scores, pd.DataFrame(LEADERS), facts)
    assert table.benchmarks.loc["MMLU", ["chance", "ceiling"]].tolist() == [0.0, 1.0]
    assert table.benchmarks.loc["loss", ["chance", "ceiling", "items"]].isna().all()
    with pytest.raises(TableError, match=f'"{column}": is for .*"accuracy".*row 1.*"loss"'):
        Table.from_long(scores, pd.DataFrame(LEADERS), facts.assign(**{column: [0.5, 0.5]}))
    with pytest.raises(TableError, match="above 1"):
        Table.from_long(scores.assign(score=3.0), pd.DataFrame(LEADERS), facts)


def test_one_accuracy_makes_a_leaderboard() -> None:
    scores = pd.DataFrame({"run": ["a", "a"], "benchmark": ["MMLU", "loss"], "score": [0.5, 3.0]})
    facts = pd.DataFrame({"benchmark": ["MMLU", "loss"], "unit": ["accuracy", "nats/token"]})
    with pytest.raises(TableError, match='no column "family"'):
        Table.from_long(scores, pd.DataFrame({"run": ["a"]}), facts)
    plain = Table.from_long(scores[1:], pd.DataFrame({"run": ["a"]}), facts[1:])
    assert plain.families == ("all",)


def test_a_leaderboard_keeps_further_columns_of_runs(tmp_path: Path) -> None:
    scores = pd.DataFrame({"run": ["a"], "benchmark": "MMLU", "score": 0.5})
    table = Table.from_long(
        scores, pd.DataFrame(LEADERS | {"layers": 32, "lab": "x", "moe": False})
    )
    assert list(table.runs.columns) == [*RUN_COLUMNS, "layers", "lab"]
    assert (table.inputs[-1], table.groups) == ("layers", ("family", "lab"))
    table.to_csv(tmp_path / "table")
    assert_same(read_table(tmp_path / "table"), table)


def test_wide_and_long_files_keep_groups_and_leave_notes_out(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "run,family,params,tokens,lab,remark,MMLU\n"
        "a,x,7e9,2e12,one,,0.5\nb,x,3e9,1e12,two,checked,0.4\n"
    )
    table = read_table(path)
    assert table.groups == ("family", "lab")
    path.write_text(
        "run,family,params,tokens,layers,lab,shots,benchmark,score\n"
        "a,x,7e9,2e12,32,one,5,MMLU,0.5\na,x,7e9,2e12,32,one,0,ARC,0.3\n"
    )
    table = read_table(path)
    assert (table.inputs[-1], table.groups) == ("layers", ("family", "lab"))
    assert "shots" not in table.runs.columns


def test_a_long_file_of_quantities_needs_no_leaderboard_columns(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    text = "run,lr,benchmark,score,unit\na,0.1,loss,3.5,nats/token\na,0.1,steps,900,steps\n"
    path.write_text(text)
    assert read_table(path).inputs == ("lr",)
    path.write_text(text.replace("a,0.1,steps", "a,0.2,steps"))
    with pytest.raises(TableError, match=r'"a" has different values in column "lr".*lines 2, 3'):
        read_table(path)


def test_read_table_with_a_response(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    runs().to_csv(path)  # with row numbers, in a column without a name
    assert_same(read_table(path, response="loss"), Table.from_runs(runs(), name="runs"))
    path.write_text("lr,optimizer,loss\n0.1,adam,3\n0.2,,4\n0.3,muon,inf\n")
    with pytest.raises(TableError) as error:
        read_table(path, response="loss")
    for word in (str(path), '"optimizer": is empty', "line 3", "inf is not finite", "line 4"):
        assert word in str(error.value)
    runs().to_parquet(tmp_path / "runs.parquet")
    table = read_table(tmp_path / "runs.parquet", response=["loss"], units={"loss": "bits"})
    assert table.benchmarks.loc["loss", "unit"] == "bits"


def test_read_table_says_that_response_reads_runs(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    runs().to_csv(path, index=False)
    with pytest.raises(TableError, match=r'response="loss" .*--response loss'):
        read_table(path)
    path.write_text("run,family,parms,tokens,MMLU\na,x,7e9,2e12,0.5\n")
    with pytest.raises(TableError) as error:
        read_table(path)
    assert "response" not in str(error.value)


def test_read_table_refuses_response_where_it_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    runs().to_csv(path, index=False)
    with pytest.raises(TableError, match="response is for a file of runs"):
        read_table(path, benchmarks=leaderboard().benchmarks, response="loss")
    with pytest.raises(TableError, match="response is for a file of runs"):
        read_table(tmp_path, response="loss")
    with pytest.raises(TableError, match="name these with response"):
        read_table(path, units={"loss": "bits"})


WORDS = st.text(st.characters(codec="utf-8", categories=("L",)), min_size=1, max_size=8).filter(
    lambda word: (
        word.casefold() not in ("na", "nan", "null", "none", "true", "false", "inf", "infinity")
    )
)
NUMBERS = st.floats(-1e300, 1e300, allow_subnormal=False)


@st.composite
def tables(draw: st.DrawFn, words: st.SearchStrategy[str]) -> Table:
    size = draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(values, min_size=size, max_size=size))

    curve = draw(st.lists(NUMBERS, max_size=4))
    frame = pd.DataFrame(
        {
            "params": column(st.floats(1e-3, 1e15)),
            "x": column(NUMBERS | st.just(float("nan"))),
            "group": pd.Series(column(words), dtype="str"),
            "loss": column(NUMBERS),
            "steps": column(st.just(float("nan")) | NUMBERS),
            "steps_stderr": column(st.just(float("nan")) | st.floats(0, 1e9)),
        }
    )
    series = pd.DataFrame(
        {"series": draw(words), "step": np.arange(len(curve), dtype=float), "value": curve}
    )
    return Table.from_runs(
        frame, ["loss", "steps"], units={"steps": "steps"}, series=series, name="t"
    )


def assert_all_same(one: Table, other: Table) -> None:
    assert_same(one, other)
    assert_frame_equal(one.series, other.series, check_exact=True)
    assert (one.inputs, one.groups) == (other.inputs, other.groups)


@settings(max_examples=30, deadline=None)
@given(table=tables(WORDS))
def test_a_folder_gives_the_same_runs_back(
    tmp_path_factory: pytest.TempPathFactory, table: Table
) -> None:
    folder = tmp_path_factory.mktemp("tables") / "t"
    table.to_csv(folder)
    assert_all_same(read_table(folder), table)


@settings(max_examples=30, deadline=None)
@given(table=tables(WORDS) | tables(st.sampled_from(["1", "2"])) | tables(st.just("None")))
def test_parquet_gives_the_same_runs_back(
    tmp_path_factory: pytest.TempPathFactory, table: Table
) -> None:
    path = tmp_path_factory.mktemp("tables") / "t.parquet"
    table.to_parquet(path)
    assert_all_same(read_table(path), table)


def test_add_joins_inputs_and_keeps_the_first_tables_groups() -> None:
    table = Table.from_runs(runs())
    other = Table.from_runs(
        pd.DataFrame(
            {"run": ["new"], "loss": [3.0], "batch": [64], "optimizer": ["lion"], "lab": ["x"]}
        )
    )
    joined = table.add(other)
    assert joined.inputs == ("params", "tokens", "flops", "lr", "warm", "batch")
    assert joined.groups == table.groups
    assert joined.runs["batch"].isna().tolist() == [True, True, True, False]
    assert joined.runs.loc["new", "optimizer"] == "lion"
    assert np.isnan(joined.runs.loc["new", "lr"])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, 'need column "optimizer"'),
        ({"optimizer": [1.0]}, '"optimizer" is numbers in one of them and words in the other'),
        ({"optimizer": ["adam"], "lr": ["high"]}, '"lr" is numbers'),
    ],
)
def test_add_refuses_columns_that_do_not_fit(columns: dict[str, object], words: str) -> None:
    other = Table.from_runs(pd.DataFrame({"run": ["new"], "loss": [3.0], **columns}), name="other")
    with pytest.raises(TableError, match=f"cannot add other to table: .*{words}"):
        Table.from_runs(runs()).add(other)


def test_add_refuses_another_unit_and_a_response_that_is_an_input_there() -> None:
    table = Table.from_runs(runs(), ["loss", "lr"], units={"lr": "1"})
    other = Table.from_runs(runs(run=["x", "y", "z"]), units={"loss": "bits/byte"})
    with pytest.raises(TableError) as error:
        table.add(other)
    assert '"loss" is in "bits/byte"' in str(error.value)
    assert '"lr" is a benchmark in one and a column of runs in the other' in str(error.value)


def test_doubts_of_runs_say_nothing_about_the_one_family_all() -> None:
    assert Table.from_runs(runs()).doubts() == []
    assert any("one family" in doubt for doubt in Table.from_runs(runs(family="f")).doubts())
    assert any("all 3 scores equal 4" in doubt for doubt in Table.from_runs(runs(loss=4)).doubts())


def test_a_large_table_loads_in_less_than_a_second(tmp_path: Path) -> None:
    rows = 18_883
    values = np.random.default_rng(0).uniform(1e6, 1e9, (rows, 4))
    frame = pd.DataFrame(values, columns=["params", "tokens", "lr", "loss"]).assign(group="a")
    path = tmp_path / "large.parquet"
    Table.from_runs(frame).to_parquet(path)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        table = read_table(path)
        seconds.append(time.process_time() - start)
    assert table.n_rows == rows
    assert min(seconds) < 1.0


def test_many_unknown_names_are_counted() -> None:
    names = [f"r{number}" for number in range(100)]
    scores = pd.DataFrame({"run": names, "benchmark": "MMLU", "score": 0.5})
    with pytest.raises(TableError, match="and 80 more unknown names of runs"):
        Table.from_long(scores, pd.DataFrame(LEADERS))
