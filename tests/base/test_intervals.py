"""One rule for quantiles of draws, whatever is summarised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayescale as bs
from bayescale.base.errors import AskError, PredictError
from bayescale.base.intervals import check_interval, intervals, quantiles

DRAW = st.floats(-1e6, 1e6) | st.just(np.inf)
LEVEL = st.floats(0.001, 0.999)


def test_a_prediction_and_an_answer_of_one_fit_have_one_interval(tiny_fit: bs.Fit) -> None:
    query = {"family": tiny_fit.table.families[0], "params": 7e9, "tokens": 2e12}
    mark = tiny_fit.table.benchmarks.index[0]
    predicted = tiny_fit.predict(**query, benchmark=mark).frame.iloc[0]
    answer = tiny_fit.contributions(**query, benchmark=mark)
    total = answer.frame.iloc[-1]
    for end in ("median", "lower_0.9", "upper_0.9"):
        assert total[end] == intervals(answer.draws[:, -1], 0.9)[end]
        assert predicted[f"score_{end}"] == pytest.approx(total[end], rel=1e-12)


def test_finite_draws_are_interpolated() -> None:
    draws = np.array([[1.0, 4.0], [2.0, 8.0], [3.0, 6.0], [4.0, 2.0]])
    found = intervals(draws, 0.5, "score")
    assert list(found) == ["score_median", "score_lower_0.5", "score_upper_0.5"]
    np.testing.assert_allclose(found["score_median"], [2.5, 5.0])
    np.testing.assert_allclose(found["score_upper_0.5"], np.quantile(draws, 0.75, axis=0))


def test_nothing_lies_between_a_number_and_never() -> None:
    draws = np.array([1.0, 2.0, 3.0, np.inf])
    # The lowest amount that is enough in the asked share of draws.
    assert quantiles(draws, 0.75) == 3.0
    assert quantiles(draws, 0.76) == np.inf
    assert quantiles(draws, 0.5) == 2.5
    assert quantiles(np.array([1.0, np.inf]), [0.5, 0.6]).tolist() == [1.0, np.inf]
    assert quantiles(np.full(3, np.inf), 0.5) == np.inf


@given(st.lists(DRAW, min_size=1, max_size=30), LEVEL, LEVEL)
def test_quantiles_rise_and_infinite_draws_are_never_interpolated(
    draws: list[float], one: float, other: float
) -> None:
    low, high = quantiles(draws, sorted([one, other]))
    assert low <= high
    finite = [draw for draw in draws if np.isfinite(draw)]
    enough = len(finite) / len(draws)
    for level in (one, other):
        found = quantiles(draws, level)
        assert np.isinf(found) or min(finite) <= found <= max(finite)
        if not np.isclose(level, enough):
            assert np.isinf(found) == (level > enough)


@pytest.mark.parametrize("wrong", [0.0, 1.0, 90, np.nan, "0.9", None, True])
def test_what_is_no_probability_is_refused(wrong: object) -> None:
    with pytest.raises(PredictError, match="interval must"):
        check_interval(wrong)  # type: ignore[arg-type]
    with pytest.raises(AskError, match="width must"):
        check_interval(wrong, "width")  # type: ignore[arg-type]
