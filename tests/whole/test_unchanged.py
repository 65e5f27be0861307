"""The house was rebuilt and nothing moved: densities, gradients, sites, answers of stored fits."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import numpy as np
import pytest
from arviz_stats.base import array_stats

import bayescale as bs
from bayescale.models.cards import list_models, load_model
from bayescale.tables.named import is_bundled, load_card
from benchmarks.shared.densities import evaluated, laid_out
from benchmarks.shared.store_densities import (
    ANSWERS,
    DENSITIES,
    FIT,
    FITS,
    REFERENCE,
    asked,
)

FAST = ("chinchilla", "ladder-2step", "lr-annealing", "overtraining", "skills")
DENSITY, GRADIENT = 1e-9, 1e-8
ERRORS = 3.0  # Monte Carlo errors between two fits
POPULATION = {
    "skills": ["intercept", "size", "data", "loading"],
    "chinchilla": ["E", "A", "B", "alpha", "beta", "spread"],
    "overtraining": ["E", "a", "b", "eta", "spread"],
}


@cache
def stored(name: str) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    found: dict[str, dict[str, Any]] = {"position": {}, "gradient": {}, "log_density": {}}
    with np.load(DENSITIES) as file:
        for key in file.files:
            card, kind, *site = key.split("/")
            if card == name:
                found[kind]["".join(site)] = file[key]
    return found


def check_density(name: str) -> None:
    table = load_model(name).table
    if table and not is_bundled(load_card(table)) and "BAYESCALE_MIRROR" not in os.environ:
        pytest.skip("BAYESCALE_MIRROR does not name the folder of raw files")
    model, grid = laid_out(name)
    before = stored(name)
    now = evaluated(model, grid, before["position"])
    np.testing.assert_allclose(now.log_density, before["log_density"][""], rtol=DENSITY, atol=0)
    assert now.gradients.keys() == before["gradient"].keys()
    largest = np.max(
        [np.abs(v).reshape(len(v), -1).max(1) for v in before["gradient"].values() if v.size],
        axis=0,
    )
    for site, values in before["gradient"].items():
        scale = largest.reshape(-1, *[1] * (values.ndim - 1))
        assert values.shape == now.gradients[site].shape
        np.testing.assert_array_less(
            np.abs(now.gradients[site] - values) / scale, GRADIENT, err_msg=f"{name} {site}"
        )


@pytest.mark.parametrize("name", FAST)
def test_density_and_gradient_are_what_they_were(name: str) -> None:
    check_density(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*list_models()} - {*FAST}))
def test_density_and_gradient_of_the_other_cards_are_what_they_were(name: str) -> None:
    check_density(name)


def test_every_card_has_a_stored_density() -> None:
    with np.load(DENSITIES) as file:
        assert {key.split("/")[0] for key in file.files} == set(list_models())


@pytest.mark.parametrize("name", FITS)
def test_a_fit_file_of_the_old_code_answers_as_it_did(name: str) -> None:
    before = json.loads(ANSWERS.read_text())[name]
    now = asked(bs.load_fit(REFERENCE / f"fit-{name}.nc"), name)
    assert len(now["predict"]) == len(before["predict"]) == 5
    for rows, old_rows in zip(
        [*now["predict"], now["required"]], [*before["predict"], before["required"]], strict=True
    ):
        assert len(rows) == len(old_rows)
        for row, old in zip(rows, old_rows, strict=True):
            assert row.keys() == old.keys()
            for key, value in old.items():
                if isinstance(value, float):
                    assert row[key] == pytest.approx(value, rel=1e-9), (name, key)
                else:
                    assert row[key] == value, (name, key)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
def test_a_new_fit_has_the_means_of_the_old_one(name: str) -> None:
    old = bs.load_fit(REFERENCE / f"fit-{name}.nc")
    # The card of the file, without drift, on the table of the file: the old model.
    length = {k: v for k, v in FITS[name]["fit"].items() if k in ("warmup", "draws")}
    new = bs.fit(old.model, old.table, drift="none", **FIT, **length)
    assert set(new.posterior) == set(old.posterior)
    for site in POPULATION[name]:
        means, errors = zip(*(_mean_and_error(fit, site) for fit in (old, new)), strict=True)
        apart = np.abs(means[0] - means[1]) / np.hypot(*errors)
        assert np.all(apart < ERRORS), (site, apart)


def _mean_and_error(fit: bs.Fit, site: str) -> tuple[Any, Any]:
    values = fit.posterior[site].to_numpy().astype(float)
    error = array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean")
    return values.mean(axis=(0, 1)), error
