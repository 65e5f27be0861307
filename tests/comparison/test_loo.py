"""PSIS-LOO against exact leave-one-out and stored values; stacking against its definition."""

from __future__ import annotations

import json
import runpy
from typing import Any

import arviz_stats
import numpy as np
import pytest
from arviz_base import from_dict
from numpy.typing import NDArray
from scipy.stats import norm

from bayescale.comparison import loo
from bayescale.comparison.loo import psis_loo, stacking_weights
from tests.kit.paths import REFERENCE

STORED: dict[str, Any] = json.loads((REFERENCE / "waic_arviz023.json").read_text())
ARRAYS: dict[str, NDArray[np.float64]] = runpy.run_path(str(REFERENCE / "waic_arviz023.py"))[
    "arrays"
]()


@pytest.mark.parametrize("name", ARRAYS)
def test_loo_agrees_with_arviz_023(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the length of the smoothed tail, which ArviZ has changed since by a draw or two."""
    monkeypatch.setattr(loo, "relative_efficiency", lambda _: 1.0)  # as the stored values were made
    stored = STORED[name]
    got = psis_loo(ARRAYS[name])
    rows = len(stored["loo_i"])
    good = np.array(stored["pareto_k"]) < 0.7
    np.testing.assert_allclose(got.pointwise[good], np.array(stored["loo_i"])[good], atol=1e-3)
    np.testing.assert_allclose(got.pointwise, stored["loo_i"], atol=0.02)
    np.testing.assert_allclose(got.pareto_k, stored["pareto_k"], atol=0.06)
    assert got.elpd == pytest.approx(stored["elpd_loo"], abs=0.03)
    assert got.p == pytest.approx(stored["p_loo"], abs=0.03)
    assert got.se == pytest.approx(stored["se_loo"] * np.sqrt(rows / (rows - 1)), abs=0.02)


def test_loo_is_the_exact_leave_one_out_density_of_a_conjugate_model() -> None:
    """y_i ~ N(mu, 1), mu ~ N(0, 10): what is left out has a closed-form predictive density."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=20)
    precision = y.size + 1 / 100
    mu = y.sum() / precision + rng.normal(size=(4, 1000, 1)) / np.sqrt(precision)
    exact = [
        norm.logpdf(y[i], np.delete(y, i).sum() / (precision - 1), np.sqrt(1 + 1 / (precision - 1)))
        for i in range(y.size)
    ]
    got = psis_loo(norm.logpdf(y, mu, 1.0))
    np.testing.assert_allclose(got.pointwise, exact, atol=0.02)
    assert not got.bad.any()
    assert got.good_k == pytest.approx(0.7)


def test_rows_that_decide_their_own_effect_have_bad_pareto_k() -> None:
    got = psis_loo(ARRAYS["eight-schools-separate"])
    assert got.bad.any()
    few = psis_loo(ARRAYS["eight-schools-separate"][:1, :100])
    assert few.good_k == pytest.approx(1 - 1 / np.log10(100))


def test_loo_adds_constants_without_underflow() -> None:
    log_lik = ARRAYS["line-with-outlier"]
    shifted = psis_loo(log_lik - 2000.0)
    np.testing.assert_allclose(shifted.pointwise, psis_loo(log_lik).pointwise - 2000.0, atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # what is tested is ours; ArviZ warns of its own
def test_efficiency_of_the_draws_is_estimated_from_the_likelihoods() -> None:
    """Ten copies of each draw in a row are worth a tenth: the smoothed tail must be longer."""
    copies = np.repeat(ARRAYS["eight-schools-separate"], 10, axis=1)
    data = from_dict({"log_likelihood": {"y": copies}})
    given = {
        efficiency: arviz_stats.loo(data, pointwise=True, reff=efficiency).pareto_k.to_numpy()
        for efficiency in (0.03, 0.1, 1.0)
    }
    estimated = psis_loo(copies).pareto_k
    np.testing.assert_allclose(estimated, given[0.1], atol=0.05)
    assert np.abs(estimated - given[1.0]).max() > 0.2
    assert np.abs(estimated - given[0.03]).max() > 0.2


def test_a_row_whose_weights_underflow_is_bad_but_does_not_spoil_the_sum() -> None:
    log_lik = ARRAYS["line-with-outlier"].copy()
    log_lik[:, :, 0] -= np.abs(np.random.default_rng(7).standard_cauchy(size=(4, 250)))
    got = psis_loo(log_lik)
    assert got.bad[0]
    assert got.elpd == pytest.approx(got.pointwise.sum())
    assert np.isfinite(got.elpd)
    assert got.pointwise[0] < log_lik[:, :, 0].mean()


@pytest.mark.filterwarnings("ignore")  # what is tested is ours; ArviZ warns of its own
def test_stacking_agrees_with_arviz() -> None:
    rng = np.random.default_rng(2)
    base = ARRAYS["line-with-outlier"]
    arrays = {"a": base, "b": base + 0.5 * rng.normal(size=30), "c": base + rng.normal(size=30)}
    loos = {
        name: arviz_stats.loo(from_dict({"log_likelihood": {"y": a}}), pointwise=True, reff=1.0)
        for name, a in arrays.items()
    }
    table = arviz_stats.compare(loos, method="stacking")
    ours = stacking_weights(np.stack([np.asarray(one.elpd_i) for one in loos.values()], axis=1))
    theirs = table["weight"].astype(float).loc[list(arrays)]
    np.testing.assert_allclose(ours, theirs, atol=0.011)  # ArviZ 1.x rounds to two digits


def test_stacking_satisfies_its_optimality_conditions() -> None:
    """At the optimum each used fit has mean density ratio 1 to the mixture, others at most 1."""
    pointwise = np.random.default_rng(4).normal(size=(400, 4)) + np.array([0.0, 0.1, -0.2, -3.0])
    w = stacking_weights(pointwise)
    density = np.exp(pointwise)
    ratio = (density / (density @ w)[:, None]).mean(axis=0)
    assert w.sum() == pytest.approx(1.0)
    assert (w >= 0).all()
    np.testing.assert_allclose(ratio[w > 0.01], 1.0, atol=1e-3)
    assert (ratio <= 1.0 + 1e-3).all()


def test_stacking_of_extremes() -> None:
    good, worse = np.zeros(50), np.full(50, -3.0)
    np.testing.assert_allclose(stacking_weights(np.stack([worse, good], 1)), [0, 1], atol=1e-6)
    np.testing.assert_allclose(stacking_weights(good[:, None]), [1.0])
    impossible = np.stack([good, worse], axis=1)
    impossible[7] = [-5000.0, -4000.0]
    weights = stacking_weights(impossible)
    assert np.isfinite(weights).all()
    assert weights[1] > 0  # only the second fit gives row 7 a noticeable density


def test_two_fits_that_are_good_at_halves_share_the_weight() -> None:
    half = np.repeat([0.0, -4.0], 100)
    weights = stacking_weights(np.stack([half, half[::-1]], axis=1))
    np.testing.assert_allclose(weights, 0.5, atol=1e-4)
