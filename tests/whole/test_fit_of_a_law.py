"""A fit of a law: coefficients in the paper's units, predictions, what is prior-driven, storage."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescale as bs
from bayescale.base.errors import FitFileError, ModelError, PredictError
from bayescale.inference.estimates import law_draws
from bayescale.inference.storage import stored_law

LAW = '''
from typing import Annotated

from jax import Array

from bayescale.own import Params, amplitudes, law, positive


@law(response="loss", unit="nats/token", source="mine", paper=amplitudes(A={"params": "alpha"}))
def mine(
    params: Params,
    *,
    A: Annotated[Array, positive(3, 2, unit="nats/token", meaning="loss at the reference")],
    alpha: Annotated[Array, positive(0.1, 2, unit="1", meaning="exponent")],
) -> Array:
    r"""Loss falls as a power of size.

    .. math:: L = A N^{-\\alpha}
    """
    return A * params**-alpha
'''
SHORT = {"chains": 2, "warmup": 200, "draws": 200, "progress": False}
TRUE = {"A": 30.0, "alpha": 0.12}


@pytest.fixture(scope="module")
def table() -> bs.Table:
    rng = np.random.default_rng(0)
    params = np.tile(np.geomspace(1e7, 1e10, 10), 2)
    corpus = np.repeat(["code", "web"], 10)
    loss = TRUE["A"] * params ** -TRUE["alpha"] * np.where(corpus == "web", 1.1, 1.0)
    noisy = loss * np.exp(0.003 * rng.standard_normal(20))
    frame = pd.DataFrame({"params": params, "corpus": corpus, "loss": noisy})
    return bs.Table.from_runs(frame, name="powers")


@pytest.fixture(scope="module")
def law_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("law") / "my_law.py"
    path.write_text(LAW, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def fit(table: bs.Table, law_file: Path) -> bs.Fit:
    return bs.fit(f"{law_file}:mine", table, pool={"A": "corpus"}, **SHORT)


def test_the_papers_coefficients_are_found(fit: bs.Fit) -> None:
    frame = fit.coefficients(units="paper", by="corpus").set_index(["coefficient", "of"])
    for of, factor in (("code", 1.0), ("web", 1.1)):
        row = frame.loc[("A", of)]
        assert row["lower_0.9"] < TRUE["A"] * factor < row["upper_0.9"]
        assert (row["unit"], row["meaning"]) == ("as in the paper", "")
    row = frame.loc[("alpha", "code")]
    assert row["meaning"] == "exponent"
    assert row["lower_0.9"] < TRUE["alpha"] < row["upper_0.9"]


def test_units_do_not_change_the_curve(fit: bs.Fit) -> None:
    reference = fit.model.reference["params"]
    own, paper = (law_draws(fit, ("corpus", "web"), units) for units in ("reference", "paper"))
    at = 3e9
    np.testing.assert_allclose(
        own["A"] * (at / reference) ** -own["alpha"], paper["A"] * at ** -paper["alpha"], rtol=1e-5
    )


def test_predictions_of_known_and_new_members(fit: bs.Fit) -> None:
    rows = pd.DataFrame({"params": [1e11, 1e11], "corpus": ["web", "books"]})
    found = fit.predict(rows, kind="mean")
    width = found.frame["mean_upper_0.9"] - found.frame["mean_lower_0.9"]
    true = 1.1 * TRUE["A"] * 1e11 ** -TRUE["alpha"]
    assert found.frame["mean_median"][0] == pytest.approx(true, rel=0.01)
    assert width[1] > 3 * width[0]
    assert any('"books" is not among' in doubt for doubt in found.doubts)
    assert any("10 times beyond" in doubt for doubt in found.doubts)
    nameless = fit.predict(params=1e9)
    assert any("corpus not named" in doubt for doubt in nameless.doubts)
    score = fit.predict(params=1e9, corpus="web")
    assert score.draws.std() > fit.predict(params=1e9, corpus="web", kind="mean").draws.std()


def test_queries_that_make_no_sense_are_refused(fit: bs.Fit) -> None:
    with pytest.raises(PredictError, match=r'no column "parms" \(did you mean "params"'):
        fit.predict(parms=1e9)
    with pytest.raises(PredictError, match="plain numbers"):
        fit.predict(pd.DataFrame({"params": ["7B"], "corpus": ["web"]}))
    with pytest.raises(PredictError, match=r'1 without: "query 1 \(-1\)"$'):
        fit.predict(params=-1.0, corpus="web")
    with pytest.raises(PredictError, match=r'not at a run: give "params", "corpus" in its place'):
        fit.predict(run="1")
    with pytest.raises(PredictError, match=r'a query to mine needs "params"$'):
        fit.predict(corpus="web")
    with pytest.raises(PredictError, match="no coefficient varies over 'family'"):
        fit.coefficients(by="family")
    with pytest.raises(PredictError, match="units must be one of"):
        fit.coefficients(units="papers")


def test_a_fit_brings_its_law_back(fit: bs.Fit, law_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.nc"
    fit.save(path)
    assert stored_law(path) == LAW
    kept = tmp_path / "kept.py"
    shutil.copy(law_file, kept)
    again = bs.load_fit(path, law=f"{kept}:mine")  # the text counts, not where it lies
    query = {"params": 1e9, "corpus": "web", "seed": 3}
    pd.testing.assert_frame_equal(again.predict(**query).frame, fit.predict(**query).frame)
    again.save(tmp_path / "again.nc")
    with pytest.raises(FitFileError, match=r"runs no file: look at it \(bayescale laws --of"):
        bs.load_fit(path)
    other = tmp_path / "other.py"
    other.write_text(LAW.replace("-alpha", "-2 * alpha"), encoding="utf-8")
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (other, kept)]
    with pytest.raises(FitFileError, match=f"{hashes[0]}; that of the fit is {hashes[1]}"):
        bs.load_fit(path, law=f"{other}:mine")


@pytest.mark.parametrize("change", ["none", "no record", "relative", "record only"])
def test_loading_a_fit_runs_no_file(
    fit: bs.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.chdir(tmp_path)
    mark = tmp_path / "ran"
    text = f"open({str(mark)!r}, 'w').close()\n{LAW}"
    trap = tmp_path / "trap.py"
    trap.write_text(text, encoding="utf-8")
    fit.save(tmp_path / "mine.nc")
    with xr.open_datatree(tmp_path / "mine.nc", engine="h5netcdf") as opened:
        tree = opened.load()
    about = json.loads(str(tree["about"].item()))
    named = "trap.py:mine" if change == "relative" else f"{trap}:mine"
    if change == "record only":
        about["model"] = bs.load_model("chinchilla").card
    else:
        about["model"] = re.sub('law = ".*"', f'law = "{named}"', about["model"])
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    about["law"] = {"file": str(trap), "text": text, "sha256": sha256}
    if change == "no record":
        del about["law"]
    tree["about"] = json.dumps(about)
    tree.to_netcdf(tmp_path / "altered.nc", engine="h5netcdf")
    with pytest.raises(FitFileError):
        bs.load_fit(tmp_path / "altered.nc")
    assert not mark.exists()


def test_a_card_runs_no_file(tmp_path: Path) -> None:
    mark, card = tmp_path / "ran", tmp_path / "card.toml"
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(mark)!r}, 'w').close()\n{LAW}", encoding="utf-8")
    lines = ('name = "x"', 'claim = "x"', f'law = "{trap}:mine"', 'noise = "normal-log"')
    card.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ModelError, match=f"name it with --law {trap}:mine"):
        bs.load_model(card)
    assert not mark.exists()
    assert bs.load_model(card, law=f"{trap}:mine").law.name == "mine"
    assert mark.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("law", "named"), [("kaplan-nd", {"share"}), ("chinchilla", {"A", "B"})])
def test_one_ratio_of_tokens_to_params_leaves_the_terms_to_the_prior(
    law: str, named: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    params = np.geomspace(1e7, 1e10, 30)
    rng = np.random.default_rng(1)
    x = params / 3e8
    loss = (1.8 + 0.4 * x**-0.34 + 0.4 * x**-0.36) * np.exp(0.004 * rng.standard_normal(30))
    frame = pd.DataFrame({"params": params, "tokens": 20 * params, "loss": loss})
    one = bs.fit(law, bs.Table.from_runs(frame), **SHORT)
    notes = [note for note in one.summary().notes if "prior-driven" in note]
    told = [set(note.partition(" prior-driven")[0].replace(",", "").split()) for note in notes]
    assert any(named <= words for words in told)
    assert "note: " in str(one.summary())
    assert one.sensitivity()["diagnosis"].str.contains("potential").any()
    assert not caplog.records  # the frame tells it


@pytest.fixture(scope="module")
def derived() -> bs.Fit:
    """A law of compute and its ratio to size, of a table that has neither."""
    params = np.tile(np.geomspace(1e7, 1e10, 8), 2)
    tokens = params * np.repeat([10, 100], 8)
    loss = 1.8 + 480 * params**-0.35 + 2100 * tokens**-0.35
    frame = pd.DataFrame({"params": params, "tokens": tokens, "loss": loss})
    return bs.fit("gadre-overtrain", bs.Table.from_runs(frame, name="runs"), **SHORT)


def test_a_perplexity_is_not_taken_for_a_loss_in_silence(derived: bs.Fit) -> None:
    assert not any("perplexity" in note for note in derived.summary().notes)
    scores = derived.table.scores
    wrong = dataclasses.replace(derived.table, scores=scores.assign(score=np.exp(scores["score"])))
    note = dataclasses.replace(derived, table=wrong).summary().notes[0]
    middle = np.median(np.exp(scores["score"]))
    assert f"the middle loss of table runs is {middle:.4g}, where gadre-overtrain expects" in note
    assert "1 to 10 nats/token: if it is a perplexity" in note


def test_an_extrapolation_of_an_input_that_follows_from_others_is_told(derived: bs.Fit) -> None:
    inside, beyond = (derived.predict(params=n, tokens=100 * n) for n in (1e9, 1e11))
    assert not any("beyond" in doubt for doubt in inside.doubts)
    assert any("flops of 6e24 is 100 times beyond" in doubt for doubt in beyond.doubts)
    assert not any("multiplier" in doubt for doubt in beyond.doubts)
    assert str(beyond).splitlines()[1].split()[:2] == ["100B", "10T"]


def test_informed_coefficients_are_not_called_prior_driven(fit: bs.Fit) -> None:
    assert all("the law's own shape" in note for note in fit.summary().notes)
    frame = fit.sensitivity()
    assert frame.loc["alpha", "width"] < 0.1
    assert {"prior", "likelihood", "diagnosis"} <= set(frame.columns)
