"""`bayescale ask`: what is typed reaches the question, and what comes back is told."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import bayescale as bs
from bayescale.cli import ask as commands
from bayescale.cli.app import app
from bayescale.cli.question import QUERY
from bayescale.fits import Fit
from tests.kit.prior_fits import given_fit, law_table


@pytest.fixture(scope="module")
def law() -> Fit:
    return given_fit("chinchilla", law_table("chinchilla"), 40, E=1.7, A=0.4, B=0.4)


@pytest.fixture
def ask(law: Fit, small_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Type a command; `law.nc` and `board.nc` are fits that lie in memory."""
    fits = {"law.nc": law, "board.nc": small_fit}
    monkeypatch.setattr(bs, "load_fit", lambda path, **_: fits[str(path)])
    monkeypatch.setenv("BAYESCALE_CACHE", "off")  # else the command sets variables for JAX

    def typed(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["ask", *map(str, arguments)])

    return typed


def told(result: Any) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    record: dict[str, Any] = json.loads(result.stdout)
    return record


def test_required_is_the_methods_answer(ask: Any, law: Fit) -> None:
    record = told(ask("required", "law.nc", "2.2", "--want", "params", "--tokens", "1T", "--json"))
    answer = law.required(2.2, "params", tokens=1e12)
    assert record["sentence"] == answer.sentence
    assert record["frame"][0]["enough"] == pytest.approx(answer.frame["enough"].iloc[0])


def test_never_is_told_in_json(ask: Any) -> None:
    record = told(ask("required", "law.nc", "1.5", "--optimal", "--json"))
    assert record["frame"][0]["enough"] == "never"
    assert record["frame"][0]["never"] == 1.0


def test_a_sentence_and_a_table_are_printed(ask: Any) -> None:
    result = ask("allocate", "law.nc", "1e23", "--rival", "tokens_per_param=20")
    assert result.exit_code == 0, result.output
    assert "are best spent on" in result.stdout
    assert "tokens_per_param" in result.stdout


def test_a_cost_of_ones_own_is_read_from_its_file(ask: Any, tmp_path: Path) -> None:
    file = tmp_path / "costs.py"
    file.write_text("def double(inputs):\n    return 12 * inputs['params'] * inputs['tokens']\n")
    own = told(ask("allocate", "law.nc", "2e23", "--cost", f"{file}:double", "--json"))
    usual = told(ask("allocate", "law.nc", "1e23", "--json"))
    assert own["frame"][0]["median"] == pytest.approx(usual["frame"][0]["median"], rel=1e-6)
    assert ask("allocate", "law.nc", "1e23", "--cost", f"{file}:triple").exit_code == 2
    assert ask("allocate", "law.nc", "1e23", "--cost", "double").exit_code == 2


def test_rivals_are_numbers_runs_or_queries(ask: Any) -> None:
    plan = ["--family", "qwen2", "--params", "7B", "--tokens", "7T", "--benchmark", "MMLU"]
    rivals = [
        "--beat",
        "0.5",
        "--beat",
        "llama-2-7b",
        "--beat",
        "family=qwen2,params=72B,tokens=7T",
    ]
    record = told(ask("exceed", "board.nc", *rivals, *plan, "--json"))
    names = [row["rival"] for row in record["frame"]]
    assert names[:2] == ["0.5", "llama-2-7b"]
    assert names[-1] == "all of them"


def test_families_and_ratios_reach_a_comparison(ask: Any) -> None:
    sides = ["--a", "family=qwen2", "--b", "family=pythia", "--benchmark", "MMLU"]
    gain = told(ask("gain", "board.nc", "1e22", *sides, "--tokens-per-param", "300", "--json"))
    assert gain["frame"][0]["a"] == "qwen2"
    meeting = told(
        ask(
            *("crossing", "board.nc", *sides, "--tokens-per-param", "300", "--json"),
            *("--within", "1e20..1e26"),
        )
    )
    assert meeting["frame"][0]["from"] == 1e20
    assert ask("crossing", "board.nc", *sides, "--within", "1e20").exit_code == 2


def test_what_is_not_known_is_typed_with_a_tilde(ask: Any) -> None:
    query = ["--benchmark", "MMLU", "--family", "pythia", "--params", "7B", "--tokens", "1T~15T"]
    record = told(ask("contributions", "board.nc", *query, "--json"))
    assert any("drawn between 1T and 15T" in doubt for doubt in record["doubts"])


def test_elasticity_and_checklist_are_told(ask: Any, tmp_path: Path) -> None:
    record = told(ask("elasticity", "law.nc", "--params", "1B", "--tokens", "20B", "--json"))
    assert [row["input"] for row in record["frame"]][-1] == "params and tokens"
    out = tmp_path / "items.csv"
    result = ask("checklist", "law.nc", "--csv", str(out))
    assert result.exit_code == 0
    assert "equation" in set(pd.read_csv(out)["item"])


@pytest.mark.slow
def test_an_update_is_kept_where_it_is_asked_to_be(ask: Any, tmp_path: Path) -> None:
    file, out = tmp_path / "small.csv", tmp_path / "mine.nc"
    pd.DataFrame(
        {
            "run": "mine-1b",
            "family": "mine",
            "params": 1e9,
            "tokens": 1e12,
            "benchmark": ["MMLU", "HellaSwag"],
            "score": [0.3, 0.6],
        }
    ).to_csv(file, index=False)
    result = ask("update", "board.nc", file, "--out", out, "--refit", "never", "--quiet")
    assert result.exit_code == 0, result.output
    assert "Conditioned on 2 scores of mine-1b" in result.stdout
    assert out.is_file()
    again = ask("update", "board.nc", file, "--out", out, "--refit", "never", "--quiet")
    assert again.exit_code == 1
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["required", "law.nc", "2.2"], "say one thing of how size and data go together"),
        (["required", "board.nc", "80", "--benchmark", "MMLU", "--params", "1B"], "not 70"),
        (["allocate", "law.nc", "0"], "the budget must be a positive number"),
        (["allocate", "board.nc", "1e24"], "model of a leaderboard"),
        (["elasticity", "law.nc"], "say where: give params, tokens"),
        (["crossing", "law.nc", "--tokens-per-param", "20"], "two different things"),
    ],
)
def test_bad_questions_are_told_in_words(arguments: list[str], said: str, ask: Any) -> None:
    result = ask(*arguments)
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["required", "law.nc"],
        ["required", "law.nc", "2.0", "--interval", "1"],
        ["exceed", "law.nc", "--params", "1B"],
        ["gain", "law.nc", "many"],
        ["allocate", "law.nc", "1e23", "--rival", "params=much"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], ask: Any) -> None:
    assert ask(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "name",
    ["required", "allocate", "crossing", "gain", "elasticity", "contributions", "checklist"],
)
def test_options_are_parameters_of_the_question_with_its_defaults(name: str) -> None:
    asked = inspect.signature(getattr(Fit, name)).parameters
    shared = {"fit", "at", "as_json", "csv", "plot", "law", *QUERY}
    renamed = {"optimal": "rule", "where": "at"}
    for option, own in inspect.signature(getattr(commands, name)).parameters.items():
        if option in shared:
            continue
        parameter = asked[renamed.get(option, option)]
        if option not in renamed and parameter.default not in (parameter.empty, ()):
            assert own.default == parameter.default
