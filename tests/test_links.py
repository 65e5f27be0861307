"""The logistic link: what each coefficient moves, and what it leaves alone."""

from __future__ import annotations

import by_hand
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from bayescale.links.logistic import logistic

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


@given(PIVOTS, SHAPES)
def test_far_values_give_the_limits_and_finite_gradients(pivot: float, shape: float) -> None:
    highest = 0.25 + 0.75 * (expit(pivot) + (1 - expit(pivot)) * 0.9)
    assert link(-1e6, pivot, 0.25, 1.0, 0.9, shape) == pytest.approx(0.25)
    assert link(1e6, pivot, 0.25, 1.0, 0.9, shape) == pytest.approx(highest)
    with jax.enable_x64(True):
        gradient = jax.grad(
            lambda x, p, s: logistic(x, p, 0.25, 1.0, ceiling=0.9, shape=s), (0, 1, 2)
        )
        for latent in (-1e3, -40.0, 40.0, 1e3):
            assert np.isfinite(gradient(latent, pivot, shape)).all()
