"""Laws of a quantity on the command line: fit, predict, coefficients, priors; each bad input.

Longer than 400 lines: all commands ask the fits made here once.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner, Result

import bayescale
from bayescale.base.errors import BayescaleError
from bayescale.cli.app import app
from bayescale.cli.coefficients import significant
from bayescale.cli.fit import question_of, table_for
from bayescale.cli.options import pool_rules, priors
from bayescale.fits import Fit
from bayescale.models.lay_out import on_table
from bayescale.tables.table import Table

FIT = inspect.signature(bayescale.fit)
LAW = '''
from typing import Annotated

from jax import Array

from bayescale.own import Flops, law, positive

Floor = Annotated[Array, positive(1.5, 1.3, unit="nats/token", meaning="floor")]
Worth = Annotated[Array, positive(0.5, 3.0, unit="nats/token", meaning="worth of compute")]


@law(response="loss", source="none")
def mine(flops: Flops, *, E: Floor, a: Worth) -> Array:
    """A floor and the square root of compute."""
    return E + a * flops**-0.5
'''


@pytest.fixture(autouse=True)
def _same_environment_after() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], prog_name="bayescale")


def words(text: str) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def runs() -> pd.DataFrame:
    """Losses of a Chinchilla law with a floor of each text."""
    noise = np.random.default_rng(0).normal(scale=0.005, size=24)
    rows = [
        {"run": f"{text}-{i}-{j}", "size": size, "tokens": tokens, "text": text, "loss": loss}
        for text, floor in (("code", 1.2), ("web", 1.8))
        for i, size in enumerate((1e8, 3e8, 1e9, 3e9))
        for j, tokens in enumerate((2e9, 1e10, 5e10))
        for loss in (floor + 480 / size**0.35 + 2000 / tokens**0.37,)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(loss=frame["loss"] * np.exp(noise))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("laws")
    runs().to_csv(path / "mine.csv", index=False)
    (path / "my_law.py").write_text(LAW)
    return path


@pytest.fixture(scope="module")
def fitted(folder: Path) -> Result:
    """A fit with an option of each kind; too short to trust, long enough to use."""
    before = dict(os.environ)
    result = run(
        *("fit", "chinchilla", "--table", folder / "mine.csv", "--response", "loss"),
        *("--input", "params=size", "--pool", "E=text:separate", "--noise", "normal-log"),
        *("--prior", "alpha=0.35,1.3", "--reference", "params=1B", "--seed", 3),
        *("--chains", 2, "--warmup", 200, "--draws", 100, "--quiet"),
        *("--out", folder / "c.nc"),
    )
    os.environ.clear()
    os.environ.update(before)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def fit(fitted: Result, folder: Path) -> Fit:
    del fitted
    return bayescale.load_fit(folder / "c.nc")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `bayescale.fits` was called with; it stops there."""
    calls: list[dict[str, Any]] = []

    def stop(*args: Any, **kwargs: Any) -> Fit:
        calls.append(FIT.bind(*args, **kwargs).arguments)
        raise BayescaleError("stopped before sampling")

    monkeypatch.setattr(bayescale, "fit", stop)
    return calls


def test_every_option_reaches_the_model(fit: Fit) -> None:
    model = fit.model
    assert (model.law.name, model.noise.name) == ("chinchilla", "normal-log")
    assert model.inputs == {"params": "size"}
    assert model.reference["params"] == 1e9
    assert model.priors_given["alpha"].spread == 1.3
    [rule] = model.pooling["E"]
    assert (rule.group, rule.spread) == ("text", None)
    assert set(model.pooling) == {"E"}
    assert fit.posterior["alpha"].shape == (2, 100)
    assert fit.seed == 3


def test_a_card_is_fitted_to_runs_without_its_groups_and_says_so(
    asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    own = runs().rename(columns={"size": "params"})
    own.to_csv(tmp_path / "own.csv", index=False)
    given = ("--table", tmp_path / "own.csv", "--response", "loss", "--out", tmp_path / "o.nc")
    result = run("fit", "overtraining", *given)
    assert "corpus, of the card of overtraining, is left out" in words(result.stderr)
    assert asked[0]["model"].pooling == {}
    result = run("fit", "overtraining", *given, "--pool", "E=text")
    assert asked[1]["model"].pooling["E"][0].group == "text"
    run("fit", "overtraining", *given, "--pool", "E=corpus")
    assert asked[2]["model"].pooling["E"][0].group == "corpus"


def test_the_floors_of_the_two_texts_are_found(fit: Fit) -> None:
    frame = fit.coefficients(by="text").set_index(["coefficient", "of"])
    assert frame.loc[("E", "code"), "median"] == pytest.approx(1.2, abs=0.1)
    assert frame.loc[("E", "web"), "median"] == pytest.approx(1.8, abs=0.1)


def test_the_question_that_a_fit_suggests_has_an_answer(fitted: Result) -> None:
    suggested = shlex.split(fitted.stderr.partition("next: bayescale ")[2])
    assert suggested[2:] == ["--at", "size=3B", "--tokens", "50B", "--at", "text=web"]
    rows = json.loads(run(*suggested, "--json").stdout)
    assert [(row["size"], row["text"]) for row in rows] == [(3e9, "web")]


def test_predictions_are_those_of_python(fit: Fit, folder: Path) -> None:
    query = ("--tokens", "100B", "--at", "size=7B", "--at", "text=code")
    result = run("predict", folder / "c.nc", *query, "--kind", "mean", "--seed", 5, "--json")
    wanted = fit.predict(tokens=1e11, size=7e9, text="code", kind="mean", seed=5).frame
    [row] = json.loads(result.stdout)
    for column in ("mean_median", "mean_lower_0.9", "mean_upper_0.9"):
        assert row[column] == pytest.approx(wanted[column].item())
    assert 1.2 < row["mean_lower_0.9"] < row["mean_upper_0.9"] < 1.8
    shown = run("predict", folder / "c.nc", *query, "--kind", "mean", "--seed", 5).stdout
    for cell in ("7B", "100B", "code", f"{row['mean_median']:.4g}"):
        assert f" {cell} " in shown


@pytest.mark.usefixtures("fitted")
def test_queries_of_a_file_have_the_laws_inputs_and_groups(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("size,tokens,text\n7B,1e11,code\n7B,100B,web\n")
    result = run("predict", folder / "c.nc", "--rows", tmp_path / "q.csv", "--json")
    code, web = json.loads(result.stdout)
    assert (code["size"], code["tokens"]) == (web["size"], web["tokens"]) == (7e9, 1e11)
    assert web["score_median"] - code["score_median"] == pytest.approx(0.6, abs=0.1)


@pytest.mark.usefixtures("fitted")
@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        (("--at", "size"), 2, "'size': write it as in unique_tokens=4B"),
        (("--at", "size=x"), 2, "'x' is no number, and the fit has no group 'size'"),
        (("--at", "txt=web"), 2, "no group 'txt' (did you mean \"text\"?)"),
        (("--at", "size=7B", "--at", "size=8B"), 2, "size is given twice"),
        (("--at", "tokens=1B", "--tokens", "2B"), 2, "tokens is given twice"),
        (("--at", "size=7B", "--run", "web-0-0"), 2, "given: --run and --at"),
        (("--flops", "7Q"), 2, "'7Q' is not a count"),
        (("--at", "sice=7B", "--tokens", "1B"), 1, 'no column "sice" (did you mean "size"?)'),
        (("--at", "text=web", "--tokens", "1B"), 1, '"size"'),
        (("--at", "size=-7", "--tokens", "1B"), 1, 'a positive number in column "size"'),
    ],
    ids=str,
)
def test_a_bad_question_is_told(query: tuple[str, ...], code: int, said: str, folder: Path) -> None:
    result = run("predict", folder / "c.nc", *query)
    assert result.exit_code == code
    assert said in words(result.stderr)
    assert result.stdout == ""


@pytest.mark.usefixtures("fitted")
def test_a_bad_cell_of_a_law_is_told_with_file_column_and_line(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "q.csv").write_text("size,tokens,text\n7B,1e11,code\n7Q,100B,web\n")
    result = run("predict", folder / "c.nc", "--rows", tmp_path / "q.csv")
    assert result.exit_code == 1
    assert re.search(r"q\.csv: column .size.: '7Q' is not a count.*: line 3$", result.stderr)


@pytest.mark.usefixtures("fitted")
def test_a_number_that_the_law_refuses_is_told_with_file_and_line(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "q.csv").write_text("size,tokens,text\n7B,1e11,code\n-7,100B,web\n7B,,web\n")
    result = run("predict", folder / "c.nc", "--rows", tmp_path / "q.csv")
    assert result.exit_code == 1
    said = words(result.stderr)
    assert "q.csv: " in said
    assert '"line 3 (-7)"' in said
    assert '"line 4 (empty)"' in said


@pytest.mark.usefixtures("fitted")
def test_a_law_is_not_asked_at_a_run(folder: Path) -> None:
    result = run("predict", folder / "c.nc", "--run", "web-0-0")
    assert result.exit_code == 1
    assert 'asked at inputs and not at a run: give "size", "tokens", "text"' in words(result.stderr)


def test_coefficients_are_those_of_python(fit: Fit, folder: Path, tmp_path: Path) -> None:
    asked = ("coefficients", folder / "c.nc", "--units", "paper", "--by", "text")
    wanted = fit.coefficients(0.5, units="paper", by="text")
    found = pd.DataFrame(json.loads(run(*asked, "--interval", 0.5, "--json").stdout))
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    assert list(found.columns[2:5]) == ["median", "lower_0.5", "upper_0.5"]
    run(*asked, "--interval", 0.5, "--csv", tmp_path / "c.csv")
    written = pd.read_csv(tmp_path / "c.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(written, wanted, check_dtype=False)
    shown = run(*asked).stdout
    assert f" {found['median'][0]:.4g} " in shown
    result = run("coefficients", folder / "c.nc", "--by", "corpus")
    assert result.exit_code == 1
    assert "the groups are: text" in result.stderr


def test_the_reference_run_of_coefficients_is_told(folder: Path) -> None:
    assert "the reference run: params 1B, tokens 10B" in run("coefficients", folder / "c.nc").stderr


def test_numbers_have_four_significant_digits_whatever_their_size() -> None:
    frame = pd.DataFrame({"median": [482.01, 2085.43, 1.23456e-5, np.nan], "params": 7e9})
    shown = significant(frame)
    assert shown["median"].to_list() == ["482", "2085", "1.235e-05", ""]
    assert shown["params"].to_list() == [7e9] * 4


def test_what_is_not_given_is_as_in_python(
    asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("fit", "data-constrained", "--quiet").exit_code == 1
    [call] = asked
    for name in ("seed", "chains", "warmup", "draws"):
        assert call[name] == FIT.parameters[name].default
    assert call["model"].card == bayescale.load_model("data-constrained").card
    assert call["table"].name == "data-constrained"


def test_a_law_of_ones_own_is_fitted(
    asked: list[dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    args = ("--table", "mine.csv", "--response", "loss", "--input", "flops=size")
    for model in (("my_law.py:mine",), ("--law", "my_law.py:mine")):
        result = run("fit", *model, *args, "--pool", "text", "--pool", "a=run", "--effect", "run")
        assert "stopped before sampling" in result.stderr
    first, second = (call["model"] for call in asked)
    assert first.card == second.card
    assert {name: [r.group for r in rules] for name, rules in first.pooling.items()} == {
        "E": ["text"],
        "a": ["text", "run"],
    }
    assert list(first.effects) == ["run"]
    (folder / "mine.nc").touch()  # its default name is the law's
    assert "mine.nc is there already" in run("fit", "my_law.py:mine", *args).stderr
    (folder / "mine.nc").unlink()


def test_a_model_is_fitted_to_the_table_it_was_written_for(tmp_path: Path) -> None:
    model = bayescale.load_model("overtraining")
    own = table_for(model, None)
    assert (own.name, list(own.benchmarks.index)) == ("overtraining", ["loss"])
    german = table_for(model, None, benchmark=["loss_c4_german"])
    assert list(german.benchmarks.index) == ["loss_c4_german"]
    mine = own.runs.iloc[:1].assign(corpus="mine").reset_index(drop=True)
    mine.assign(run="new", loss=3.0).to_csv(tmp_path / "new.csv", index=False)
    joined = table_for(model, None, added=[tmp_path / "new.csv"])
    assert list(joined.runs.index) == [*own.runs.index, "new"]
    assert list(joined.benchmarks.index) == ["loss"]
    assert table_for(bayescale.load_model("skills"), None).name == "open-llm-leaderboard"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "give MODEL or --law FILE.py:LAW; given: neither"),
        (("chinchilla", "--law", "a.py:b"), "given: both"),
        (("--law", "chinchilla"), "a bundled law is given as MODEL"),
        (("chinchilla", "--pool", "=text"), "'=text': write it as in corpus"),
        (("chinchilla", "--pool", "E="), "'E=': write it as in corpus"),
        (("chinchilla", "--pool", "text:most"), "'text:most': write it as in corpus"),
        (("chinchilla", "--input", "size"), "'size': write it as in x=flops"),
        (("chinchilla", "--reference", "params=x"), "'params=x': write it as in params=1B"),
        (("chinchilla", "--prior", "alpha"), "'alpha': write it as in alpha=0.35,1.6"),
        (("chinchilla", "--prior", "alpha=0.3"), "'alpha=0.3': write it as"),
        (("chinchilla", "--prior", "alpha=0.3,x"), "'alpha=0.3,x': write it as"),
        (("chinchilla", "--prior", "E=1,2", "--prior", "E=1,3"), "E is given twice"),
        (("cpt",), "cpt was not written for one table: give --table"),
        (("data-constrained", "--response", "loss"), "--response needs --table"),
    ],
    ids=str,
)
def test_wrong_usage_of_fit(
    args: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("fit", *args)
    assert result.exit_code == 2
    assert said in words(result.stderr)
    assert list(tmp_path.iterdir()) == []


GOOD = ("chinchilla", "--response", "loss", "--input", "params=size")


@pytest.mark.parametrize(
    ("args", "changed", "said"),
    [
        (GOOD[:3], {}, 'in a column "params"'),
        (GOOD, {"size": 0.0}, 'a positive number in column "size"'),
        ((*GOOD, "--pool", "corpus"), {}, 'a column "corpus" of groups'),
        ((*GOOD, "--pool", "alhpa=text"), {}, "'alhpa' (did you mean \"alpha\"?)"),
        ((*GOOD, "--prior", "alpha=-1,2"), {}, "a median above 0; given: -1"),
        ((*GOOD, "--noise", "normal-lgo"), {}, 'did you mean "normal-log"?'),
        ((*GOOD, "--reference", "parms=1B"), {}, "has no input 'parms'"),
        ((*GOOD, "--effect", "curve"), {}, 'a column "curve" of groups'),
        (("chinchilla", "--response", "los"), {}, 'no column "los"'),
        ((*GOOD, "--benchmark", "los"), {}, 'no benchmark "los"'),
        (
            ("mixing-exp", "--response", "loss"),
            {"shares_web": 0.7, "shares_code": 0.7},
            'sum to one; those of "shares_web", "shares_code" do not in 24 runs',
        ),
        (("chincilla", "--response", "loss"), {}, "no model is called 'chincilla'"),
    ],
    ids=str,
)
def test_an_error_of_the_users_data_is_one_block(
    args: tuple[str, ...], changed: dict[str, float], said: str, tmp_path: Path
) -> None:
    runs().assign(**changed).to_csv(tmp_path / "mine.csv", index=False)
    out = tmp_path / "x.nc"
    result = run("fit", *args, "--table", tmp_path / "mine.csv", "--out", out)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not out.exists()


def test_rules_and_priors_are_read() -> None:
    rules = pool_rules(["text", "text:separate", "E=text", " E = text : correlated "])
    assert rules == [
        ("", "text", "partial"),
        ("", "text", "separate"),
        ("E", "text", "partial"),
        ("E", "text", "correlated"),
    ]
    assert priors(["a=-1e-3, 2", "b=1,2"]) == {"a": (-1e-3, 2.0), "b": (1.0, 2.0)}


def test_priors_of_a_law_and_what_they_expect(folder: Path) -> None:
    args = ("--table", folder / "mine.csv", "--response", "loss", "--input", "params=size")
    found = json.loads(run("priors", "chinchilla", *args, "--draws", 3, "--json").stdout)
    medians = {row["coefficient"]: row["median"] for row in found["priors"]}
    for coefficient in bayescale.load_law("chinchilla").coefficients:
        assert medians[coefficient.name] == coefficient.prior.median
    assert "in_score_units" not in found["priors"][0]
    assert len(found["draws"]) == 3 * len(runs())
    assert all(row["score"] > 0 for row in found["draws"])
    skills = json.loads(run("priors", "skills", "--json").stdout)["priors"]
    assert "points" in skills[0]["in_score_units"]


def test_draws_of_a_law_without_a_table_need_one() -> None:
    assert run("priors", "cpt").exit_code == 0
    result = run("priors", "cpt", "--draws", 3)
    assert result.exit_code == 2
    assert "give --table" in words(result.stderr)


def question(model: str, table: Table) -> list[str]:
    chosen = on_table(bayescale.load_model(model), table)
    return shlex.split(question_of(Fit(chosen, table, xr.Dataset(), xr.Dataset(), seed=0)))


def test_a_series_is_asked_by_name_and_step() -> None:
    table = table_for(bayescale.load_model("lr-annealing"), None)
    last = table.runs.iloc[-1]
    found = question("lr-annealing", table)
    assert found[1::2] == [
        *(f"schedule={last['schedule']}", f"step={last['step']:g}", f"size={last['size']}"),
    ]
    assert set(found[::2]) == {"--at"}


def test_a_mixture_is_asked_by_its_shares(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    runs().assign(shares_web=0.7, shares_code=0.3).to_csv(path, index=False)
    table = bayescale.read_table(path, response="loss")
    wanted = ["--at", "shares_web=0.7", "--at", "shares_code=0.3"]
    assert question("mixing-exp", table) == wanted
