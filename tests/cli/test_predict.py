"""What the command line reads from a file of queries."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import bayescale
from bayescale.base.errors import PredictError
from bayescale.cli.app import app
from bayescale.cli.predict import read_rows
from bayescale.fits import Fit


@pytest.fixture
def rows_csv(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("family,params,tokens\nllama,7B,2e12\n\nqwen2,72B,\n")
    return path


def test_counts_are_read_as_people_write_them(rows_csv: Path) -> None:
    rows = read_rows(rows_csv).frame
    assert rows["params"].to_list() == [7e9, 72e9]
    assert rows["tokens"].iloc[0] == 2e12
    assert rows["tokens"].isna().to_list() == [False, True]


def test_a_bad_count_is_told_with_file_column_and_line(rows_csv: Path) -> None:
    rows_csv.write_text(rows_csv.read_text().replace("72B", "72Q"))
    with pytest.raises(PredictError, match=r"rows\.csv: column .params.: '72Q' .*: line 4$"):
        read_rows(rows_csv)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("72B", "72", r"rows\.csv: params is .72.*: line 4$"),
        ("tokens", "token", r"rows\.csv: .*column .token. \(did you mean .tokens"),
    ],
)
def test_a_query_that_makes_no_sense_is_told_with_file_and_line(
    old: str, new: str, said: str, rows_csv: Path, tiny_fit: Fit
) -> None:
    rows_csv.write_text(rows_csv.read_text().replace(old, new))
    with pytest.raises(PredictError, match=said):
        tiny_fit.predict(read_rows(rows_csv))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (["--flops", "1e21"], "--flops is for fits of a law"),
        (["--params", "7B", "--at", "tokens=1T"], "it takes nothing there, and --params, --tokens"),
        (["--params", "7B", "--at", "corpus=c4"], "has no 'corpus'"),
    ],
)
def test_a_leaderboards_fit_refuses_what_is_for_laws(
    query: list[str], said: str, tiny_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bayescale, "load_fit", lambda _, **__: tiny_fit)
    monkeypatch.setenv("BAYESCALE_CACHE", "off")  # else the command sets variables for JAX
    result = CliRunner().invoke(app, ["predict", "tiny.nc", *query])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
