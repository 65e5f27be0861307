"""What a fit holds, and its log likelihood against a direct evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import bayescale
from bayescale.base.errors import FitError, ModelError
from bayescale.fits import Fit
from bayescale.inference.diagnostics import Verdict
from bayescale.inference.labels import site_groups
from bayescale.models.lay_out import lay_out
from bayescale.tables.table import Table
from tests.kit import by_hand


def test_a_fit_holds_what_it_was_made_of(tiny_fit: Fit, tiny_table: Table) -> None:
    assert tiny_fit.table is tiny_table
    assert (tiny_fit.model.name, tiny_fit.seed) == ("test-compute", 3)
    assert tiny_fit.posterior.sizes["chain"] == 2
    assert tiny_fit.posterior.sizes["draw"] == 100
    assert {"diverging", "energy"} <= set(tiny_fit.sample_stats)
    assert {"python", "jax", "numpyro", "bayescale"} <= set(tiny_fit.versions)
    assert all(seconds > 0 for seconds in tiny_fit.seconds.values())
    assert "'test-compute'" in repr(tiny_fit)
    assert list(tiny_fit.posterior["intercept_family"].coords["family"]) == list(
        tiny_table.families
    )


def test_sites_join_the_chains_one_after_the_other(tiny_fit: Fit) -> None:
    joined = tiny_fit.sites()["slope"]
    np.testing.assert_array_equal(joined[100], tiny_fit.posterior["slope"].to_numpy()[1, 0])
    assert joined.shape == (200, 2)


def test_a_site_without_elements_is_joined_too(tiny_fit: Fit) -> None:
    nothing = tiny_fit.posterior["slope"].isel(benchmark=slice(0))
    fit = replace(tiny_fit, posterior=nothing.to_dataset(name="difficulty"))
    assert fit.sites()["difficulty"].shape == (200, 0)


def test_coefficients_are_quantiles_in_natural_units(tiny_fit: Fit) -> None:
    frame = tiny_fit.coefficients(interval=0.8).set_index(["coefficient", "of"])
    draws = np.exp(tiny_fit.sites()["spread"][:, 1].astype(float))
    row = frame.loc[("spread", "HellaSwag")]
    assert row[["lower_0.8", "median", "upper_0.8"]].to_list() == pytest.approx(
        list(np.quantile(draws, [0.1, 0.5, 0.9]))
    )
    ceilings = frame.loc["ceiling", ["lower_0.8", "upper_0.8"]].to_numpy(float)
    assert ((ceilings > 0) & (ceilings < 1)).all()
    assert set(frame.index.get_level_values(0)) == {c.name for c in tiny_fit.model.coefficients}
    assert frame.index.is_unique


def test_skills_have_names_in_the_posterior(small_fit: Fit) -> None:
    posterior = small_fit.posterior
    skills = list(small_fit.model.anchors(small_fit.table))
    assert list(posterior["skill"].to_numpy()) == skills
    assert posterior["intercept_family"].dims[:4] == ("chain", "draw", "family", "skill")
    assert posterior["loading"].dims == ("chain", "draw", "other", "skill")
    assert list(posterior["other"].to_numpy()) == ["ARC", "Winogrande"]
    groups = site_groups(small_fit.model)
    assert groups["intercept_family"] == "group"
    assert "loading" not in groups
    frame = small_fit.coefficients()
    assert "ARC, knowledge" in set(frame.loc[frame["coefficient"] == "loading", "of"])


def test_bigger_models_score_more_and_the_fit_says_so(small_fit: Fit) -> None:
    size = small_fit.coefficients().set_index(["coefficient", "of"]).loc["size", "median"]
    assert (size > 0).all()


def test_summary_judges_every_site(small_fit: Fit) -> None:
    found = small_fit.summary()
    assert found is small_fit.summary()
    assert (found.chains, found.draws) == (2, 100)
    # 200 draws are never enough for the reported intervals.
    assert found.verdict is not Verdict.GOOD
    assert set(found.frame.index) <= set(small_fit.posterior.data_vars)


def test_log_likelihood_equals_scipys(tiny_fit: Fit) -> None:
    found = tiny_fit.log_likelihood()
    rows = tiny_fit.observations()
    assert found.dims == ("chain", "draw", "row")
    assert found.shape == (2, 100, len(rows))
    assert list(rows.columns) == ["run", "family", "benchmark", "score"]
    grid = lay_out(tiny_fit.model, tiny_fit.table)
    runs, marks = list(tiny_fit.table.runs.index), list(tiny_fit.table.benchmarks.index)
    at = [runs.index(r) for r in rows["run"]], [marks.index(b) for b in rows["benchmark"]]
    for chain, draw in ((0, 0), (1, 37)):
        index = 100 * chain + draw
        s = by_hand.at(tiny_fit.sites(), index)
        p = by_hand.compute(grid, s)
        noise = stats.t(2 + np.exp(s["degrees"]), p, by_hand.noise_scale(grid, s, p))
        expected = noise.logpdf(grid.scores)[at]
        np.testing.assert_allclose(found[chain, draw], expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"chains": 0}, "chains must be at least 1; given: 0"),
        ({"warmup": 10}, "warmup must be at least"),
        ({"draws": 0}, "draws must be at least"),
    ],
)
def test_lengths_that_make_no_sense_are_refused_at_once(
    wrong: dict[str, int], said: str, tiny_table: Table
) -> None:
    with pytest.raises(FitError, match=said):
        bayescale.fit("compute", tiny_table, **wrong)


def test_an_unknown_model_is_refused_before_any_work(tiny_table: Table) -> None:
    with pytest.raises(ModelError, match="no model is called 'comput'"):
        bayescale.fit("comput", tiny_table)
