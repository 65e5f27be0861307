"""The sampler: known answers, NumPyro's own driver, seeds, and JAX's flags."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer import MCMC, NUTS

import bayescale
from bayescale.base.errors import FitError
from bayescale.fits import Fit
from bayescale.inference.diagnostics import stats
from bayescale.inference.recipes import (
    BETWEEN,
    COVARIANCE,
    DENSE,
    DIAGONAL,
    Recipe,
    recipe_for,
)
from bayescale.inference.sampler import Draws, sample
from bayescale.inference.transition import WINDOW, Program, compile_program
from bayescale.models.cards import model_from_card
from bayescale.models.density import density
from bayescale.models.grid import Grid
from bayescale.models.lay_out import lay_out
from bayescale.models.model import Model
from bayescale.tables.table import Table
from tests.kit.by_hand import COMPUTE

CHAINS, DRAWS = 2, 600


@pytest.fixture(scope="module")
def model() -> Model:
    return model_from_card(COMPUTE)


@pytest.fixture(scope="module")
def grid(model: Model, tiny_table: Table) -> Grid:
    return lay_out(model, tiny_table)


@pytest.fixture(scope="module")
def program(model: Model, grid: Grid) -> Program:
    with jax.enable_x64(True):
        return compile_program(model, grid)


def run(program: Program, grid: Grid, seed: int, **given: Any) -> Draws:
    with jax.enable_x64(True):
        return sample(
            program, grid, seed=seed, **{"chains": CHAINS, "windows": 4, "draws": DRAWS, **given}
        )


@pytest.fixture(scope="module")
def drawn(program: Program, grid: Grid) -> Draws:
    return run(program, grid, 1)


def same(a: Draws, b: Draws) -> bool:
    return all(np.array_equal(a.sites[name], b.sites[name]) for name in a.sites)


def test_draws_are_chain_by_draw_in_float64_with_the_samplers_record(
    drawn: Draws, grid: Grid
) -> None:
    assert drawn.sites["intercept"].shape == (CHAINS, DRAWS, 2)
    assert drawn.sites["intercept_family"].shape == (CHAINS, DRAWS, grid.counts("family")[1], 2)
    for name, values in drawn.sites.items():
        assert values.dtype == np.float64, name
        assert np.isfinite(values).all(), name
    for values in drawn.stats.values():
        assert values.shape == (CHAINS, DRAWS)
    assert drawn.stats["diverging"].mean() < 0.05
    assert 0.5 < drawn.stats["accept_prob"].mean() < 0.9
    assert not np.array_equal(drawn.sites["slope"][0], drawn.sites["slope"][1])


def test_one_seed_gives_the_same_draws_and_another_seed_others(
    program: Program, grid: Grid
) -> None:
    short = {"windows": 2, "draws": 20}
    first = run(program, grid, 7, **short)
    assert same(first, run(program, grid, 7, **short))
    assert not same(first, run(program, grid, 8, **short))


def test_without_data_the_draws_are_the_prior(model: Model, program: Program, grid: Grid) -> None:
    free = grid.with_weights(np.zeros_like(grid.weights))
    found = run(program, free, 2)
    for c in model.coefficients:
        values = found.sites[c.name].reshape(CHAINS, DRAWS, -1)
        for i in range(values.shape[-1]):
            x = values[..., i]
            error = c.prior.scale / np.sqrt(stats.ess(x))
            assert abs(x.mean() - c.prior.location) < 4.5 * error, c.name
            assert x.std() == pytest.approx(c.prior.scale, rel=0.15), c.name


def test_starts_continue_where_sampling_ended(program: Program, grid: Grid, drawn: Draws) -> None:
    again = run(program, grid, 3, windows=1, draws=50, start=drawn.end)
    whole = drawn.sites["intercept"]
    middle, sd = whole.mean(axis=(0, 1)), whole.std(axis=(0, 1))
    assert (np.abs(again.sites["intercept"].mean(axis=(0, 1)) - middle) < 2 * sd).all()
    assert len(drawn.end.positions) == CHAINS


def test_chains_go_on_from_their_end_without_adapting(
    program: Program, grid: Grid, drawn: Draws
) -> None:
    more = run(program, grid, 2, windows=0, draws=70, start=drawn.end)
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
    model: Model, grid: Grid, program: Program
) -> None:
    mine = run(program, grid, 4, draws=1500).sites
    with jax.enable_x64(True):
        mcmc = MCMC(
            NUTS(density),
            num_warmup=600,
            num_samples=1500,
            num_chains=CHAINS,
            progress_bar=False,
            chain_method="sequential",
        )
        mcmc.run(jax.random.PRNGKey(0), model, grid)
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


# --- Recipes of the metric


def gaussian(covariance: Any, count: int) -> dict[str, Any]:
    """Give what a window would record of a Gaussian: draws, and gradients of the potential."""
    rng = np.random.default_rng(0)
    draws = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=count)
    return {"positions": draws, "gradients": np.linalg.solve(covariance, draws.T).T}


def narrow(size: int) -> Any:
    """Give a covariance whose widths span two orders of magnitude, along no axis."""
    turned, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(size, size)))
    return (turned * np.geomspace(1e-4, 1.0, size)) @ turned.T


def learned(recipe: Recipe, recorded: dict[str, Any]) -> Any:
    return recipe.learn(**{need: recorded[need] for need in recipe.needs})


def widths(covariance: Any, metric: Any) -> Any:
    """Give the metric's variances over the Gaussian's, one for each direction."""
    return np.linalg.eigvals(np.linalg.solve(covariance, metric)).real


def test_the_diagonal_recipe_is_exact_for_independent_elements_from_two_draws() -> None:
    variances = np.geomspace(1e-6, 1e3, 7)
    np.testing.assert_allclose(learned(DIAGONAL, gaussian(np.diag(variances), 2)), variances)


def test_the_covariance_recipe_shrinks_correlations_and_leaves_variances() -> None:
    recorded = gaussian(narrow(4), 12)
    draws = np.cov(recorded["positions"], rowvar=False)
    shrunk = np.where(np.eye(4, dtype=bool), draws, 12 / (12 + 4) * draws)
    np.testing.assert_allclose(learned(COVARIANCE, recorded), shrunk)


def test_the_covariance_recipe_tells_a_gaussians_covariance_from_many_draws() -> None:
    found = learned(COVARIANCE, gaussian(narrow(4), 400_000))
    np.testing.assert_allclose(widths(narrow(4), found), 1.0, rtol=0.05)


@pytest.mark.parametrize("recipe", [BETWEEN, DENSE])
def test_draws_and_gradients_tell_a_gaussians_covariance_from_few_draws(recipe: Recipe) -> None:
    # As wide as the Gaussian in every direction, the narrowest included.
    found = widths(narrow(30), learned(recipe, gaussian(narrow(30), 4 * 30)))
    assert found.min() > 0.9
    assert found.max() < 1.1


def test_the_dense_recipe_takes_the_draws_alone_from_twelve_for_each_unknown() -> None:
    few, many = (gaussian(narrow(5), count) for count in (59, 60))
    np.testing.assert_array_equal(learned(DENSE, few), learned(BETWEEN, few))
    np.testing.assert_array_equal(learned(DENSE, many), learned(COVARIANCE, many))


@pytest.mark.parametrize("recipe", [DIAGONAL, COVARIANCE, BETWEEN, DENSE])
def test_a_recipe_gives_the_shape_that_it_says(recipe: Recipe) -> None:
    found = learned(recipe, gaussian(narrow(3), 50))
    assert found.shape == ((3,) if recipe.provides == "diagonal" else (3, 3))
    assert found.shape == recipe.from_diagonal(np.ones(3)).shape


def test_only_laws_of_few_unknowns_learn_correlations() -> None:
    assert recipe_for(of_law=True, unknowns=64) is DENSE
    assert recipe_for(of_law=True, unknowns=65) is DIAGONAL
    assert recipe_for(of_law=True, unknowns=65, drifts=True) is DENSE
    assert recipe_for(of_law=False, unknowns=3) is DIAGONAL


def test_a_recipe_that_needs_what_no_window_records_is_refused_in_words(
    model: Model, grid: Grid
) -> None:
    def from_hessians(positions: Any, hessians: Any) -> Any:
        return positions.T @ hessians

    said = "needs hessians, which no window of adaptation records; a window records positions and"
    with jax.enable_x64(True), pytest.raises(FitError, match=said):
        compile_program(model, grid, Recipe(from_hessians, "dense"))


def test_another_recipe_is_a_function_handed_to_the_program(model: Model, grid: Grid) -> None:
    def variances(positions: Any) -> Any:
        seen.append(len(positions))
        return positions.var(axis=0)

    seen: list[int] = []
    with jax.enable_x64(True):
        program = compile_program(model, grid, Recipe(variances, "diagonal"))
    found = run(program, grid, 1, windows=3, draws=20)
    assert seen == [CHAINS * WINDOW] * 2
    assert all(np.isfinite(values).all() for values in found.sites.values())
