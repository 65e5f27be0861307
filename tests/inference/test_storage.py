"""One file holds a fit: it comes back whole in another process too, or is refused by its path."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale.base.errors import FitFileError
from bayescale.fits import Fit, load_fit
from bayescale.inference import storage
from bayescale.models.cards import load_model
from bayescale.parts.coefficients import Prior

QUERY = {"family": "qwen2", "params": 7e9, "tokens": 2e12}
ELSEWHERE = f"""
import sys
import numpy as np
import bayescale
p = bayescale.load_fit(sys.argv[1]).predict(**{QUERY!r})
np.save(sys.argv[2], p.draws)
p.frame.to_csv(sys.argv[3], index=False)
"""


@pytest.fixture(scope="module")
def saved(tiny_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fits") / "tiny.nc"
    tiny_fit.save(path)
    return path


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.nc"
    path.write_bytes(saved.read_bytes())
    return path


def rewrite(path: Path, **about: object) -> None:
    """Change what a file of an earlier version, without a seal, says about itself."""
    with h5py.File(path, "r+") as file:
        if storage.SEAL in file:
            del file[storage.SEAL]
        file["about"][()] = json.dumps(json.loads(file["about"].asstr()[()]) | about)


def test_everything_comes_back(saved: Path, tiny_fit: Fit) -> None:
    found = load_fit(saved)
    assert found.posterior.equals(tiny_fit.posterior)
    assert found.sample_stats.equals(tiny_fit.sample_stats)
    assert found.model.card == tiny_fit.model.card
    assert (found.seed, found.versions) == (tiny_fit.seed, tiny_fit.versions)
    assert found.table.name == tiny_fit.table.name
    for name in ("scores", "runs", "benchmarks", "excluded"):
        pd.testing.assert_frame_equal(
            getattr(found.table, name), getattr(tiny_fit.table, name), check_exact=True
        )
    assert str(found.summary()) == str(tiny_fit.summary())


def test_series_and_further_columns_of_runs_come_back(
    tiny_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "STORED_LOG_LIKELIHOOD", 0)
    table = tiny_fit.table
    rates = np.where(np.arange(len(table.runs)) > 0, 0.1 + 0.2, np.nan)
    runs = table.runs.assign(lab="1", note="None", rate=rates)
    series = pd.DataFrame({"series": ["1", "1"], "step": [0.0, 1.0], "value": [1.0, 0.1]})
    wider = dataclasses.replace(table, runs=runs, series=series.astype({"series": "str"}))
    dataclasses.replace(tiny_fit, table=wider).save(tmp_path / "fit.nc")
    found = load_fit(tmp_path / "fit.nc").table
    for name in ("scores", "runs", "benchmarks", "series"):
        pd.testing.assert_frame_equal(
            getattr(found, name), getattr(wider, name), check_exact=True, check_dtype=False
        )
    assert (found.groups, found.inputs) == (wider.groups, wider.inputs)


def test_a_file_without_series_has_none(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        del file["series"]
    rewrite(copy, groups=[])
    assert load_fit(copy).table.series.empty


def test_another_process_predicts_the_same_numbers(
    saved: Path, tiny_fit: Fit, tmp_path: Path
) -> None:
    draws, frame = tmp_path / "draws.npy", tmp_path / "frame.csv"
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(saved), str(draws), str(frame)], check=True
    )
    expected = tiny_fit.predict(**QUERY)
    np.testing.assert_array_equal(np.load(draws), expected.draws)
    median = pd.read_csv(frame)["score_median"]
    np.testing.assert_allclose(median, expected.frame["score_median"])


def test_small_fits_store_their_log_likelihood(saved: Path, tiny_fit: Fit) -> None:
    with xr.open_dataset(saved, group="log_likelihood", engine="h5netcdf") as stored:
        np.testing.assert_allclose(stored["log_likelihood"], tiny_fit.log_likelihood())


def test_large_fits_do_not(tiny_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "STORED_LOG_LIKELIHOOD", 10)
    tiny_fit.save(tmp_path / "large.nc")
    with xr.open_datatree(tmp_path / "large.nc", engine="h5netcdf") as tree:
        assert "log_likelihood" not in tree.children
    assert load_fit(tmp_path / "large.nc").posterior.equals(tiny_fit.posterior)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "mine"}, "something else about name:"),
        ({"reference": {"flops": 1e21}}, "something else about reference:"),
        (
            {"priors_given": {"spread": Prior("positive", 0.01, 2.0)}, "pooling": {}},
            "pooling, priors_given",
        ),
        ({"card": ""}, "no card .*missing key"),
        ({"card": load_model("compute").card}, "name, claim"),
    ],
)
def test_a_model_that_its_card_does_not_describe_is_not_saved(
    tiny_fit: Fit, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    other = dataclasses.replace(tiny_fit.model, **change)
    with pytest.raises(FitFileError, match=f"{said}.*load_model"):
        dataclasses.replace(tiny_fit, model=other).save(tmp_path / "fit.nc")
    assert list(tmp_path.iterdir()) == []


def test_what_a_refused_fit_is_told_to_do_works(
    tiny_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "STORED_LOG_LIKELIHOOD", 10)  # saves computing it
    card = tmp_path / "mine.toml"
    card.write_text(tiny_fit.model.card.replace("test-compute", "mine"))
    named = dataclasses.replace(tiny_fit, model=load_model(card))
    named.save(tmp_path / "fit.nc")
    assert load_fit(tmp_path / "fit.nc").model.name == "mine"


def refused(path: Path, said: str) -> None:
    with pytest.raises(FitFileError, match=said) as caught:
        load_fit(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95])
def test_truncated_files_are_refused(copy: Path, share: float) -> None:
    whole = copy.read_bytes()
    copy.write_bytes(whole[: int(share * len(whole))])
    refused(copy, "not a readable netCDF file|lacks a part|no fit")


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    text, foreign = tmp_path / "text.nc", tmp_path / "foreign.nc"
    text.write_text("run,score\na,1\n")
    xr.Dataset({"x": ("t", [1.0, 2.0])}).to_netcdf(foreign, engine="h5netcdf")
    refused(text, "not a readable netCDF file")
    refused(foreign, "no fit of BayeScale")
    refused(tmp_path / "missing.nc", "no fit file at")
    refused(tmp_path, "no fit file at")


def test_a_newer_file_says_which_version_to_get(copy: Path) -> None:
    rewrite(copy, schema=99, versions={"bayescale": "9.9.9"})
    refused(copy, r"written by bayescale 9\.9\.9 \(schema 99\).*upgrade")
    rewrite(copy, schema=1, versions={"bayescale": "0.1.0"})
    refused(copy, r"written by bayescale 0\.1\.0 \(schema 1\).*fit again")


def test_a_file_with_a_part_missing_names_it(copy: Path) -> None:
    rewrite(copy, model="name = 'x'")
    refused(copy, "missing key")


def test_a_folder_that_cannot_be_written_is_named(tiny_fit: Fit, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "fit.nc"
    with pytest.raises(FitFileError, match="cannot write") as caught:
        tiny_fit.save(path)
    assert str(path) in str(caught.value)


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tiny_fit: Fit, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = copy.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", full)
    with pytest.raises(FitFileError, match="No space left"):
        dataclasses.replace(tiny_fit).save(copy)
    assert copy.read_bytes() == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy.nc"]
