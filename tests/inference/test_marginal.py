"""A group's likelihood without its own effects: against closed form, quadrature and plain draws."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from bayescale.inference import marginal
from bayescale.inference import one_group as alone
from bayescale.inference.marginal import log_marginal
from bayescale.inference.one_group import only_group
from bayescale.models.cards import customise, model_of_law
from bayescale.models.evaluate import evaluate
from bayescale.models.grid import Grid
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.model import Model
from bayescale.tables.table import Table

if TYPE_CHECKING:
    from bayescale.fits import Fit

DRAWS = 20


def line_table() -> Table:
    """Points of three batches on a power law."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": np.geomspace(1.0, 30.0, 9), "batch": list("abcabcabc")})
    shift = frame["batch"].map({"a": 0.1, "b": -0.2, "c": 0.0})
    return Table.from_runs(
        frame.assign(loss=3 * frame["x"] ** -0.1 * np.exp(shift + 0.03 * rng.normal(size=9)))
    )


def line_model(table: Table) -> Model:
    return on_table(
        customise(
            model_of_law("power"),
            effects=["batch"],
            noise="normal-log",
            inputs={"x": "x"},
            drift="none",
        ),
        table,
    )


@pytest.fixture(scope="module")
def line() -> tuple[Model, Grid, dict[str, Any]]:
    """A model whose integrals have a closed form: shifts and noise are Normal on the log."""
    table = line_table()
    model = line_model(table)
    grid = lay_out(model, table)
    rng = np.random.default_rng(1)
    priors = {c.name: c.prior for c in model.coefficients}
    sites: dict[str, Any] = {
        name: prior.location + 0.3 * prior.scale * rng.normal(size=DRAWS)
        for name, prior in priors.items()
    }
    sites = {n: v[:, None] if n == "spread" else v for n, v in sites.items()}
    sites["effect_batch_spread"] = np.log(0.1) + 0.3 * rng.normal(size=DRAWS)
    sites["effect_batch"] = 0.1 * rng.normal(size=(DRAWS, 3))
    return model, grid, sites


def of_batch(grid: Grid, number: int) -> Any:
    return np.flatnonzero(np.asarray(grid.groups["batch"]) == number)


def test_a_shift_of_normal_noise_is_integrated_as_in_closed_form(line: Any) -> None:
    model, grid, sites = line
    runs = of_batch(grid, 1)
    found = log_marginal(model, grid, grid.weights, sites, [runs], seed=0)
    flat = {**sites, "effect_batch": np.zeros((DRAWS, 3))}
    mean = np.log(evaluate(model, grid, flat, seed=0).expected[:, runs, 0])
    log_y = np.log(np.asarray(grid.scores)[runs, 0])
    noise, shift = np.exp(sites["spread"][:, 0]), np.exp(sites["effect_batch_spread"])
    for s in range(DRAWS):
        covariance = shift[s] ** 2 + noise[s] ** 2 * np.eye(len(runs))
        exact = multivariate_normal.logpdf(log_y, mean[s], covariance) - log_y.sum()
        assert found.log_density[s, 0] == pytest.approx(exact, abs=0.03)
    assert (found.effective > 0.7 * marginal.SAMPLES).all()


def test_nothing_depends_on_padding_order_or_values_of_other_groups(line: Any) -> None:
    model, grid, sites = line
    runs = of_batch(grid, 0)
    plain = log_marginal(model, grid, grid.weights, sites, [runs], seed=0).log_density
    turned = log_marginal(model, grid, grid.weights, sites, [runs[::-1]], seed=0).log_density
    np.testing.assert_allclose(turned, plain, rtol=1e-9)
    scores = np.array(grid.scores)
    scores[np.setdiff1d(np.arange(grid.runs), runs)] = 77.0
    other = dataclasses.replace(grid, scores=scores)
    nonsense = log_marginal(model, other, grid.weights, sites, [runs], seed=0).log_density
    np.testing.assert_array_equal(nonsense, plain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alone, "padded", lambda count: 8 if count > 1 else count)
        padded = log_marginal(model, grid, grid.weights, sites, [runs], seed=0).log_density
    np.testing.assert_allclose(padded, plain, rtol=1e-9)


def test_members_with_weight_outside_the_group_stay_as_they_are(line: Any) -> None:
    """A part of a batch has no shift of its own: its likelihood is the pointwise one."""
    model, grid, sites = line
    runs = of_batch(grid, 2)[:2]
    found = log_marginal(model, grid, grid.weights, sites, [runs], seed=0)
    pointwise = evaluate(model, grid, sites, seed=0).log_density[:, runs, 0].sum(axis=1)
    np.testing.assert_allclose(found.log_density[:, 0], pointwise, rtol=1e-9)
    assert np.isinf(found.effective).all()
    # Unless the rest of it had no weight in the fit.
    weights = np.array(grid.weights)
    weights[of_batch(grid, 2)] = 0.0
    held = grid.with_weights(weights)
    new = log_marginal(model, held, grid.weights, sites, [runs], seed=0)
    assert np.isfinite(new.effective).all()
    assert (np.abs(new.log_density[:, 0] - pointwise) > 0.01).any()


@pytest.mark.slow
def test_an_outlier_with_two_modes_is_integrated_as_by_quadrature(line: Any) -> None:
    """Long tails: one point pulls the shift one way, another point the other way."""
    table = line_table()
    model = on_table(
        customise(
            model_of_law("power"), effects=["batch"], noise="student-t-log", inputs={"x": "x"}
        ),
        table,
    )
    grid = lay_out(model, table)
    scores = np.array(grid.scores)
    runs = of_batch(grid, 0)[:2]
    scores[runs] *= np.exp([[0.3], [-0.25]])
    weights = np.zeros_like(grid.weights)
    weights[runs] = 1.0
    grid = dataclasses.replace(grid, scores=scores).with_weights(weights)
    sites = dict(line[2])
    sites["spread"] = np.full((DRAWS, 1), np.log(0.02))
    sites["degrees"] = np.full(DRAWS, np.log(1.0))
    sites["effect_batch_spread"] = np.full(DRAWS, np.log(0.2))
    found = log_marginal(model, grid, weights, sites, [runs], seed=0)
    at = np.linspace(-1.2, 1.2, 4001)
    for s in range(3):
        one = {name: np.repeat(values[[s]], len(at), axis=0) for name, values in sites.items()}
        one["effect_batch"] = np.repeat(at[:, None], 3, axis=1)
        log_lik = evaluate(model, grid, one, seed=0).log_density[:, runs, 0].sum(axis=1)
        exact = logsumexp(log_lik + norm.logpdf(at, 0, 0.2)) + np.log(at[1] - at[0])
        assert found.log_density[s, 0] == pytest.approx(exact, abs=0.15)


def new_sites(fit: Fit, part: Any, known: dict[str, Any]) -> dict[str, Any]:
    one = {name: values[0] for name, values in known.items()}
    found = marginal._new_sites(fit.model, part, one)
    assert "intercept_run_new" in found
    return found


@pytest.mark.slow
@pytest.mark.parametrize("left_out", ["family", "run"])
def test_two_scores_are_integrated_as_by_plain_draws_of_new_members(
    small_fit: Fit, left_out: str
) -> None:
    """The mean likelihood over many families, or runs of a known one, from the population."""
    fit = small_fit
    grid = lay_out(fit.model, fit.table)
    run = int(np.flatnonzero(np.asarray(grid.groups["family"]) == 2)[0])
    observed = np.zeros_like(grid.weights)
    observed[run, :2] = 1.0
    weights = np.array(grid.weights)
    weights[np.asarray(grid.groups["family"]) == 2 if left_out == "family" else run] = 0.0
    sites = {name: values[::40] for name, values in fit.sites().items()}
    found = log_marginal(
        fit.model, grid.with_weights(weights), observed, sites, [np.array([run])], seed=0
    )
    part = only_group(grid.with_weights(weights), observed, np.array([run]))
    known = marginal._known_sites(fit.model, part, sites)
    assert ("intercept_family_new" in new_sites(fit, part, known)) == (left_out == "family")
    count = 20_000
    for s in range(len(found.log_density)):
        many = {name: np.repeat(values[[s]], count, axis=0) for name, values in known.items()}
        log_lik = (evaluate(fit.model, part, many, seed=s).log_density * part.weights).sum((1, 2))
        likelihood = np.exp(log_lik - log_lik.max())
        error = likelihood.std() / likelihood.mean() / np.sqrt(count)
        plain = logsumexp(log_lik) - np.log(count)
        ours = 1 / np.sqrt(found.effective[s, 0])
        assert found.log_density[s, 0] == pytest.approx(plain, abs=4 * np.hypot(error, ours))
