"""WAIC against stored values of ArviZ 0.23, and against its own definition."""

from __future__ import annotations

import json
import runpy
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bayescale.comparison.waic import waic
from tests.kit.paths import REFERENCE

STORED: dict[str, Any] = json.loads((REFERENCE / "waic_arviz023.json").read_text())
ARRAYS: dict[str, NDArray[np.float64]] = runpy.run_path(str(REFERENCE / "waic_arviz023.py"))[
    "arrays"
]()


def matrix(name: str) -> NDArray[np.float64]:
    """The stored array as (sample, row)."""
    array = ARRAYS[name]
    return array.reshape(-1, array.shape[-1])


@pytest.mark.parametrize("name", ARRAYS)
def test_waic_equals_arviz_023_with_its_variance(name: str) -> None:
    stored = STORED[name]
    log_lik = matrix(name)
    assert log_lik.sum() == pytest.approx(stored["checksum"], rel=1e-12), "other inputs"
    got = waic(log_lik, variance="n")
    assert got.elpd == pytest.approx(stored["elpd_waic"], abs=1e-8, rel=0)
    assert got.p == pytest.approx(stored["p_waic"], abs=1e-8, rel=0)
    assert got.se == pytest.approx(stored["se_waic"], abs=1e-8, rel=0)
    np.testing.assert_allclose(got.pointwise, stored["waic_i"], atol=1e-8, rtol=0)
    assert bool(got.warning) == stored["warning_waic"]


@pytest.mark.parametrize("name", ARRAYS)
def test_default_divides_by_n_minus_1_in_both_variances(name: str) -> None:
    log_lik = matrix(name)
    samples, rows = log_lik.shape
    ours, theirs = waic(log_lik), waic(log_lik, variance="n")
    np.testing.assert_allclose(ours.p_pointwise, theirs.p_pointwise * samples / (samples - 1))
    deviations = ours.pointwise - ours.pointwise.mean()
    assert ours.se == pytest.approx(np.sqrt(rows * np.sum(deviations**2) / (rows - 1)))
    assert ours.elpd != theirs.elpd


def test_warning_counts_the_rows_above_the_limit() -> None:
    # Rows that are +a or -a with equal probability have variance a^2 (divisor n).
    log_lik = np.array([[0.1, 0.7, 0.8], [-0.1, -0.7, -0.8]])
    got = waic(log_lik, variance="n")
    assert got.above_limit == 2
    assert "2 of 3 rows" in got.warning
    assert got.warning in str(got)
    quiet = waic(log_lik * 0.1, variance="n")
    assert (quiet.above_limit, quiet.warning) == (0, "")


def test_waic_of_a_certain_posterior_is_the_log_likelihood() -> None:
    got = waic(np.tile([-1.0, -2.5, 0.5], (50, 1)))
    assert got.elpd == pytest.approx(-3.0)
    assert got.p == 0.0


def test_waic_adds_constants_and_ignores_the_order_of_samples_and_rows() -> None:
    log_lik = matrix("line-with-outlier")
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(rng.permutation(log_lik, axis=0), axis=1) + 2.0
    assert waic(shuffled).elpd == pytest.approx(waic(log_lik).elpd + 2.0 * log_lik.shape[1])
    assert waic(shuffled).se == pytest.approx(waic(log_lik).se)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros(3), "sample, row"),
        (np.zeros((1, 3)), "at least"),
        (np.array([[0.0, np.nan], [0.0, 0.0]]), r"rows \[1\]"),
        (np.array([[0.0, 0.0], [-np.inf, 0.0]]), r"rows \[0\]"),
    ],
)
def test_bad_matrices_are_refused(bad: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        waic(bad)


def test_unknown_variance_is_refused() -> None:
    with pytest.raises(ValueError, match="variance"):
        waic(np.zeros((3, 3)), variance="biased")  # type: ignore[arg-type]
