"""Scores against closed forms, brute force and the properties that define them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import norm

from bayescale.backtesting import scores

finite = st.floats(-5.0, 5.0, allow_nan=False, width=32)


def gaussian_crps(mean: float, sd: float, observed: np.ndarray) -> np.ndarray:
    z = (observed - mean) / sd
    result: np.ndarray = sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - np.pi**-0.5)
    return result


def test_crps_of_gaussian_draws_is_the_closed_form() -> None:
    n = 20_000
    quantiles = norm.ppf((np.arange(n) + 0.5) / n, loc=0.3, scale=0.2)
    observed = np.array([-1.0, 0.1, 0.3, 0.8])
    draws = np.repeat(quantiles[::-1, None], len(observed), axis=1)
    np.testing.assert_allclose(
        scores.crps(draws, observed), gaussian_crps(0.3, 0.2, observed), rtol=2e-4
    )


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=finite), finite)
def test_crps_is_the_double_sum_of_its_definition(draws: np.ndarray, y: float) -> None:
    observed = np.array([y, draws[0, 1]])
    spread = np.abs(draws[:, None, :] - draws[None, :, :]).mean(axis=(0, 1)) / 2
    expected = np.abs(draws - observed).mean(axis=0) - spread
    got = scores.crps(draws, observed)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert (got > -1e-12).all()


@given(finite, finite)
def test_crps_of_one_draw_is_the_absolute_error(x: float, y: float) -> None:
    np.testing.assert_allclose(scores.crps([[x]], [y]), scores.absolute_error([x], [y]), atol=1e-12)


@settings(deadline=None)
@given(hnp.arrays(np.float64, (7, 3), elements=finite), st.floats(0.1, 10.0), finite)
def test_crps_scales_with_the_unit_and_ignores_shifts(
    draws: np.ndarray, scale: float, shift: float
) -> None:
    observed = np.array([0.0, 0.5, -1.0])
    np.testing.assert_allclose(
        scores.crps(draws * scale + shift, observed * scale + shift),
        scale * scores.crps(draws, observed),
        atol=1e-9,
    )


def test_interval_score_of_known_cases() -> None:
    got = scores.interval_score([0.2] * 3, [0.6] * 3, [0.5, 0.1, 0.7], level=0.9)
    np.testing.assert_allclose(got, [0.4, 0.4 + 20 * 0.1, 0.4 + 20 * 0.1])


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_interval_score_is_least_for_the_central_interval(level: float) -> None:
    """A proper score: no other interval has a smaller expected value under a standard normal."""
    y = norm.ppf((np.arange(4000) + 0.5) / 4000)
    high = norm.ppf(0.5 + level / 2)
    best = scores.interval_score(-high, high, y, level).mean()
    for low_shift, high_shift in [(-0.3, 0.0), (0.3, 0.0), (0.0, 0.3), (0.2, -0.2), (0.1, 0.1)]:
        other = scores.interval_score(-high + low_shift, high + high_shift, y, level).mean()
        assert other > best


@pytest.mark.parametrize("level", [0.0, 1.0, 90.0])
def test_interval_score_refuses_a_level_that_is_no_probability(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        scores.interval_score([0.0], [1.0], [0.5], level)


def test_coverage_counts_both_ends() -> None:
    got = scores.coverage([0.0] * 5, [1.0] * 5, [-0.1, 0.0, 0.5, 1.0, 1.1])
    np.testing.assert_array_equal(got, [0, 1, 1, 1, 0])


def test_log_score_averages_densities_not_logs_and_does_not_underflow() -> None:
    density = np.array([[0.2, 1.0], [0.6, 3.0]])
    np.testing.assert_allclose(scores.log_score(np.log(density)), np.log([0.4, 2.0]))
    np.testing.assert_allclose(scores.log_score([[-2000.0], [-2000.0]]), [-2000.0])


def test_log_score_refuses_what_is_not_draws_by_rows() -> None:
    with pytest.raises(ValueError, match=r"\(draw, row\)"):
        scores.log_score([0.0, 1.0])


def test_two_level_mean_gives_each_group_the_same_weight() -> None:
    assert scores.two_level_mean([1, 1, 1, 5], ["a", "a", "a", "b"]) == pytest.approx(3.0)


@given(st.lists(st.tuples(st.sampled_from("abcd"), finite), min_size=1, max_size=20))
def test_two_level_mean_matches_a_loop(rows: list[tuple[str, float]]) -> None:
    groups = sorted({g for g, _ in rows})
    expected = np.mean([np.mean([v for g, v in rows if g == group]) for group in groups])
    got = scores.two_level_mean([v for _, v in rows], [g for g, _ in rows])
    assert got == pytest.approx(expected, abs=1e-9)


def test_cluster_bootstrap_of_equal_clusters_is_the_error_over_cluster_means() -> None:
    rng = np.random.default_rng(3)
    family_means = rng.normal(size=40)
    values = np.repeat(family_means, 25)
    clusters = np.repeat(np.arange(40), 25)
    mean, se = scores.cluster_bootstrap(values, clusters, seed=0, n=20_000)
    assert mean == pytest.approx(family_means.mean())
    # Over rows the error would be five times smaller: rows of a family carry no new evidence.
    assert se == pytest.approx(family_means.std() / np.sqrt(40), rel=0.03)


def test_cluster_bootstrap_matches_an_explicit_resampling() -> None:
    rng = np.random.default_rng(1)
    clusters = np.array(list("aabbbbcdddee"))
    values = 3.0 + rng.normal(size=clusters.size)  # far from 0: sizes of clusters matter
    groups = [values[clusters == c] for c in np.unique(clusters)]
    pooled, by_family = [], []
    for _ in range(8000):
        picked = [groups[i] for i in rng.integers(len(groups), size=len(groups))]
        pooled.append(np.concatenate(picked).mean())
        by_family.append(np.mean([g.mean() for g in picked]))
    mean, se = scores.cluster_bootstrap(values, clusters, seed=0, n=8000)
    assert mean == pytest.approx(values.mean())
    assert se == pytest.approx(np.std(pooled), rel=0.05)
    mean, se = scores.cluster_bootstrap(values, clusters, "two-level mean", seed=0, n=8000)
    assert mean == pytest.approx(scores.two_level_mean(values, clusters))
    assert se == pytest.approx(np.std(by_family), rel=0.05)


def test_cluster_bootstrap_repeats_with_its_seed_and_admits_one_cluster_says_nothing() -> None:
    values, clusters = [0.1, 0.7, 0.4], ["a", "b", "c"]
    first = scores.cluster_bootstrap(values, clusters, seed=5)
    assert first == scores.cluster_bootstrap(values, clusters, seed=5)
    assert first[1] != scores.cluster_bootstrap(values, clusters, seed=6)[1]
    mean, se = scores.cluster_bootstrap(values, ["a", "a", "a"], seed=5)
    assert mean == pytest.approx(0.4)
    assert np.isnan(se)


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="draws"):
        scores.crps([[0.0, 1.0]], [0.0])
    with pytest.raises(ValueError, match="group"):
        scores.two_level_mean([1.0, 2.0], ["a"])
