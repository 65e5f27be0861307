"""What the command line tells of a user's own tables."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

import bayescale
from bayescale.cli import options
from bayescale.cli import run_demo as demo
from bayescale.cli.app import app
from bayescale.cli.tables import open_table


@pytest.fixture
def scores_csv(tmp_path: Path) -> Path:
    path = tmp_path / "scores.csv"
    path.write_text("run,family,params,tokens,MMLU\na-7b,a,7e9,1e12,0.45\n")
    return path


@pytest.fixture
def moe_csv(tmp_path: Path) -> Path:
    path = tmp_path / "moe.csv"
    path.write_text(
        "run,family,params,tokens,moe,MMLU\n"
        "c-47b,c,4.7e10,1e12,true,0.60\n"
        "c-7b,c,7e9,1e12,false,0.45\n"
    )
    return path


def test_data_check_names_runs_that_are_left_out(moe_csv: Path) -> None:
    result = CliRunner().invoke(app, ["data", "check", str(moe_csv)])
    assert result.exit_code == 0
    assert '- left out "c-47b": mixture of experts without params_active' in result.stdout


def test_a_users_runs_that_are_left_out_are_told(
    scores_csv: Path, moe_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = open_table(str(scores_csv), [moe_csv])
    assert "c-7b" in table.runs.index
    assert "c-47b" not in table.runs.index
    told = capsys.readouterr().err
    assert f'{moe_csv}: left out "c-47b": mixture of experts' in told
    open_table(str(moe_csv))
    assert '"c-47b"' in capsys.readouterr().err


def test_runs_are_joined_to_a_table_of_losses_and_accuracies(tmp_path: Path) -> None:
    head = "run,params,tokens,corpus,arch,size,length,default_run,multiplier,loss"
    rows = ["a,1e8,2e9,c4,x,100M,x1,no,20,3.4", "b,2e8,4e9,mine,x,200M,x1,no,20,3.2"]
    (tmp_path / "mine.csv").write_text("\n".join([head, *rows]))
    table = open_table("overtraining", [tmp_path / "mine.csv"])
    assert table.runs.loc["b", ["corpus", "multiplier"]].to_list() == ["mine", 20]
    scores = table.scores.set_index("run").loc[["a", "b"]]
    assert scores[["benchmark", "score"]].to_numpy().tolist() == [["loss", 3.4], ["loss", 3.2]]


def test_runs_that_a_bundled_table_leaves_out_are_not_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len(open_table("sloth-2024").excluded)
    assert capsys.readouterr().err == ""


def test_help_tells_the_true_numbers_of_draws() -> None:
    fit = inspect.signature(bayescale.fit).parameters
    held_out = inspect.signature(bayescale.backtest).parameters["draws"].default
    [warmup] = get_args(options.Warmup)[1:]
    [draws] = get_args(options.Draws)[1:]
    assert f"; {fit['warmup'].default} if left out" in warmup.help
    told = f"{fit['draws'].default} if left out, {demo.DRAWS} in the demo, {held_out} in a backtest"
    assert f"; {told}" in draws.help
