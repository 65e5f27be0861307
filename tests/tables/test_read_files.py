"""What is no table of rows is refused in words, before anything hangs or is read wrongly."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.base.errors import TableError
from bayescale.tables.read import read_table

ROWS = "run,params,tokens,loss\na,1e9,2e10,3.1\nb,2e9,2e10,2.9\n"


def complaint(path: Path) -> str:
    with pytest.raises(TableError) as told:
        read_table(path, response="loss")
    return str(told.value)


@pytest.mark.parametrize("header", ["run,params,loss,loss", "run,params, loss,loss "])
def test_two_columns_of_one_name(tmp_path: Path, header: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(ROWS.replace("run,params,tokens,loss", header))
    assert 'two columns are called "loss"' in complaint(path)


def test_columns_without_a_name_may_be_several(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(",,run,params,tokens,loss\n0,0,a,1e9,2e10,3.1\n1,1,b,2e9,2e10,2.9\n")
    assert list(read_table(path, response="loss").runs.index) == ["a", "b"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "runs.csv")
    assert "a device or a pipe" in complaint(tmp_path / "runs.csv")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-8"])
def test_zero_bytes_are_no_text(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(ROWS.replace("a,", "a\0,").encode(encoding))
    assert "zero bytes" in complaint(path)


@pytest.mark.parametrize("cell", [[1.0, 2.0], {"value": 1.0}, np.array([1.0])])
@pytest.mark.parametrize("column", ["loss", "run", "note"])
def test_a_cell_is_one_value(tmp_path: Path, cell: object, column: str) -> None:
    frame = pd.DataFrame({"run": ["a", "b"], "params": [1e9, 2e9], "loss": [3.1, 2.9]})
    frame[column] = [cell, cell]
    frame.to_parquet(tmp_path / "runs.parquet")
    assert f'column "{column}": holds lists or records' in complaint(tmp_path / "runs.parquet")
