"""The calibration check is itself right: it passes what is exact and catches what is not.

The slow tests run it: each shipped model through the compiled refit, a small one beside simuk.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

import bayescale as bs
from bayescale.models.lay_out import lay_out
from benchmarks import sbc
from benchmarks.shared import uniformity

SIMULATIONS, DRAWS = 200, 100
Floats = NDArray[np.float64]


# --- Places of the truth


def normal_pits(*, shift: float = 0.0, width: float = 1.0, seed: int = 0) -> dict[str, Floats]:
    """Calibrate the mean of a normal sample of one: the posterior is N(y / 2, 1 / 2).

    Shift and width, in posterior standard deviations, spoil it; width 0 returns the prior.
    """
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=SIMULATIONS)
    data = rng.normal(mean)
    standard = rng.normal(size=(SIMULATIONS, DRAWS))
    posterior = data[:, None] / 2 + np.sqrt(0.5) * (shift + width * standard)
    draws = posterior if width else standard

    def likelihood(value: Floats, score: Floats) -> Floats:
        return -((score - value) ** 2)

    return {
        "mean": np.array([sbc.pit(m, d, rng) for m, d in zip(mean, draws, strict=True)]),
        "log_likelihood": np.array(
            [
                sbc.pit(likelihood(m, y), likelihood(d, y), rng)
                for m, d, y in zip(mean, draws, data, strict=True)
            ]
        ),
    }


@pytest.mark.parametrize("seed", range(5))
def test_an_exact_posterior_is_inside(seed: int) -> None:
    assert sbc.verdict(normal_pits(seed=seed))["outside"] == []


@pytest.mark.parametrize(
    "spoilt", [{"shift": 0.5}, {"shift": -0.5}, {"width": 0.6}, {"width": 1.6}]
)
def test_a_shifted_narrow_or_wide_posterior_is_caught(spoilt: dict[str, float]) -> None:
    assert "mean" in sbc.verdict(normal_pits(**spoilt))["outside"]


def test_a_posterior_that_ignores_the_data_is_caught_by_the_likelihood_alone() -> None:
    assert sbc.verdict(normal_pits(width=0.0))["outside"] == ["log_likelihood"]


def test_one_bad_quantity_among_many_good_ones_is_found() -> None:
    rng = np.random.default_rng(3)
    pits = {f"good {i}": list(rng.uniform(size=200)) for i in range(60)}
    pits["bad"] = list(rng.beta(2.0, 2.0, size=200))
    found = sbc.verdict(pits)
    assert found["outside"] == ["bad"]
    assert (1 - found["least_p_value_allowed"]) ** 61 == pytest.approx(0.99)


def test_ties_are_broken_at_random() -> None:
    """Clipped scores tie at 0 and 1: the place of a tie is uniform, not at the end."""
    rng = np.random.default_rng(0)
    pits = np.array([sbc.pit(1.0, np.ones(20), rng) for _ in range(400)])
    assert uniformity.uniform_p_value(pits) > 0.01
    assert 0 < sbc.pit(-1.0, np.ones(20), rng) < 1 / 21
    assert 20 / 21 < sbc.pit(2.0, np.ones(20), rng) < 1


def test_thinning_makes_ranks_of_correlated_draws_uniform() -> None:
    """Autocorrelated draws pile the ranks up at both ends; thinned by ESS they do not."""
    rng = np.random.default_rng(1)
    raw, kept = [], []
    for _ in range(300):
        draws = rng.normal(size=400)
        for i in range(1, 400):
            draws[i] = 0.95 * draws[i - 1] + np.sqrt(1 - 0.95**2) * draws[i]
        truth = rng.normal()
        raw.append(sbc.pit(truth, draws, rng))
        kept.append(sbc.pit(truth, sbc.thinned(draws, sbc.bulk_ess(draws)), rng))
    assert uniformity.uniform_p_value(np.array(raw)) < 1e-3
    assert uniformity.uniform_p_value(np.array(kept)) > 0.01


def test_thinning_keeps_at_least_one_draw_and_no_more_than_a_rank_needs() -> None:
    draws = np.arange(400.0)
    assert len(sbc.thinned(draws, 0.3)) == 1
    assert len(sbc.thinned(draws, 33.7)) == 33
    assert len(sbc.thinned(draws, 1e6)) == sbc.RANK_DRAWS
    assert sbc.bulk_ess(np.ones(50)) == 50


# --- The band


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_stay_probability_of_parking_functions(count: int) -> None:
    """At least k of n values below k / n for every k: probability (n + 1)^(n - 1) / n^n."""
    lower = np.arange(1, count)
    got = uniformity.stay_probability(lower, np.full(count - 1, count), count)
    assert got == pytest.approx((count + 1.0) ** (count - 1) / float(count) ** count, rel=1e-9)


def test_stay_probability_without_bounds_is_one_and_with_none_left_is_zero() -> None:
    assert uniformity.stay_probability(np.zeros(49), np.full(49, 50), 50) == pytest.approx(1.0)
    assert uniformity.stay_probability(np.full(49, 50), np.zeros(49), 50) == 0.0


def test_p_value_of_two_values() -> None:
    """Two values: both in one half has probability one half, one in each is the middle."""
    assert uniformity.uniform_p_value(np.array([0.1, 0.2])) == pytest.approx(0.5)
    assert uniformity.uniform_p_value(np.array([0.1, 0.8])) == pytest.approx(1.0)


def test_p_values_of_uniform_values_are_uniform() -> None:
    rng = np.random.default_rng(2)
    found = np.array([uniformity.uniform_p_value(rng.uniform(size=30)) for _ in range(1000)])
    for level in (0.01, 0.05, 0.2):
        error = np.sqrt(level * (1 - level) / len(found))
        # The statistic is discrete, so that p-values are uniform only nearly.
        assert np.mean(found <= level) == pytest.approx(level, abs=3 * error + 0.05 * level)


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_inside_the_band_is_what_a_large_p_value_means(level: float) -> None:
    """The band of a level, found from its own probability, holds exactly the p-values above it."""
    count = 40
    tails = np.geomspace(1e-8, 0.2, 400)
    bands = [uniformity.ecdf_band(count, tail) for tail in tails]
    staying = np.array([uniformity.stay_probability(*band, count) for band in bands])
    assert np.all(np.diff(staying) <= 1e-12)
    lower, upper = bands[np.flatnonzero(staying >= level)[-1]]
    points = np.arange(1, count) / count
    rng = np.random.default_rng(4)
    agree = []
    for shape in np.repeat([0.5, 0.8, 1.0, 1.5], 50):
        values = rng.beta(shape, 1.0, size=count)
        below = np.searchsorted(np.sort(values), points, side="right")
        inside = bool(np.all((lower <= below) & (below <= upper)))
        agree.append(inside == (uniformity.uniform_p_value(values) > 1 - level))
    assert np.mean(agree) > 0.98  # the grid of tails is coarse


# --- What is simulated, and the record


def test_the_small_table_follows_its_rule() -> None:
    runs = sbc.small_table().runs
    assert not runs["instruct"].any()
    assert (runs.groupby("family").size() == 3).all()
    assert runs["family"].nunique() == sbc.FAMILIES
    span = runs.groupby("family")["params"].agg(lambda size: size.max() / size.min())
    every = bs.load_table(sbc.TABLE).select(benchmarks=sbc.BENCHMARKS).runs
    others = every[~every["instruct"] & ~every["family"].isin(span.index)].groupby("family")
    wide = others["params"].agg(lambda size: size.max() / size.min())[others.size() >= 3]
    assert span.min() >= wide.max()


@pytest.mark.parametrize("name", sbc.MODELS)
def test_every_score_but_one_is_simulated_data(name: str) -> None:
    model, table = bs.load_model(name), sbc.small_table()
    grid, held = sbc.small_grid(model, table)
    assert grid.weights.sum() == 24 * 6 - 1
    assert grid.weights[held] == 0
    assert table.runs["params"].iloc[held[0]] == table.runs["params"].max()
    # Every anchor that the models can use is there, and some benchmarks are no anchor.
    assert len(grid.anchors) == len(model.skills)
    assert set(sbc.BENCHMARKS) - set(model.anchors(table).values())


def test_a_validation_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def broken_after(stop: int) -> Any:
        def calibrate(
            model: Any, _: Any, *, simulations: int, seed: int, first: int = 0
        ) -> Iterator[dict[str, Any]]:
            assert (model.name, seed) == ("compute", 0)
            started.append(first)
            for number in range(first, simulations):
                if number == stop:
                    raise KeyboardInterrupt
                place = (number + 0.5) / simulations
                yield {
                    "pits": {"slope": place, "spread": 1 - place},
                    "least_ess": 80.0,
                    "divergences": 0,
                    "length": 1,
                    "seconds": 1.0,
                }

        return calibrate

    path = tmp_path / "sbc-compute.json"
    monkeypatch.setattr(sbc, "calibrate", broken_after(3))
    with pytest.raises(KeyboardInterrupt):
        sbc.validate("compute", 8, 0, tmp_path)
    assert len(json.loads(path.read_text())["results"]) == 3

    monkeypatch.setattr(sbc, "calibrate", broken_after(99))
    assert sbc.validate("compute", 8, 0, tmp_path)
    resumed = path.read_bytes()
    assert sbc.validate("compute", 8, 0, tmp_path)  # finished: nothing is started
    assert started == [0, 3]
    assert path.read_bytes() == resumed
    assert list(tmp_path.iterdir()) == [path]

    path.unlink()
    sbc.validate("compute", 8, 0, tmp_path)
    assert path.read_bytes() == resumed  # as if never interrupted
    sbc.validate("compute", 9, 0, tmp_path)  # other settings: not continued
    assert started == [0, 3, 0, 0]
    assert json.loads(path.read_text())["verdict"]["simulations"] == 9


@pytest.mark.parametrize("path", sorted(sbc.RESULTS.glob("sbc-*.json")), ids=lambda p: p.stem)
def test_the_committed_results_say_what_their_simulations_say(path: Path) -> None:
    record = json.loads(path.read_text())
    assert len(record["results"]) == record["settings"]["simulations"] >= 200
    found = sbc.verdict(sbc.by_quantity(record["results"]))
    assert found["outside"] == record["verdict"]["outside"] == []
    assert found["least_p_value"] == pytest.approx(record["verdict"]["least_p_value"])


# --- The shipped models


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", sbc.MODELS)
def test_shipped_models_are_calibrated(name: str) -> None:
    """Fifty simulations; `make validate` runs two hundred."""
    model, table = bs.load_model(name), sbc.small_table()
    results = list(sbc.calibrate(model, table, simulations=50, seed=1))
    found = sbc.verdict(sbc.by_quantity(results))
    assert found["outside"] == [], found
    for coefficient in model.coefficients:
        assert any(key.split("[")[0] == coefficient.name for key in found["p_values"])
    correlated = [rule.correlated for rules in model.pooling.values() for rule in rules]
    assert any("_corr[1,0]" in key for key in found["p_values"]) == any(correlated)
    assert {"log_likelihood", "expected_score", "measured_score"} <= set(found["p_values"])


@pytest.mark.slow
def test_simuk_finds_the_same_ranks() -> None:
    """The same density as a NumPyro model, NumPyro's own NUTS, simuk's ranks: the same data sets.

    Ranks of one data set agree up to the error of the draws, which is far stronger than that both
    look uniform.
    """
    simuk = pytest.importorskip("simuk")
    import numpyro
    from numpyro.infer import NUTS

    from bayescale.inference.sampler import sample
    from bayescale.inference.transition import compile_program
    from bayescale.models.density import distribution

    model = bs.load_model("compute")
    table = bs.load_table("sloth-2024").select(
        benchmarks=["MMLU", "HellaSwag"], families=["llama", "pythia", "qwen2"]
    )
    grid = lay_out(model, table).with_weights(np.ones((len(table.runs), 2)))

    def plain(scores: Any = None) -> None:
        _, measured = distribution(model, grid)
        numpyro.sample("scores", measured.to_event(2), obs=scores)

    simulations, draws = 4, 1000
    with jax.enable_x64(True):
        theirs = simuk.SBC(
            NUTS(plain, target_accept_prob=0.9),
            num_simulations=simulations,
            sample_kwargs={"num_warmup": 500, "num_samples": draws},
            seed=5,
            data_dir={"scores": np.asarray(grid.scores).T},
        )
        true, scores = theirs._get_prior_predictive_samples_numpyro()
        theirs.run_simulations()
        program = compile_program(model, grid)
        ours = [
            sample(
                program,
                sbc.replace(grid, scores=np.asarray(scores["scores"][number]).T),
                seed=number,
                chains=2,
                windows=6,
                draws=draws // 2,
            ).sites
            for number in range(simulations)
        ]
    groups = sbc.site_groups(model)
    places: list[tuple[float, float]] = []
    for name, values in true.items():
        if name in groups:
            continue
        counts = theirs.simulations["prior_sbc"][name].to_numpy()[0] / draws
        for number, sites in enumerate(ours):
            below = np.mean(sites[name] < np.asarray(values[number]), axis=(0, 1))
            places += list(zip(np.ravel(counts[number]), np.ravel(below), strict=True))
    one, other = np.array(places).T
    assert len(one) >= 10 * simulations
    assert np.abs(one - other).mean() < 0.04
    assert np.corrcoef(one, other)[0, 1] > 0.98
