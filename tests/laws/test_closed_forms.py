"""Laws are plain functions: their values are the closed forms of their papers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.laws.leaderboard import compute, observational, skills

RATIO = st.floats(1e-3, 1e3)
VALUE = st.floats(-2.0, 2.0)


@given(RATIO, RATIO, VALUE, VALUE, VALUE, VALUE)
def test_skills_closed_form(
    n: float, d: float, intercept: float, size: float, data: float, interaction: float
) -> None:
    found = skills(n, d, intercept=intercept, size=size, data=data, interaction=interaction)
    x, y = np.log(n), np.log(d)
    expected = intercept + size * x + data * y + interaction * x * y
    assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-3)


@given(RATIO, VALUE, VALUE)
def test_compute_and_observational_closed_forms(c: float, intercept: float, slope: float) -> None:
    expected = pytest.approx(intercept + slope * np.log(c), rel=1e-5, abs=1e-4)
    assert float(compute(c, intercept=intercept, slope=slope)) == expected
    assert float(observational(c, intercept=intercept, efficiency=slope)) == expected


def test_at_the_reference_run_every_law_is_its_intercept() -> None:
    assert float(skills(1.0, 1.0, intercept=0.7, size=9.0, data=8.0, interaction=7.0)) == (
        pytest.approx(0.7)
    )
    assert float(compute(1.0, intercept=-0.4, slope=5.0)) == pytest.approx(-0.4)


def test_runs_and_skills_broadcast() -> None:
    runs, per_skill = np.array([[0.1], [1.0], [10.0]]), np.array([0.5, -0.5])
    found = skills(runs, runs, intercept=per_skill, size=per_skill, data=0.0, interaction=0.0)
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, per_skill * (1 + np.log(runs)), rtol=1e-5)
