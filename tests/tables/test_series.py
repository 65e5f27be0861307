"""Curves that runs refer to: checked, carried along, and never two of one name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from bayescale.base.errors import TableError
from bayescale.tables.read import read_table
from bayescale.tables.table import Table

CURVES = {"series": ["b", "b", "a", "a"], "step": [0, 10, 0, 5], "value": [1.0, 0.1, 2.0, 0.2]}


def make(runs: str = "xy", **columns: object) -> Table:
    frame = pd.DataFrame(
        {"run": list(runs), "schedule": ["a", "b"], "step": [5.0, 10.0], "loss": [3.0, 2.5]}
    )
    return Table.from_runs(frame, series=pd.DataFrame(CURVES).assign(**columns), name="t")


def test_series_are_kept_in_order_as_numbers() -> None:
    table = make()
    assert list(table.series.columns) == ["series", "step", "value"]
    assert table.series["series"].tolist() == CURVES["series"]
    assert table.series.dtypes[["step", "value"]].eq("float64").all()
    assert (table.groups, table.inputs) == (("family", "schedule"), ("step",))


def test_a_table_without_series_has_an_empty_frame() -> None:
    table = Table.from_runs(pd.DataFrame({"loss": [3.0]}))
    assert list(table.series.columns) == ["series", "step", "value"]
    assert table.series.empty


def test_select_keeps_all_series() -> None:
    assert_frame_equal(make().select(runs=["x"]).series, make().series)


def test_add_joins_series_and_refuses_two_of_one_name() -> None:
    table = make()
    assert_frame_equal(table.add(make("uv")).series, table.series)
    joined = table.add(make("uv", series=["c", "c", "a", "a"])).series
    assert joined["series"].tolist() == ["b", "b", "a", "a", "c", "c"]
    with pytest.raises(TableError, match='cannot add t to t: series "a" differ'):
        table.add(make("uv", value=[1.0, 0.1, 2.0, 0.3]))
    with pytest.raises(TableError, match='series "a", "b" differ'):
        table.add(make("uv", series=["b", "a", "a", "a"], step=[0, -1, 0, 5]).select(runs=["u"]))


@pytest.mark.parametrize("numbered", [False, True])
def test_files_keep_series(tmp_path: Path, numbered: bool) -> None:
    table = make(series=["1", "1", "2", "2"]) if numbered else make()
    table.to_csv(tmp_path / "t")
    assert_frame_equal(read_table(tmp_path / "t").series, table.series)
    table.to_parquet(tmp_path / "t.parquet")
    assert_frame_equal(read_table(tmp_path / "t.parquet").series, table.series)
    Table.from_runs(pd.DataFrame({"loss": [3.0]})).to_csv(tmp_path / "t")
    assert read_table(tmp_path / "t").series.empty


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"step": [0, 10, 5, 0]}, 'does not increase along series "a".*: row 3'),
        ({"step": [0, 0, 0, 5]}, 'does not increase along series "b".*: row 1'),
        ({"value": [1.0, float("inf"), 2.0, 3.0]}, 'column "value": inf is not finite: row 1'),
        ({"value": [1.0, None, 2.0, 3.0]}, 'column "value": is empty: row 1'),
        ({"step": [0, "x", 0, 5]}, '"x" is not a number.*: row 1'),
        ({"series": ["b", "", "a", "a"]}, 'column "series": "" is empty: row 1'),
        ({"valeu": 1.0}, r'"valeu" is none of curves \(did you mean "value"\?\)'),
    ],
)
def test_each_fault_of_series(columns: dict[str, object], words: str) -> None:
    with pytest.raises(TableError, match=words):
        make(**columns)


def test_a_missing_column_of_series_is_named_with_the_file(tmp_path: Path) -> None:
    make().to_csv(tmp_path / "t")
    path = tmp_path / "t" / "series.csv"
    path.write_text(path.read_text().replace("value", "valu"))
    with pytest.raises(TableError, match=r'series\.csv: no column "value" \(did you mean "valu"'):
        read_table(tmp_path / "t")
