"""The density against an independent implementation, and what it must not depend on."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest
from numpyro.handlers import seed, substitute, trace
from numpyro.infer.util import log_density
from scipy import stats

from bayescale.models.cards import load_model, model_from_card
from bayescale.models.density import density, distribution
from bayescale.models.evaluate import evaluate
from bayescale.models.grid import Grid
from bayescale.models.lay_out import lay_out
from bayescale.models.model import Model
from bayescale.models.simulate import simulate
from bayescale.tables.table import Table
from tests.kit import by_hand
from tests.kit.by_hand import COMPUTE, SKILLS, Sites, at

DRAWS = 20
ONCE = {"xla_backend_optimization_level": 0}  # compiled in half the time, to run a few times


@cache
def read(card: str) -> Model:
    return model_from_card(card)


def normal(value: Any, location: Any, scale: Any) -> float:
    """Log density of independent Gaussians, from scipy."""
    return float(stats.norm(location, scale).logpdf(value).sum())


def prior_draws(model: Model, grid: Grid) -> tuple[Sites, Any]:
    return simulate(model, grid, draws=DRAWS, seed=5)


@pytest.mark.parametrize(
    ("card", "expected"), [(COMPUTE, by_hand.compute), (SKILLS, by_hand.skills)]
)
def test_expected_scores_equal_an_implementation_by_hand(
    card: str, expected: Any, small_table: Table
) -> None:
    model = read(card)
    grid = lay_out(model, small_table)
    assert len(grid.unknown) == 1
    sites, grids = prior_draws(model, grid)
    for draw in range(DRAWS):
        np.testing.assert_allclose(
            grids["expected"][draw], expected(grid, at(sites, draw)), rtol=1e-7, atol=1e-9
        )


def test_log_density_equals_scipys_prior_plus_likelihood(small_table: Table) -> None:
    model = read(COMPUTE)
    grid = lay_out(model, small_table)
    sites, _ = prior_draws(model, grid)
    priors = {c.name: c.prior for c in model.coefficients}

    found, expected = [], []
    with jax.enable_x64(True):
        compiled = jax.jit(
            lambda s: log_density(density, (model, grid), {}, s)[0], compiler_options=ONCE
        )
        for draw in range(8):
            s = at(sites, draw)
            found.append(float(compiled(s)))
            total = sum(normal(s[name], p.location, p.scale) for name, p in priors.items())
            total += normal(s["tokens_unknown"], 0, 1)
            total += normal(s["intercept_family_spread"], np.log(0.7), np.log(2))
            centre = by_hand.compute_prior_centre(grid, s)
            total += normal(s["intercept_family"], centre, np.exp(s["intercept_family_spread"]))
            p = by_hand.compute(grid, s)
            scale = by_hand.noise_scale(grid, s, p)
            rows = stats.t(2 + np.exp(s["degrees"]), p, scale).logpdf(grid.scores)
            expected.append(total + rows[grid.weights > 0].sum())
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("group", ["other", "benchmark"])
def test_log_density_of_correlated_families_runs_and_pooled_noise(
    group: str, small_table: Table
) -> None:
    model = read(SKILLS.replace("other = ", f"{group} = "))
    grid = lay_out(model, small_table)
    sites, _ = prior_draws(model, grid)
    spreads = {  # median and factor of each group's spread, as in the card
        "intercept_family": (1.0, 1.65),
        "intercept_run": (0.22, 2.0),
        "size_family": (0.14, 2.0),
        "difficulty_family": (0.22, 2.0),
        f"spread_{group}": (0.4, 1.5),
    }

    found, expected = [], []
    with jax.enable_x64(True):
        compiled = jax.jit(
            lambda s: log_density(density, (model, grid), {}, s)[0], compiler_options=ONCE
        )
        for draw in range(8):
            s = at(sites, draw)
            found.append(float(compiled(s)))
            total = normal(s["tokens_unknown"], 0, 1)
            total += sum(
                normal(s[c.name], c.prior.location, c.prior.scale) for c in model.coefficients
            )
            centres = by_hand.skills_prior_centres(grid, s)
            centres |= {"size_family": s["size"], f"spread_{group}": s["spread"]}
            for name, (median, factor) in spreads.items():
                spread = s[f"{name}_spread"]
                total += normal(spread, np.log(median), np.log(factor))
                if name != "intercept_family":
                    total += normal(s[name], centres[name], np.exp(spread))
            factor = s["intercept_family_corr"]
            correlation = factor @ factor.T
            total += np.log(0.75 * (1 - correlation[0, 1] ** 2))  # LKJ(2) of two skills
            spread = np.exp(s["intercept_family_spread"])
            families = stats.multivariate_normal(cov=correlation * np.outer(spread, spread))
            total += families.logpdf(s["intercept_family"] - centres["intercept_family"]).sum()
            p = by_hand.skills(grid, s)
            noise = np.full(grid.benchmarks, s["spread"])  # an anchor's own, over the others
            noise[list(grid.others) if group == "other" else slice(None)] = s[f"spread_{group}"]
            scale = by_hand.noise_scale(grid, {"spread": noise}, p)
            rows = stats.t(2 + np.exp(s["degrees"]), p, scale).logpdf(grid.scores)
            expected.append(total + rows[grid.weights > 0].sum())
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["compute", "skills"])
def test_scores_of_weight_zero_do_not_matter_and_gradients_are_finite(
    name: str, small_table: Table
) -> None:
    model = load_model(name)
    grid = lay_out(model, small_table)
    rng = np.random.default_rng(0)
    held = rng.random(grid.weights.shape) < 0.3
    grid = grid.with_weights(np.where(held, 0.0, grid.weights))
    sites, _ = prior_draws(model, grid)
    with jax.enable_x64(True):
        compiled = jax.jit(
            jax.value_and_grad(lambda s, grid: log_density(density, (model, grid), {}, s)[0]),
            compiler_options=ONCE,
        )
        for draw in range(DRAWS):
            value, gradient = compiled(at(sites, draw), grid)
            assert np.isfinite(value)
            assert all(np.isfinite(g).all() for g in gradient.values())
            for nonsense in (np.nan, -7.0, 1e12):
                scores = np.where(held, nonsense, grid.scores)
                other = dataclasses.replace(grid, scores=scores)
                same, same_gradient = compiled(at(sites, draw), other)
                assert value == same
                for site, g in gradient.items():
                    np.testing.assert_array_equal(g, same_gradient[site], err_msg=site)
        seen = dataclasses.replace(grid, scores=grid.scores + 0.01 * ~held)
        assert compiled(at(sites, 0), seen)[0] != compiled(at(sites, 0), grid)[0]


def test_members_lie_around_the_law_at_their_own_place(small_table: Table) -> None:
    model = read(SKILLS)
    grid = lay_out(model, small_table)
    sites, _ = prior_draws(model, grid)
    for draw in range(DRAWS):
        s = at(sites, draw)
        with jax.enable_x64(True), seed(rng_seed=0), trace() as found, substitute(data=s):
            distribution(model, grid)
        for name, centre in by_hand.skills_prior_centres(grid, s).items():
            base = found[name]["fn"]
            while hasattr(base, "base_dist"):
                base = base.base_dist
            np.testing.assert_allclose(base.loc, centre, rtol=1e-7, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(
            found["size_family"]["fn"].mean, np.broadcast_to(s["size"], s["size_family"].shape)
        )


@pytest.mark.slow
def test_loadings_and_noise_may_differ_by_family(small_table: Table) -> None:
    """The runs of a family are then as in a model where all have that family's values."""
    pooled = ("loading", "degrees")
    rules = "".join(f"[pooling.{name}]\nfamily = {{ spread = [0.3, 2.0] }}\n" for name in pooled)
    model = read(SKILLS + rules)
    grid = lay_out(model, small_table)
    sites, grids = prior_draws(model, grid)
    density_of_scores = evaluate(model, grid, sites, seed=0).log_density
    for draw in range(DRAWS):
        s = at(sites, draw)
        for number in range(grid.counts("family")[1]):
            own = grid.groups["family"] == number
            of_family = s | {name: s[f"{name}_family"][number] for name in pooled}
            p = by_hand.skills(grid, of_family)
            np.testing.assert_allclose(grids["expected"][draw][own], p[own], rtol=1e-7, atol=1e-9)
            noise = np.full(grid.benchmarks, s["spread"])
            noise[list(grid.others)] = s["spread_other"]
            scale = by_hand.noise_scale(grid, {"spread": noise}, p)
            rows = stats.t(2 + np.exp(of_family["degrees"]), p, scale).logpdf(grid.scores)
            seen = own[:, None] & (grid.weights > 0)
            np.testing.assert_allclose(density_of_scores[draw][seen], rows[seen], rtol=1e-7)


def test_an_anchor_moves_with_its_own_skill_alone_and_up(small_table: Table) -> None:
    """So no order, sign or rotation of the skills gives the scores that another one gives."""
    model = read(SKILLS)
    grid = lay_out(model, small_table)
    s = at(prior_draws(model, grid)[0], 0)

    @jax.jit
    def expected(s: Sites) -> Any:
        with seed(rng_seed=0), substitute(data=s):
            return distribution(model, grid)[0].T

    with jax.enable_x64(True):
        before = np.asarray(expected(s))
        for skill, anchor in enumerate(grid.anchors):
            moved = s["intercept_run"].copy()
            moved[:, skill] += 0.3
            change = np.asarray(expected({**s, "intercept_run": moved})) - before
            assert (change[:, anchor] > 0).all()
            rest = [other for other in grid.anchors if other != anchor]
            np.testing.assert_array_equal(change[:, rest], 0)
