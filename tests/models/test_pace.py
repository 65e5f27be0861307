"""Drift from the edge of the data: how much an e-fold beyond it counts, whatever the law."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.fits import Fit
from bayescale.models.cards import customise, model_of_law
from bayescale.models.cells import BEYOND, beyond_edge
from bayescale.models.lay_out import fitted_members, lay_out, on_table
from bayescale.models.model import Model
from bayescale.models.pace import FARTHEST, pace_of, paced
from bayescale.models.simulate import simulate
from bayescale.tables.table import Table
from tests.kit.prior_fits import fit_of

REFERENCE = {"params": 1e9, "tokens": 2e10}
ALONG = ("params", "tokens", "flops")
LARGE = st.lists(st.floats(-2.0, 2.0), min_size=6 * BEYOND, max_size=6 * BEYOND)


def table(**more: Any) -> Table:
    """Sizes from 1e8 to 1e10 and lengths from 2e9 to 2e11, as a grid."""
    params, tokens = np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(2e9, 2e11, 5))
    frame = pd.DataFrame({"params": params.ravel(), "tokens": tokens.ravel(), "loss": 2.0})
    return Table.from_runs(frame.assign(**more), "loss", units={"loss": "nats/token"})


def laid_out(model: Model, runs: Table) -> Any:
    return lay_out(model, runs, fitted_members(model, runs))


@pytest.fixture(scope="module")
def model() -> Model:
    drift = {name: {"origin": "edge"} for name in ALONG}
    return on_table(
        customise(model_of_law("chinchilla"), reference=REFERENCE, drift=drift), table()
    )


@pytest.fixture(scope="module")
def grid(model: Model) -> Any:
    return laid_out(model, table())


def moved(model: Model, grid: Any, increments: Any, params: Any, tokens: Any) -> tuple[Any, Any]:
    inputs = {"params": np.asarray(params) / 1e9, "tokens": np.asarray(tokens) / 2e10}
    with jax.enable_x64(True):
        found = _paced(model, grid.cells, np.asarray(increments, float)[:, None], inputs)
        return np.log(np.asarray(found["params"])), np.log(np.asarray(found["tokens"]))


@partial(jax.jit, static_argnames="model")
def _paced(model: Model, cells: Any, increments: Any, inputs: Any) -> Any:
    return paced(model, pace_of(model, cells, increments), inputs)


@given(LARGE)
@settings(max_examples=20, deadline=None)
def test_nothing_moves_within_the_data(model: Model, grid: Any, increments: list[float]) -> None:
    runs = table().runs
    found = moved(model, grid, increments, runs["params"], runs["tokens"])
    np.testing.assert_allclose(found[0], np.log(runs["params"] / 1e9), atol=1e-5)
    np.testing.assert_allclose(found[1], np.log(runs["tokens"] / 2e10), atol=1e-5)


@given(LARGE)
@settings(max_examples=30, deadline=None)
def test_more_counts_for_more(model: Model, grid: Any, increments: list[float]) -> None:
    """Each input by itself, and all along a path of growing compute: what falls keeps falling."""
    path = np.geomspace(1e-6, 1e9, 80)
    along = np.asarray(grid.cells.along)
    for part in (along == 0, along == 1, along == 2):
        own = np.where(part, increments, 0.0)
        size, data = moved(model, grid, own, 1e9 * path, 2e10 * path)
        assert (np.diff(size) > 0).all()
        assert (np.diff(data) > 0).all()


def test_an_e_fold_counts_as_the_motion_says(model: Model, grid: Any) -> None:
    """A motion that reaches b over the first cell and stays: its integral by hand, both sides."""
    cells, bounds = grid.cells, beyond_edge()
    for side, edge, b in ((1, 1e10, 0.7), (-1, 1e8, -0.4)):
        first = (np.asarray(cells.along) == 0) & (np.sign(cells.width) == side)
        first &= np.abs(np.asarray(cells.start)) == 0
        assert first.sum() == 1
        increments = np.where(first, b / np.sqrt(bounds[1]), 0.0)
        for cell in (0.5, 1.0, 4.0):
            away = cell * bounds[1]
            counted = bounds[1] * np.expm1(b * min(cell, 1.0)) / b
            counted += np.exp(b) * max(away - bounds[1], 0.0)
            size, data = moved(model, grid, increments, [edge * np.exp(side * away)], [2e10])
            assert size[0] == pytest.approx(np.log(edge / 1e9) + side * counted, abs=1e-4)
            assert data[0] == pytest.approx(0.0, abs=1e-5)


def test_compute_moves_size_and_data_alike(model: Model, grid: Any) -> None:
    """So the best split of a budget is that of another budget."""
    increments = np.where(np.asarray(grid.cells.along) == 2, 0.3, 0.0)
    size, data = moved(model, grid, increments, [1e10, 2e10], [1e13, 5e12])  # one budget
    gone = size - np.log([10.0, 20.0])
    assert abs(gone[0]) > 0.1
    np.testing.assert_allclose(gone, gone[0], rtol=1e-4)
    np.testing.assert_allclose(data - np.log([500.0, 250.0]), gone, rtol=1e-4)


def test_whatever_the_motion_inputs_stay_numbers(model: Model, grid: Any) -> None:
    increments = np.full(len(grid.cells.part), 50.0)
    found = moved(model, grid, increments, [1e14, 1e2], [1e17, 1e3])
    assert np.isfinite(found).all()
    assert found[0][0] <= np.log(1e5) + 2 * FARTHEST


def drawn(scale: float, draws: int, law: str = "power") -> tuple[Fit, Fit]:
    """Fits with draws of the prior, with drift along x and without."""
    frame = pd.DataFrame({"x": np.geomspace(1.0, 100.0, 8), "loss": 2.0})
    runs = Table.from_runs(frame, "loss", units={"loss": "nats/token"})
    drift = {"x": {"origin": "edge", "scale": [scale, 1.0001]}}
    model = on_table(customise(model_of_law(law), noise="student-t-log", drift=drift), runs)
    sites, _ = simulate(model, lay_out(model, runs), draws=draws, seed=0)
    sites["spread"] = np.full((draws, 1), np.log(0.01))
    bare = {name: value for name, value in sites.items() if not name.startswith("drift")}
    return fit_of(model, runs, sites), fit_of(customise(model, drift="none"), runs, bare)


def test_the_local_exponent_wanders_as_a_brownian_motion_beyond_the_edge() -> None:
    """Where cells end its spread, in logs, is the scale and the root of the e-folds beyond."""
    with_drift, without = drawn(0.2, 4000)
    ends = beyond_edge()[[1, 3]]
    step = 0.01
    near = np.concatenate([ends - step, ends])
    rows = pd.DataFrame({"x": [1.0, 100.0, *100.0 * np.exp(near)]})
    told = (f.predict(rows, kind="mean", seed=1).draws for f in (with_drift, without))
    one, other = (np.log(draws.reshape(4000, len(rows))) for draws in told)
    np.testing.assert_allclose(one[:, :2], other[:, :2], atol=1e-6)
    slope = (one[:, 4:] - one[:, 2:4]) / (other[:, 4:] - other[:, 2:4])
    assert np.log(slope).std(axis=0) == pytest.approx(0.2 * np.sqrt(ends), rel=0.05)
    assert np.abs(np.log(slope).mean(axis=0)).max() < 0.02


def test_unique_tokens_move_as_tokens_do() -> None:
    """Data of which each token is read once is that beyond the edge, too."""
    runs = table(unique_tokens=np.geomspace(2e9, 2e11, 25))
    model = on_table(customise(model_of_law("data-constrained"), drift="usual"), runs)
    assert list(model.drift) == ["params", "tokens", "flops"]
    grid = laid_out(model, runs)
    increments = np.full((len(grid.cells.part), 1), 0.2)
    whole = {"params": np.ones(2), "tokens": np.array([1e3, 1e4]), "unique_tokens": np.full(2, 1e3)}
    found = _paced(model, grid.cells, increments, whole)
    tokens, unique = (np.asarray(found[name]) for name in ("tokens", "unique_tokens"))
    assert tokens[0] == pytest.approx(unique[0], rel=1e-5)
    assert abs(tokens[0] / 1e3 - 1) > 0.1
    assert tokens[1] > unique[1]
