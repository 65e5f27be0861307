"""The command line: help with examples, plain errors, pure JSON, exit codes.

Over 400 lines: what holds of every command is asked of every command here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner, Result

import bayescale
from bayescale.base.errors import BacktestError, BayescaleError
from bayescale.cli import output
from bayescale.cli.app import app
from bayescale.cli.cards import read_backtest
from bayescale.cli.group import Group
from bayescale.models.model import Model
from bayescale.tables.table import Table

COMMANDS = [
    ["demo"],
    ["fit"],
    ["stack"],
    ["summary"],
    ["coefficients"],
    ["predict"],
    ["ask", "required"],
    ["ask", "exceed"],
    ["ask", "allocate"],
    ["ask", "crossing"],
    ["ask", "gain"],
    ["ask", "elasticity"],
    ["ask", "contributions"],
    ["ask", "checklist"],
    ["ask", "update"],
    ["ask", "place"],
    ["ask", "next-run"],
    ["compare"],
    ["backtest"],
    ["models"],
    ["laws"],
    ["priors"],
    ["data", "list"],
    ["data", "card"],
    ["data", "show"],
    ["data", "import"],
    ["data", "check"],
    ["plot", "fans"],
    ["plot", "coverage"],
    ["plot", "loadings"],
    ["plot", "trace"],
    ["plot", "rank"],
    ["plot", "contours"],
    ["plot", "isoflops"],
    ["plot", "curve"],
    ["plot", "drift"],
    ["plot", "forest"],
    ["plot", "residuals"],
    ["plot", "prior"],
    ["plot", "pit"],
    ["plot", "predicted"],
    ["plot", "skill"],
    ["plot", "comparison"],
    ["doctor"],
]


@pytest.fixture(autouse=True)
def _same_environment_after() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def run(*args: object, cli: typer.Typer = app) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="bayescale")


def words(text: str) -> str:
    """Text without the frames and line breaks that depend on the width of the terminal."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.fixture
def scores_csv(tmp_path: Path) -> Path:
    path = tmp_path / "scores.csv"
    path.write_text(
        "run,family,params,tokens,MMLU,GSM8K\n"
        "a-1b,a,1e9,1e12,0.30,0.05\n"
        "a-7b,a,7e9,1e12,0.45,0.20\n"
        "b-3b,b,3e9,2e12,0.40,\n"
    )
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example_that_is_a_real_call(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    shown = words(result.output)
    assert f"Examples: bayescale {' '.join(command)}" in shown
    for option in re.findall(r" (--[a-z-]+)", shown.split("Examples:")[1]):
        assert option in shown.split("Examples:")[0], f"the example uses an unknown {option}"


def test_every_command_is_in_the_list_above() -> None:
    found = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        children = getattr(command, "commands", None)
        found += [[name, child] for child in children] if children else [[name]]
    assert sorted(found) == sorted(COMMANDS)


def test_version() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.strip() == f"bayescale {bayescale.__version__}"


@pytest.mark.parametrize(
    "args",
    [
        ["nonsense"],
        ["fit"],
        ["fit", "skills", "--chains", "0"],
        ["fit", "skills", "--seed", "-1"],
        ["predict", "x.nc"],
        ["predict", "x.nc", "--params", "7Q"],
        ["predict", "x.nc", "--params", "7B", "--interval", "90"],
        ["predict", "x.nc", "--params", "7B", "--kind", "median"],
        ["predict", "x.nc", "--params", "7B", "--run", "a"],
        ["predict", "x.nc", "--rows", "r.csv", "--run", "a"],
        ["backtest", "skills"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_writes_nothing_to_stdout(args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr


def test_a_bad_count_is_repeated_in_the_error() -> None:
    assert "'7Q' is not a count" in words(run("predict", "x.nc", "--params", "7Q").stderr)


def test_errors_of_the_user_exit_with_1_without_a_traceback(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    for args in (
        ["data", "check", missing],
        ["data", "show", "no-such-table"],
        ["fit", "skills", "--table", missing, "--out", tmp_path / "x.nc"],
    ):
        result = run(*args)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def failing_app(error: BaseException) -> typer.Typer:
    cli = typer.Typer(cls=Group, pretty_exceptions_enable=False)

    @cli.command()
    def fail() -> None:
        raise error

    @cli.command()
    def other() -> None: ...

    return cli


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (BayescaleError("no family 'x'"), 1, "Error: no family 'x'"),
        (PermissionError(13, "Permission denied", "out.nc"), 1, "Error: [Errno 13]"),
        (KeyboardInterrupt(), 130, "Stopped"),
    ],
)
def test_how_a_command_ends(error: BaseException, code: int, text: str) -> None:
    result = run("fail", cli=failing_app(error))
    assert result.exit_code == code
    assert result.stderr.startswith(text)
    assert result.stdout == ""


def test_an_error_of_ours_is_not_hidden() -> None:
    result = run("fail", cli=failing_app(ZeroDivisionError()))
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_fit_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    out = tmp_path / "skills.nc"
    out.write_text("precious")
    result = run("fit", "skills", "--out", out)
    assert result.exit_code == 1
    assert "--yes-overwrite" in result.stderr
    assert out.read_text() == "precious"


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for args in (
        ["fit", "skills", "--out", tmp_path / "file" / "x.nc"],
        ["predict", "x.nc", "--params", "7B", "--csv", tmp_path / "file" / "x.csv"],
        ["plot", "fans", "x.nc", "--out", tmp_path],
        ["demo", "--out", tmp_path / "file"],
    ):
        result = run(*args)
        assert result.exit_code == 1
        assert "cannot write to" in result.stderr


@pytest.mark.parametrize("name", ["x", "x.nc", "x.txt"])
@pytest.mark.parametrize("kind", ["fans", "coverage", "loadings", "trace", "rank"])
def test_a_picture_of_an_unknown_format_is_refused_before_the_work(
    tmp_path: Path, kind: str, name: str
) -> None:
    result = run("plot", kind, tmp_path / "missing.nc", "--out", tmp_path / "new" / name)
    assert result.exit_code == 1
    assert "end its name in .png, .svg, .pdf" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_fits_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    result = run("compare", tmp_path / "a" / "x.nc", tmp_path / "b" / "x.nc")
    assert result.exit_code == 1
    assert "rename one" in result.stderr


def test_data_check_accepts_a_good_file(scores_csv: Path) -> None:
    result = run("data", "check", scores_csv)
    assert result.exit_code == 0
    assert "5 scores of 3 runs in 2 families on 2 benchmarks" in result.stdout


def test_data_check_names_file_and_column(scores_csv: Path) -> None:
    scores_csv.write_text(scores_csv.read_text().replace("0.45", "45.0"))
    result = run("data", "check", scores_csv)
    assert result.exit_code == 1
    assert str(scores_csv) in result.stderr
    assert "MMLU" in result.stderr


def test_data_show_prints_pure_json(scores_csv: Path) -> None:
    result = run("data", "show", scores_csv, "--json")
    facts = json.loads(result.stdout)
    assert (facts["scores"], facts["runs"]) == (5, 3)
    assert [row["scores"] for row in facts["benchmarks"]] == [3, 2]
    assert facts["benchmarks"][0]["items"] is None
    sizes = {row["family"]: row["sizes"] for row in facts["families"]}
    assert sizes == {"a": 2, "b": 1}


def test_imported_results_can_be_added_to_the_leaderboard(tmp_path: Path) -> None:
    results, out = tmp_path / "results.json", tmp_path / "my_runs.csv"
    scores = {
        "arc_challenge": {"acc_norm,none": 0.4, "acc_norm_stderr,none": 0.014},
        "winogrande": {"acc,none": 0.6, "acc_stderr,none": 0.013},
    }
    results.write_text(json.dumps({"results": scores, "model_name": "me/mine-1.3b"}))
    args = ["data", "import", results, "--family", "mine", "--params", "1.3B", "--out", out]
    assert run(*args, "--tokens", "300B").exit_code == 0
    table = bayescale.load_table("open-llm-leaderboard")
    both = table.add(bayescale.read_table(out, benchmarks=table.benchmarks))
    mine = both.scores[both.scores["run"] == "me/mine-1.3b"].set_index("benchmark")
    assert mine["score"].to_dict() == {"ARC": 0.4, "Winogrande": 0.6}
    assert mine["stderr"].to_dict() == {"ARC": 0.014, "Winogrande": 0.013}
    assert both.runs.loc["me/mine-1.3b", ["family", "params", "tokens"]].to_list() == [
        "mine",
        1.3e9,
        3e11,
    ]
    result = run(*args)
    assert result.exit_code == 1
    assert "--yes-overwrite" in result.stderr


@pytest.mark.parametrize("text", ["{", "[1]", '{"model": "skills"}'])
def test_what_is_no_scorecard_cannot_be_cited(tmp_path: Path, text: str) -> None:
    card = tmp_path / "card.json"
    card.write_text(text)
    with pytest.raises(BacktestError, match=re.escape(str(card))):
        read_backtest(card)


@dataclass(frozen=True)
class FakeBacktest:
    models: list[str]

    def to_dict(self) -> dict[str, list[str]]:
        return {"cards": self.models}

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame({"crps": 0.1}, index=pd.Index(self.models, name="model"))


@pytest.fixture
def backtested(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was backtested so far, and how; a backtest costs nothing."""
    calls: list[dict[str, Any]] = []

    def backtest(
        models: list[Model], table: Table, split: object, **options: object
    ) -> FakeBacktest:
        calls.append({"models": models, "table": table, "split": split, **options})
        return FakeBacktest([model.name for model in models])

    monkeypatch.setattr(bayescale, "backtest", backtest)
    return calls


@pytest.fixture
def to_backtest(scores_csv: Path) -> list[object]:
    split = scores_csv.with_name("split.csv")
    split.write_text("run,role\na-1b,train\na-7b,test\nb-3b,train\n")
    return ["--table", scores_csv, "--split", split]


def test_a_wrong_name_costs_no_backtest(
    backtested: list[dict[str, Any]], to_backtest: list[object]
) -> None:
    result = run("backtest", "compute", "skils", *to_backtest)
    assert result.exit_code == 1
    assert "no model is called 'skils'" in result.stderr
    assert backtested == []


def test_a_backtest_is_told_what_to_hold_out_once(
    backtested: list[dict[str, Any]], to_backtest: list[object]
) -> None:
    for options in ([*to_backtest, "--by", "size"], to_backtest[:2]):
        result = run("backtest", "compute", *options)
        assert result.exit_code == 2
        assert "--by" in result.stderr
    assert backtested == []


def test_rules_of_a_backtest_reach_it(
    backtested: list[dict[str, Any]], to_backtest: list[object]
) -> None:
    options = ["--by", "date", "--cutoff", "2024-01-01", "--workers", 3, "--dask", "tcp://a:1"]
    assert run("backtest", "compute", *to_backtest[:2], *options, "--quiet").exit_code == 0
    (call,) = backtested
    told = {name: call[name] for name in ("by", "workers", "dask", "group", "keep", "progress")}
    assert told == {
        "by": "date",
        "workers": 3,
        "dask": "tcp://a:1",
        "group": "family",
        "keep": None,
        "progress": False,
    }
    assert list(call["cutoffs"]) == ["2024-01-01"]


def test_a_backtest_of_laws_takes_the_options_of_fit(
    backtested: list[dict[str, Any]], tmp_path: Path
) -> None:
    runs = tmp_path / "runs.csv"
    runs.write_text("params,tokens,corpus,ce\n1e8,1e10,a,3\n2e8,1e10,b,2.9\n4e8,1e10,a,2.8\n")
    options = ["--table", runs, "--response", "ce", "--by", "size", "--group", "corpus"]
    changes = ["--pool", "corpus", "--input", "x=flops", "--noise", "normal-log"]
    result = run("backtest", "chinchilla", "power-floor", *options, *changes)
    assert result.exit_code == 0, result.stderr
    (call,) = backtested
    first, second = call["models"]
    assert {model.noise.name for model in call["models"]} == {"normal-log"}
    assert {rule.group for rules in first.pooling.values() for rule in rules} == {"corpus"}
    assert first.inputs == {}  # it has no x
    assert second.inputs == {"x": "flops"}
    assert call["group"] == "corpus"
    wrong = run("backtest", "chinchilla", *options, "--prior", "gamma=1,2")
    assert wrong.exit_code == 2
    assert "gamma" in wrong.stderr


def test_a_backtest_writes_json_and_csv(
    backtested: list[dict[str, Any]], to_backtest: list[object], tmp_path: Path
) -> None:
    card, frame = tmp_path / "card.json", tmp_path / "card.csv"
    names = ["compute", "observational"]
    result = run("backtest", *names, *to_backtest, "--json", card, "--csv", frame)
    assert result.exit_code == 0, result.stderr
    assert json.loads(card.read_text()) == {"cards": names}
    assert list(pd.read_csv(frame)["model"]) == names
    assert len(backtested) == 1


@pytest.mark.usefixtures("backtested")
def test_a_backtest_can_be_printed_as_pure_json(to_backtest: list[object]) -> None:
    result = run("backtest", "compute", *to_backtest, "--json", "-")
    assert json.loads(result.stdout) == {"cards": ["compute"]}
    assert not Path("-").exists()


def test_bundled_tables_are_listed() -> None:
    rows = json.loads(run("data", "list", "--json").stdout)
    assert [row["name"] for row in rows] == bayescale.list_tables()
    assert all(row["claim"] and row["licence"] for row in rows)


def test_bundled_models_are_listed() -> None:
    rows = json.loads(run("models", "--json").stdout)
    assert [row["model"] for row in rows] == list(bayescale.list_models())


def test_models_are_listed_with_law_and_table() -> None:
    rows = {row["model"]: row for row in json.loads(run("models", "--json").stdout)}
    assert rows["overtraining"]["law"] == "gadre-overtrain"
    assert rows["overtraining"]["table"] == "overtraining"
    assert rows["skills"]["table"] == "open-llm-leaderboard"
    assert all(row["law"] in bayescale.list_laws() and row["claim"] for row in rows.values())


def test_doctor_tells_versions_devices_and_records() -> None:
    found = json.loads(run("doctor", "--json").stdout)
    assert found["bayescale"] == bayescale.__version__
    assert found["versions"]["jax"] != "missing"
    assert found["devices"]
    assert found["tables"] == bayescale.list_tables()
    assert sorted(found["models"]) == sorted(bayescale.list_models())
    assert "devices" in run("doctor").stdout


def test_doctor_says_when_the_cache_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAYESCALE_CACHE", "off")
    found = json.loads(run("doctor", "--json").stdout)
    assert found["cache"] == "off"
    assert any("cache is off" in warning for warning in found["warnings"])


def test_a_frame_is_shown_with_counts_the_short_way(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"run": ["org/[red]x"], "params": [7e9], "median": [0.51234]})
    output.show_frame(frame)
    shown = capsys.readouterr().out
    for cell in ("org/[red]x", "7B", "0.512"):
        assert cell in shown
