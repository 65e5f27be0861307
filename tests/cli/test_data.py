"""`bayescale data`: all tables are listed and described without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bayescale.base.errors import TableError
from bayescale.cli.app import app
from bayescale.cli.tables import open_table
from bayescale.tables.downloads import MIRROR
from bayescale.tables.named import list_tables


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def runs_csv(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text(
        "run,corpus,params,tokens,loss,error\n"
        "a,web,1e6,2e7,4.5,0.9\n"
        "b,web,4e6,8e7,4.0,0.8\n"
        "c,code,4e6,8e7,3.0,\n"
    )
    return path


def test_all_tables_are_listed_without_their_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR, raising=False)
    rows = {row["name"]: row for row in json.loads(run("data", "list", "--json").stdout)}
    assert sorted(rows) == list_tables()
    assert rows["gemstones"]["from"] == "bundled"
    assert rows["gemstones"]["runs"] == 4049
    assert rows["parscale"]["from"] == "download"
    assert rows["parscale"]["licence"] == "none"
    assert "chinchilla-replication" in run("data", "list").stdout


def test_a_card_is_shown_without_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR, raising=False)
    shown = run("data", "card", "chinchilla-replication").stdout
    assert "licence: none" in shown
    assert "arXiv:2404.10102" in shown
    assert "download: https://raw.githubusercontent.com/epoch-research/" in shown
    assert json.loads(run("data", "card", "dclm", "--json").stdout)["licence"] == "MIT"
    wrong = run("data", "card", "chinchila-replication")
    assert wrong.exit_code == 1
    assert 'did you mean "chinchilla-replication"' in wrong.stderr


def test_a_table_that_cannot_be_had_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR, raising=False)
    result = run("data", "show", "parscale")
    assert result.exit_code == 1
    assert MIRROR in result.stderr
    assert "parscale/parscale_losses.csv" in result.stderr


def test_show_tells_inputs_and_groups_of_runs() -> None:
    facts = json.loads(run("data", "show", "gemstones", "--json").stdout)
    inputs = {row["input"]: row for row in facts["inputs"]}
    assert inputs["width"] == {"input": "width", "values": 11, "smallest": 256, "largest": 3072}
    assert {row["group"]: row["members"] for row in facts["groups"]}["shape"] == 22
    assert facts["families"] == []
    assert "4049 values of 4049 runs" in run("data", "show", "gemstones").stdout


def test_a_file_of_runs_names_its_responses(runs_csv: Path) -> None:
    responses = ("--response", "loss", "--response", "error")
    result = run("data", "check", runs_csv, *responses)
    assert result.exit_code == 0, result.stderr
    assert "5 values of 3 runs on 2 responses" in result.stdout
    facts = json.loads(run("data", "show", runs_csv, *responses, "--json").stdout)
    assert [row["scores"] for row in facts["benchmarks"]] == [3, 2]
    assert {row["group"] for row in facts["groups"]} == {"corpus"}
    forgotten = run("data", "check", runs_csv)
    assert forgotten.exit_code == 1
    assert "--response loss" in forgotten.stderr


def test_a_named_table_knows_its_responses() -> None:
    with pytest.raises(TableError, match="'finetuning' knows what it measures"):
        open_table("finetuning", response=["loss"])


def test_runs_are_added_to_a_table_of_runs(tmp_path: Path) -> None:
    table = open_table("data-constrained")
    mine = tmp_path / "mine.csv"
    mine.write_text("run,params,tokens,unique_tokens,epochs,loss\nx,1e9,2e10,1e10,2,2.9\n")
    joined = open_table("data-constrained", [mine])
    assert len(joined.runs) == len(table.runs) + 1
    assert joined.to_wide().loc["x", "loss"] == 2.9
    assert joined.benchmarks["unit"].to_list() == ["nats/token"]
    other = tmp_path / "other.csv"
    other.write_text("run,params,tokens,perplexity\nx,1e9,2e10,20\n")
    with pytest.raises(TableError, match=r"other\.csv: has no column of what data-constrained"):
        open_table("data-constrained", [other])
