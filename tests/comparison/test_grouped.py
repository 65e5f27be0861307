"""Groups of scores left out together, on short real fits and against stored values of ArviZ."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd
import pytest
from arviz_base import from_dict
from scipy.special import logsumexp
from typer.testing import CliRunner

import bayescale
from bayescale.backtesting import refit
from bayescale.base.errors import CompareError
from bayescale.cli.app import app
from bayescale.comparison import loo
from bayescale.comparison.comparison import compare
from bayescale.comparison.grouped import dealt
from bayescale.comparison.loo import monte_carlo_error, pseudo_bma_weights, psis_loo
from bayescale.comparison.parting import parting
from bayescale.models.cards import customise, model_from_card, model_of_law
from bayescale.tables.table import Table
from tests.kit.paths import REFERENCE

if TYPE_CHECKING:
    from bayescale.fits import Fit

CURVES = """
name = "curves"
claim = "Points of one curve miss the law together."
law = "power"
noise = "ar1-log"
[along]
within = "curve"
by = "x"
"""
STORED: dict[str, Any] = json.loads((REFERENCE / "grouped_loo_arviz023.json").read_text())
RECIPE = runpy.run_path(str(REFERENCE / "grouped_loo_arviz023.py"))
ARRAYS: dict[str, Any] = RECIPE["arrays"]()


@pytest.mark.parametrize("name", ARRAYS)
def test_elpd_of_groups_is_that_of_arviz(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    array, stored = ARRAYS[name], STORED[name]
    assert float(array.sum()) == pytest.approx(stored["checksum"], rel=1e-12)
    ours = psis_loo(array)
    efficiency = loo.relative_efficiency(array)
    now = arviz_stats.loo(from_dict({"log_likelihood": {"y": array}}), reff=efficiency)
    assert ours.elpd == pytest.approx(float(now.elpd), abs=1e-9)
    monkeypatch.setattr(loo, "relative_efficiency", lambda _: 1.0)  # as the stored values were made
    assert psis_loo(array).elpd == pytest.approx(stored["elpd_loo"], abs=1e-3)


def test_pseudo_bma_weights_are_those_of_arviz() -> None:
    base = psis_loo(ARRAYS["twenty-groups-of-four"]).pointwise
    pointwise = np.stack([base, base + 0.3 * RECIPE["_normal"](50, 20)], axis=1)
    weights = pseudo_bma_weights(pointwise, seed=1, samples=20_000)
    np.testing.assert_allclose(weights, list(STORED["pseudo_bma"].values()), atol=0.015)


def test_the_monte_carlo_error_is_that_of_repeated_sampling() -> None:
    rng = np.random.default_rng(0)
    means = [logsumexp(0.5 * rng.normal(size=400)) for _ in range(500)]
    errors = monte_carlo_error(0.5 * rng.normal(size=(4, 100, 50)))
    assert errors.mean() == pytest.approx(np.std(means), rel=0.1)
    assert monte_carlo_error(np.zeros((4, 100, 1)))[0] == 0.0


def test_groups_are_dealt_by_the_seed_alone_and_each_once() -> None:
    first = dealt(10, 3, seed=4)
    assert first == dealt(10, 3, seed=4)
    assert first != dealt(10, 3, seed=5)
    assert sorted(group for fold in first for group in fold) == list(range(10))
    assert {len(fold) for fold in first} == {3, 4}


def value(fit: Fit, name: str, **given: Any) -> Any:
    result = compare({"fit": fit}, progress=False, **given)
    return result.frame[f"{name} ({result.task})"].item()


def test_a_run_of_a_family_without_effects_of_its_own_sums_its_scores(tiny_fit: Fit) -> None:
    result = compare({"fit": tiny_fit}, by="run", draws=100_000, progress=False)
    assert result.task == "all scores of one more run of a known family"
    array, frame = tiny_fit.log_likelihood().to_numpy(), tiny_fit.observations()
    sums = [array[:, :, frame["run"] == run].sum(axis=2) for run in result.groups["group"]]
    expected = psis_loo(np.stack(sums, axis=2))
    np.testing.assert_allclose(result.loo["fit"].pointwise, expected.pointwise, atol=1e-6)
    assert np.isinf(result.groups["effective_samples"]).all()


@pytest.fixture
def _short_refits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short chains disagree; most of what is tested here does not need them to agree."""
    with monkeypatch.context() as patch:
        patch.setattr(refit, "R_HAT_LIMIT", np.inf)
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("_short_refits")
def test_refits_replace_what_psis_cannot_score(
    tiny_fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three families: each decides the population, so that PSIS fails for some."""
    psis = compare({"fit": tiny_fit}, by="family", progress=False)
    mixed = compare({"fit": tiny_fit}, by="family", refit="bad")
    told = capsys.readouterr().err
    exact = compare({"fit": tiny_fit}, by="family", refit="all", progress=False)
    bad = psis.loo["fit"].bad
    assert bad.any()
    assert "PSIS fails there" in " ".join(psis.doubts)
    assert "PSIS fails there" not in " ".join(mixed.doubts)
    assert told.count("R-hat") == bad.sum()
    np.testing.assert_array_equal(mixed.groups["refitted"], bad)
    assert exact.groups["refitted"].all()
    scores = [c.loo["fit"].pointwise for c in (psis, mixed, exact)]
    np.testing.assert_array_equal(scores[1][~bad], scores[0][~bad])
    error = np.hypot(mixed.groups["monte_carlo_error"], exact.groups["monte_carlo_error"])
    assert (np.abs(scores[1] - scores[2])[bad] < 4 * error[bad] + 0.1).all()
    task = exact.task
    assert task == "all scores of one more family"
    assert exact.frame[f"scored_by ({task})"].item() == "exact LOO (3 refits)"
    assert mixed.frame[f"refitted ({task})"].item() == bad.sum()
    assert np.isnan(exact.frame[f"p_loo ({task})"].item())


@pytest.mark.slow
@pytest.mark.usefixtures("_short_refits")
def test_folds_of_families_and_refits_of_rows_and_benchmarks(tiny_fit: Fit) -> None:
    assert value(tiny_fit, "scored_by", by="family", folds=2) == "2 folds"
    assert np.isfinite(value(tiny_fit, "elpd_kfold", by="family", folds=2))
    by_row = value(tiny_fit, "elpd_kfold", folds=5)
    assert by_row == pytest.approx(value(tiny_fit, "elpd_loo"), abs=15)
    assert value(tiny_fit, "refitted", by="benchmark", refit="all") == 2


def batches() -> Table:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": np.geomspace(1.0, 30.0, 48), "batch": list("abcdefgh" * 6)})
    shift = frame["batch"].map(dict(zip("abcdefgh", 0.1 * rng.normal(size=8), strict=True)))
    noise = np.exp(shift + 0.02 * rng.normal(size=48))
    return Table.from_runs(frame.assign(loss=3 * frame["x"] ** -0.1 * noise))


@pytest.mark.slow
def test_batches_of_a_law_left_out_by_psis_are_as_by_refits() -> None:
    model = customise(
        model_of_law("power"), effects=["batch"], noise="normal-log", inputs={"x": "x"}
    )
    fit = bayescale.fit(model, batches(), seed=0, progress=False, draws=400)
    psis = compare({"law": fit}, by="batch", progress=False)
    exact = compare({"law": fit}, by="batch", refit="all", progress=False)
    assert psis.task == "all measurements of one more batch"
    good = ~psis.loo["law"].bad
    assert good.sum() >= 5
    away = psis.loo["law"].pointwise - exact.loo["law"].pointwise
    error = np.hypot(psis.groups["monte_carlo_error"], exact.groups["monte_carlo_error"])
    assert (np.abs(away) < 4 * error + 0.02)[good].all()
    with pytest.raises(CompareError, match=r"no column of groups 'bach'.*did you mean"):
        compare({"law": fit}, by="bach")
    with pytest.raises(CompareError, match=r"only one of its kind \(family\).*\"batch\""):
        compare({"law": fit}, by="family")


@pytest.mark.slow
def test_neighbours_on_a_curve_stay_inside_their_group() -> None:
    """Neighbours share noise: the likelihood of a whole curve is the sum of its values' own."""
    frame = pd.DataFrame(
        {"x": np.tile(np.geomspace(1.0, 30.0, 6), 4), "curve": np.repeat(list("abcd"), 6)}
    )
    noise = np.exp(0.03 * np.random.default_rng(0).normal(size=24))
    table = Table.from_runs(frame.assign(loss=3 * frame["x"] ** -0.1 * noise))
    model = model_from_card(CURVES)
    fit = bayescale.fit(model, table, seed=0, progress=False, chains=2, warmup=200, draws=50)
    result = compare({"law": fit}, by="curve", progress=False)
    sums = fit.log_likelihood().to_numpy().reshape(2, 50, 4, 6).sum(axis=3)
    np.testing.assert_allclose(result.loo["law"].pointwise, psis_loo(sums).pointwise, rtol=1e-6)


def test_the_command_line_tells_groups_and_everything_of_them(
    tiny_fit: Fit, tmp_path: Path
) -> None:
    tiny_fit.save(tmp_path / "tiny.nc")
    given = [str(tmp_path / "tiny.nc"), "--by", "benchmark", "--quiet", "--seed", "1", "--json"]
    result = CliRunner().invoke(app, ["compare", *given], prog_name="bayescale")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["task"] == "all scores of one more benchmark"
    assert [row["group"] for row in told["groups"]] == ["HellaSwag", "MMLU"]
    assert set(told["groups"][0]) == {
        *("model", "group", "elpd", "pareto_k", "monte_carlo_error", "effective_samples"),
        *("refitted", "r_hat"),
    }
    assert f"pseudo_bma ({told['task']})" in told["comparison"][0]
    wrong = CliRunner().invoke(app, ["compare", given[0], "--refit", "some"], prog_name="bayescale")
    assert wrong.exit_code == 1
    assert 'one of "none", "bad", "all"' in wrong.output


def test_a_far_point_is_the_largest_run_ten_times_over(tiny_fit: Fit) -> None:
    found = parting({"one": tiny_fit, "two": tiny_fit})
    assert found is not None
    largest = tiny_fit.table.runs["flops"].idxmax()
    assert f'"{largest}"' in found.where
    run = tiny_fit.table.runs.loc[largest]
    at = {"family": run["family"], "params": 10 * run["params"], "tokens": run["tokens"]}
    draws = tiny_fit.predict(**at, kind="mean").draws
    assert found.medians["one"] == pytest.approx(np.median(draws, axis=0).mean())
    assert found.between == 0.0
    assert found.within == pytest.approx(draws.std(axis=0, ddof=1).mean())


@pytest.mark.slow
def test_laws_of_compute_and_of_params_and_tokens_are_asked_at_one_far_point() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"params": np.geomspace(1e7, 1e9, 12), "tokens": 2e10})
    frame["loss"] = 2 + 400 * frame["params"] ** -0.35 + 0.01 * rng.normal(size=12)
    table = Table.from_runs(frame)
    short: dict[str, Any] = {"seed": 0, "progress": False, "chains": 2, "warmup": 200, "draws": 100}
    both = bayescale.fit("chinchilla", table, **short)
    compute = bayescale.fit(customise(model_of_law("power"), inputs={"x": "flops"}), table, **short)
    found = parting({"both": both, "compute": compute})
    assert found is not None
    asked = both.predict(params=1e10, tokens=2e11, kind="mean").draws
    assert found.medians["both"] == pytest.approx(np.median(asked))
    asked = compute.predict(flops=6 * 1e10 * 2e11, kind="mean").draws
    assert found.medians["compute"] == pytest.approx(np.median(asked))
