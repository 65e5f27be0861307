"""Noises of laws against scipy's densities, and what neighbours on a curve share."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bayescale.noises.absolute import laplace
from bayescale.noises.counts import beta, beta_binomial
from bayescale.noises.log_scale import normal_log, student_t_log
from bayescale.noises.neighbours import ar1_log
from bayescale.noises.one_sided import gamma, lower_envelope
from bayescale.noises.plain import normal, student_t_plain

Y = np.array([[2.1, 2.4, 3.0, 2.2]])
MU = np.array([[2.0, 2.5, 2.9, 2.3]])
KNOWN = np.array([[np.nan, 0.1, np.nan, 0.02]])
QUIET = np.full_like(KNOWN, np.nan)


def logpdf(noise: Any, *inputs: Any, value: Any = Y, **coefficients: Any) -> Any:
    with jax.enable_x64(True):
        arrays = [jnp.asarray(x) for x in inputs]
        return np.asarray(noise(*arrays, **coefficients).log_prob(jnp.asarray(value)))


def test_log_noises_are_densities_of_the_value_itself() -> None:
    scale = np.sqrt(0.05**2 + (np.nan_to_num(KNOWN) / MU) ** 2)
    student = stats.t(4, np.log(MU), scale).logpdf(np.log(Y)) - np.log(Y)
    found = logpdf(student_t_log, MU, KNOWN, spread=0.05, degrees=3.0)
    np.testing.assert_allclose(found, student, rtol=1e-10)
    gauss = stats.lognorm(s=scale, scale=MU).logpdf(Y)
    np.testing.assert_allclose(logpdf(normal_log, MU, KNOWN, spread=0.05), gauss, rtol=1e-10)


def test_plain_noises_add_known_errors_in_quadrature() -> None:
    scale = np.sqrt(0.3**2 + np.nan_to_num(KNOWN) ** 2)
    found = logpdf(normal, -MU, KNOWN, value=-Y, spread=0.3)
    np.testing.assert_allclose(found, stats.norm(-MU, scale).logpdf(-Y), rtol=1e-10)
    found = logpdf(student_t_plain, MU, KNOWN, spread=0.3, degrees=2.0)
    np.testing.assert_allclose(found, stats.t(3, MU, scale).logpdf(Y), rtol=1e-10)


def test_absolute_noise_is_scipys_laplace() -> None:
    scale = np.sqrt(0.3**2 + np.nan_to_num(KNOWN) ** 2 / 2)
    found = logpdf(laplace, -MU, KNOWN, value=-Y, spread=0.3)
    np.testing.assert_allclose(found, stats.laplace(-MU, scale).logpdf(-Y), rtol=1e-10)


def test_counts_have_scipys_probabilities() -> None:
    share, items = np.array([[0.3, 0.8]]), np.array([[50.0]])
    value = np.array([[0.26, 0.9]])
    found = logpdf(beta, share, value=value, concentration=40.0)
    np.testing.assert_allclose(found, stats.beta(40 * share, 40 * (1 - share)).logpdf(value))
    assert np.isfinite(logpdf(beta, share, value=np.array([[0.0, 1.0]]), concentration=40.0)).all()
    found = logpdf(beta_binomial, share, items, value=value, concentration=40.0)
    expected = stats.betabinom(50, 40 * share, 40 * (1 - share)).logpmf(np.round(value * 50))
    np.testing.assert_allclose(found, expected + np.log(50), rtol=1e-7)


def test_a_count_of_very_many_items_has_the_density_of_its_share() -> None:
    share, value = np.array([[0.6]]), np.array([[0.61]])
    of_share = logpdf(beta, share, value=value, concentration=300.0)
    of_count = logpdf(beta_binomial, share, np.array([[1e6]]), value=value, concentration=300.0)
    np.testing.assert_allclose(of_count, of_share, atol=1e-3)


def test_one_sided_noises_have_scipys_densities() -> None:
    found = logpdf(gamma, MU, spread=0.2)
    np.testing.assert_allclose(found, stats.gamma(25, scale=MU / 25).logpdf(Y), rtol=1e-9)
    found = logpdf(lower_envelope, MU, spread=0.05, excess=0.1)
    expected = stats.exponnorm(0.1 / 0.05, np.log(MU), 0.05).logpdf(np.log(Y)) - np.log(Y)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_a_frontier_is_below_most_of_what_is_measured() -> None:
    with jax.enable_x64(True):
        noise = lower_envelope(jnp.full((1, 4000), 2.0), spread=0.01, excess=0.1)
        away = np.log(np.asarray(noise.sample(jax.random.PRNGKey(0)))) - np.log(2.0)
    assert away.mean() == pytest.approx(0.1, abs=0.01)
    assert away.std() == pytest.approx(np.hypot(0.01, 0.1), abs=0.01)


def test_neighbours_share_noise_by_how_near_they_are() -> None:
    previous, gap = np.array([[-1, 0, 1, -1]]), np.array([[0.0, 0.5, 2.0, 0.0]])
    rho = np.array([0.0, np.exp(-0.5), np.exp(-2.0), 0.0])
    away = np.log(Y[0]) - np.log(MU[0])
    carried = rho * away[[0, 0, 1, 0]]
    law = stats.t(4, np.log(MU[0]) + carried, 0.1 * np.sqrt(1 - rho**2))
    found = logpdf(ar1_log, MU, previous, gap, spread=0.1, memory=1.0, degrees=3.0)
    np.testing.assert_allclose(found[0], law.logpdf(np.log(Y[0])) - np.log(Y[0]), rtol=1e-9)


def test_neighbours_far_apart_share_nothing() -> None:
    previous, gap = np.array([[-1, 0, 1, 2]]), np.full((1, 4), 50.0)
    alone = logpdf(student_t_log, MU, QUIET, spread=0.1, degrees=3.0)
    found = logpdf(ar1_log, MU, previous, gap, spread=0.1, memory=1.0, degrees=3.0)
    np.testing.assert_allclose(found, alone, rtol=1e-9)
