"""Links: what each coefficient moves, what it leaves alone, and the formulas of papers."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from bayescale.links.downstream import downstream_exp, ladder_2step
from bayescale.links.logistic import logistic
from tests.kit import by_hand

SHAPES = st.floats(0.2, 5.0)
PIVOTS = st.floats(-4.0, 4.0)


def link(
    latent: object,
    pivot: float = 0.3,
    chance: float = 0.0,
    top: float = 1.0,
    ceiling: float = 1.0,
    shape: float = 1.0,
) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(logistic(latent, pivot, chance, top, ceiling=ceiling, shape=shape))


@given(st.floats(-30, 30), PIVOTS, st.floats(0.0, 0.5), st.floats(0.3, 1.0))
def test_shape_one_and_no_ceiling_is_the_plain_logistic(
    latent: float, pivot: float, chance: float, top: float
) -> None:
    expected = chance + (top - chance) * expit(latent)
    assert link(latent, pivot, chance, top) == pytest.approx(expected, rel=1e-9)


@given(st.floats(-8, 8), PIVOTS, SHAPES, st.floats(0.3, 1.0))
def test_the_curve_is_that_of_the_formula(
    latent: float, pivot: float, shape: float, ceiling: float
) -> None:
    expected = by_hand.link(latent, pivot, 0.25, 0.95, ceiling, shape)
    assert link(latent, pivot, 0.25, 0.95, ceiling, shape) == pytest.approx(expected, rel=1e-7)


@given(PIVOTS, SHAPES, st.floats(0.3, 1.0))
def test_shape_and_ceiling_move_neither_level_nor_logit_slope_at_the_pivot(
    pivot: float, shape: float, ceiling: float
) -> None:
    bent = {"shape": shape, "ceiling": ceiling}
    assert link(pivot, pivot, **bent) == pytest.approx(expit(pivot), rel=1e-9)
    step = 1e-5
    below, above = (link(pivot + d, pivot, **bent) for d in (-step, step))
    assert (logit(above) - logit(below)) / (2 * step) == pytest.approx(1.0, abs=1e-5)


def test_shape_bends_the_curve_away_from_the_pivot() -> None:
    latent = np.array([-4.0, 4.0])
    assert (np.abs(link(latent, shape=3.0) - link(latent)) > 1e-3).all()


@given(PIVOTS, SHAPES, st.floats(0.0, 0.5), st.floats(0.6, 1.0), st.floats(0.3, 1.0))
def test_score_rises_and_stays_between_chance_and_ceiling(
    pivot: float, shape: float, chance: float, top: float, ceiling: float
) -> None:
    latent = np.linspace(-12, 12, 97)
    score = link(latent, pivot, chance, top, ceiling, shape)
    reference = expit(pivot)
    highest = chance + (top - chance) * (reference + (1 - reference) * ceiling)
    assert (np.diff(score) >= 0).all()
    assert ((score >= chance) & (score <= highest + 1e-12)).all()
    assert (np.diff(link(np.linspace(-3, 3, 31) + pivot, pivot, shape=shape)) > 0).all()


@jax.jit
def slopes(latent: Any, pivot: float, shape: float) -> Any:
    """By latent score, pivot and shape; compiled once for all examples."""
    return jax.grad(lambda x, p, s: logistic(x, p, 0.25, 1.0, ceiling=0.9, shape=s), (0, 1, 2))(
        latent, pivot, shape
    )


@given(PIVOTS, SHAPES)
def test_far_values_give_the_limits_and_finite_gradients(pivot: float, shape: float) -> None:
    highest = 0.25 + 0.75 * (expit(pivot) + (1 - expit(pivot)) * 0.9)
    assert link(-1e6, pivot, 0.25, 1.0, 0.9, shape) == pytest.approx(0.25)
    assert link(1e6, pivot, 0.25, 1.0, 0.9, shape) == pytest.approx(highest)
    with jax.enable_x64(True):
        for latent in (-1e3, -40.0, 40.0, 1e3):
            assert np.isfinite(slopes(latent, pivot, shape)).all()


LOSS = np.linspace(2.0, 4.5, 26)


@pytest.mark.parametrize("corpus", downstream_exp.published)
def test_error_decays_exponentially_with_the_loss_as_published(corpus: str) -> None:
    printed, pivot = downstream_exp.published[corpus], 3.0
    k, gamma, epsilon = (printed[name] for name in ("k", "gamma", "epsilon"))
    error = 1 - k * np.exp(-gamma * pivot) / epsilon
    with jax.enable_x64(True):
        found = downstream_exp(LOSS, pivot, 0.25, 1.0, error=error, largest=epsilon, rate=gamma)
        score = np.asarray(found)
    np.testing.assert_allclose(1 - score, epsilon - k * np.exp(-gamma * LOSS), rtol=1e-9)


@given(st.floats(0.05, 0.95), st.floats(0.3, 0.95), st.floats(0.2, 3.0), st.floats(1.5, 4.0))
def test_downstream_score_falls_with_the_loss_from_top_down_to_the_largest_error(
    error: float, largest: float, rate: float, pivot: float
) -> None:
    coefficients = {"error": error, "largest": largest, "rate": rate}
    with jax.enable_x64(True):
        score = np.asarray(
            downstream_exp(np.linspace(-5, 60, 400), pivot, 0.0, 0.9, **coefficients)
        )
        at_pivot = float(downstream_exp(pivot, pivot, 0.0, 0.9, **coefficients))
        slopes = jax.vmap(jax.grad(lambda x: downstream_exp(x, pivot, 0.0, 0.9, **coefficients)))(
            np.array([-5.0, 0.0, 2.0, 60.0])
        )
    assert (np.diff(score) <= 1e-15).all()
    assert (score <= 0.9).all()
    assert score[-1] == pytest.approx(0.9 * (1 - largest), abs=1e-4)
    assert at_pivot == pytest.approx(0.9 * (1 - error * largest), abs=2e-3)
    assert np.isfinite(slopes).all()


@given(st.floats(0.3, 1.0), st.floats(0.5, 2.0), st.floats(0.3, 10.0), st.floats(1.5, 4.0))
def test_ladder_is_the_sigmoid_of_its_paper(
    ceiling: float, middle: float, rate: float, pivot: float
) -> None:
    with jax.enable_x64(True):
        score = np.asarray(
            ladder_2step(LOSS, pivot, 0.25, 0.95, ceiling=ceiling, middle=middle, rate=rate)
        )
    expected = 0.25 + 0.7 * ceiling / (1 + np.exp(rate * (LOSS - middle * pivot)))
    np.testing.assert_allclose(score, expected, rtol=1e-9)
