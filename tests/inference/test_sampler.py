"""The sampler: known answers, NumPyro's own driver, seeds, and JAX's flags."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer import MCMC, NUTS

import bayescale
from bayescale.fits import Fit
from bayescale.inference.diagnostics import stats
from bayescale.inference.sampler import Draws, Program, _dense_metric, compile_program, sample
from bayescale.models.cards import model_from_card
from bayescale.models.density import density
from bayescale.models.design import Design
from bayescale.models.lay_out import lay_out
from bayescale.models.model import Model
from bayescale.tables.table import Table
from tests.kit.by_hand import COMPUTE

CHAINS, DRAWS = 2, 600


@pytest.fixture(scope="module")
def model() -> Model:
    return model_from_card(COMPUTE)


@pytest.fixture(scope="module")
def design(model: Model, tiny_table: Table) -> Design:
    return lay_out(model, tiny_table)


@pytest.fixture(scope="module")
def program(model: Model, design: Design) -> Program:
    with jax.enable_x64(True):
        return compile_program(model, design)


def run(program: Program, design: Design, seed: int, **given: Any) -> Draws:
    with jax.enable_x64(True):
        return sample(
            program, design, seed=seed, **{"chains": CHAINS, "windows": 4, "draws": DRAWS, **given}
        )


@pytest.fixture(scope="module")
def drawn(program: Program, design: Design) -> Draws:
    return run(program, design, 1)


def same(a: Draws, b: Draws) -> bool:
    return all(np.array_equal(a.sites[name], b.sites[name]) for name in a.sites)


def test_draws_are_chain_by_draw_in_float64_with_the_samplers_record(
    drawn: Draws, design: Design
) -> None:
    assert drawn.sites["intercept"].shape == (CHAINS, DRAWS, 2)
    assert drawn.sites["intercept_family"].shape == (CHAINS, DRAWS, design.families, 2)
    for name, values in drawn.sites.items():
        assert values.dtype == np.float64, name
        assert np.isfinite(values).all(), name
    for values in drawn.stats.values():
        assert values.shape == (CHAINS, DRAWS)
    assert drawn.stats["diverging"].mean() < 0.05
    assert 0.5 < drawn.stats["accept_prob"].mean() < 0.9
    assert not np.array_equal(drawn.sites["slope"][0], drawn.sites["slope"][1])


def test_one_seed_gives_the_same_draws_and_another_seed_others(
    program: Program, design: Design
) -> None:
    short = {"windows": 2, "draws": 20}
    first = run(program, design, 7, **short)
    assert same(first, run(program, design, 7, **short))
    assert not same(first, run(program, design, 8, **short))


def test_without_data_the_draws_are_the_prior(
    model: Model, program: Program, design: Design
) -> None:
    free = design.with_weights(np.zeros_like(design.weights))
    found = run(program, free, 2)
    for c in model.coefficients:
        values = found.sites[c.name].reshape(CHAINS, DRAWS, -1)
        for i in range(values.shape[-1]):
            x = values[..., i]
            error = c.prior.scale / np.sqrt(stats.ess(x))
            assert abs(x.mean() - c.prior.location) < 4.5 * error, c.name
            assert x.std() == pytest.approx(c.prior.scale, rel=0.15), c.name


def test_starts_continue_where_sampling_ended(
    program: Program, design: Design, drawn: Draws
) -> None:
    again = run(program, design, 3, windows=1, draws=50, start=drawn.end)
    whole = drawn.sites["intercept"]
    middle, sd = whole.mean(axis=(0, 1)), whole.std(axis=(0, 1))
    assert (np.abs(again.sites["intercept"].mean(axis=(0, 1)) - middle) < 2 * sd).all()
    assert len(drawn.end.positions) == CHAINS


def test_chains_go_on_from_their_end_without_adapting(
    program: Program, design: Design, drawn: Draws
) -> None:
    more = run(program, design, 2, windows=0, draws=70, start=drawn.end)
    assert more.end.step_size == drawn.end.step_size
    np.testing.assert_array_equal(more.end.metric, drawn.end.metric)
    whole = drawn.then(more)
    assert whole.sites["intercept"].shape[:2] == (CHAINS, DRAWS + 70)
    assert whole.stats["energy"].shape == (CHAINS, DRAWS + 70)
    last, first = (x.sites["intercept"] for x in (drawn, more))
    jump = np.abs(first[:, 0] - last[:, -1]).mean()
    assert jump < 5 * np.abs(np.diff(last, axis=1)).mean()


@pytest.mark.slow
def test_means_and_quantiles_agree_with_numpyros_own_driver(
    model: Model, design: Design, program: Program
) -> None:
    mine = run(program, design, 4, draws=1500).sites
    with jax.enable_x64(True):
        mcmc = MCMC(
            NUTS(density),
            num_warmup=600,
            num_samples=1500,
            num_chains=CHAINS,
            progress_bar=False,
            chain_method="sequential",
        )
        mcmc.run(jax.random.PRNGKey(0), model, design)
        theirs = {k: np.asarray(v) for k, v in mcmc.get_samples(group_by_chain=True).items()}
    assert set(mine) == set(theirs)
    for name in mine:
        a, b = (x[name].reshape(CHAINS, 1500, -1) for x in (mine, theirs))
        for i in range(a.shape[-1]):
            x, y = a[..., i], b[..., i]
            error = np.hypot(x.std() / np.sqrt(stats.ess(x)), y.std() / np.sqrt(stats.ess(y)))
            assert abs(x.mean() - y.mean()) < 5 * error, (name, i)
            # Quantiles, not a standard deviation: the tails of a family's level make that one
            # jump between runs of either driver.
            for prob in (0.05, 0.25, 0.75, 0.95):
                error = np.hypot(*(stats.mcse(z, method="quantile", prob=prob) for z in (x, y)))
                apart = np.quantile(x, prob) - np.quantile(y, prob)
                assert abs(apart) < 5 * error, (name, i, prob)


def test_fit_and_predict_leave_jaxs_flags_alone(tiny_fit: Fit) -> None:
    tiny_fit.predict(params=7e9, tokens=2e12)
    assert jax.config.jax_enable_x64 is False
    assert jnp.ones(1).dtype == jnp.float32


def test_a_user_who_works_in_float64_gets_the_same_numbers(
    tiny_table: Table, tiny_fit: Fit
) -> None:
    query = {"family": "qwen2", "params": 7e9, "tokens": 2e12}
    expected = tiny_fit.predict(**query).draws
    jax.config.update("jax_enable_x64", True)
    try:
        again = bayescale.fit(
            tiny_fit.model, tiny_table, seed=3, chains=2, warmup=200, draws=100, progress=False
        )
        assert jnp.ones(1).dtype == jnp.float64
        for name, values in tiny_fit.sites().items():
            np.testing.assert_array_equal(again.sites()[name], values)
        np.testing.assert_array_equal(again.predict(**query).draws, expected)
    finally:
        jax.config.update("jax_enable_x64", False)


def test_a_gaussians_metric_is_its_covariance_from_few_draws() -> None:
    rng = np.random.default_rng(0)
    size = 30
    turned, _ = np.linalg.qr(rng.normal(size=(size, size)))
    covariance = (turned * np.geomspace(1e-4, 1.0, size)) @ turned.T
    draws = rng.multivariate_normal(np.zeros(size), covariance, size=4 * size)
    gradients = np.linalg.solve(covariance, draws.T).T
    found = np.asarray(_dense_metric(draws, gradients))
    # As wide as the Gaussian in every direction, the narrowest included.
    widths = np.linalg.eigvals(np.linalg.solve(covariance, found)).real
    assert widths.min() > 0.9
    assert widths.max() < 1.1
