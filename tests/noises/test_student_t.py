"""Student-t noise: its variance is the sum of what the docstring names."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bayescale.noises.student_t import student_t

NAN = float("nan")


def noise(
    expected: float, items: float, resolution: float, stderr: float, spread: float, degrees: float
) -> object:
    return student_t(
        np.float64(expected), items, resolution, stderr, spread=spread, degrees=degrees
    )


@given(
    st.floats(0.01, 0.99),
    st.floats(50, 1e5),
    st.sampled_from([0.0, 0.001, 0.01]),
    st.floats(1e-3, 0.1),
    st.floats(0.5, 50.0),
    st.floats(0.0, 1.0),
)
def test_density_is_scipys_t_with_the_summed_variance(
    p: float, items: float, step: float, spread: float, degrees: float, y: float
) -> None:
    scale = np.sqrt(p * (1 - p) / items + step**2 / 12 + spread**2)
    with jax.enable_x64(True):
        found = float(noise(p, items, step, NAN, spread, degrees).log_prob(y))
    assert found == pytest.approx(stats.t(2 + degrees, p, scale).logpdf(y), rel=1e-9, abs=1e-9)


def test_published_stderr_replaces_the_binomial_one_where_there_is_one() -> None:
    with jax.enable_x64(True):
        measured = student_t(
            np.array([0.5, 0.5]), 100.0, 0.0, np.array([0.02, NAN]), spread=0.03, degrees=4.0
        )
        scale = np.asarray(measured.scale)
    assert scale == pytest.approx(np.sqrt([0.02**2 + 0.03**2, 0.25 / 100 + 0.03**2]))


def test_unknown_item_count_adds_no_binomial_variance() -> None:
    with jax.enable_x64(True):
        assert float(noise(0.5, np.inf, 0.0, NAN, 0.03, 4.0).scale) == pytest.approx(0.03)
        assert float(noise(0.5, np.inf, 0.06, NAN, 0.03, 4.0).scale) == pytest.approx(
            np.sqrt(0.03**2 + 0.06**2 / 12)
        )


def test_variance_is_finite_for_every_number_of_degrees() -> None:
    with jax.enable_x64(True):
        for degrees in (1e-3, 1.0, 1e3):
            assert np.isfinite(float(noise(0.5, 100.0, 0.0, NAN, 0.03, degrees).variance))
