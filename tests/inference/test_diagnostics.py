"""The verdict on draws whose faults are known."""

from __future__ import annotations

import time
from typing import Any

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from bayescale.inference.diagnostics import Diagnosis, Verdict, diagnose
from bayescale.inference.transition import STATS

CHAINS, DRAWS = 4, 500


def independent(seed: int = 0, *shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(CHAINS, DRAWS, *shape))


def autoregressive(rho: float, seed: int = 0) -> NDArray[np.float64]:
    noise = independent(seed)
    x = noise.copy()
    for t in range(1, DRAWS):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return x


def posterior(**sites: NDArray[np.float64]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: (("chain", "draw", *(f"{name}_{i}" for i in range(array.ndim - 2))), array)
            for name, array in sites.items()
        }
    )


def sampler_stats(divergences: int = 0, **more: NDArray[Any]) -> xr.Dataset:
    diverging = np.zeros((CHAINS, DRAWS), dtype=bool)
    diverging.ravel()[:divergences] = True
    arrays = {"diverging": diverging, "energy": independent(99), **more}
    return xr.Dataset({name: (("chain", "draw"), array) for name, array in arrays.items()})


def judge(groups: dict[str, str] | None = None, **sites: NDArray[np.float64]) -> Diagnosis:
    return diagnose(posterior(**sites), sampler_stats(), groups or {})


def test_independent_draws_are_good() -> None:
    got = judge(mu=independent(1), sd=np.exp(independent(2, 3)))
    assert got.verdict is Verdict.GOOD
    assert got.sentences == ()
    assert str(got).startswith("Good")
    assert got.max_r_hat < 1.01
    assert got.min_ess > 400
    assert (got.frame["failing"] == 0).all()
    assert list(got.elements.index) == ["mu", "sd[0]", "sd[1]", "sd[2]"]
    assert (got.chains, got.draws) == (CHAINS, DRAWS)


def test_numbers_are_those_of_arviz_for_each_element() -> None:
    array = np.stack([independent(1), autoregressive(0.8)], axis=2)
    got = judge(x=array).elements
    for i in range(2):
        one = xr.Dataset({"x": (("chain", "draw"), array[:, :, i])})
        row = got.loc[f"x[{i}]"]
        assert row["r_hat"] == pytest.approx(float(arviz_stats.rhat(one, method="rank")["x"]))
        for kind in ("bulk", "tail"):
            expected = float(arviz_stats.ess(one, method=kind)["x"])
            assert row[f"ess_{kind}"] == pytest.approx(expected)


def test_effective_draws_of_an_autoregression_follow_theory_and_cause_doubt() -> None:
    rho = 0.9
    got = judge(slow=autoregressive(rho), fast=independent(1))
    expected = CHAINS * DRAWS * (1 - rho) / (1 + rho)
    assert got.frame.loc["slow", "ess_bulk"] == pytest.approx(expected, rel=0.35)
    assert got.verdict is not Verdict.GOOD
    sentence = next(text for text in got.sentences if "ESS" in text)
    assert "for 1 unknowns" in sentence
    assert "at slow" in sentence
    assert got.frame.index[0] == "slow"


def test_a_chain_elsewhere_is_bad_and_its_element_is_named() -> None:
    shifted = independent(1, 2)
    shifted[2, :, 1] += 3.0
    labelled = posterior(load=shifted).assign_coords(load_0=["MMLU", "BBH"])
    got = diagnose(labelled, sampler_stats(), {"load": "population"})
    assert got.verdict is Verdict.BAD
    assert "at load[BBH]" in got.sentences[0]
    assert got.frame.loc["load", "failing"] == 1


def test_members_of_groups_have_a_wider_limit() -> None:
    # A shift between chains of this size puts R-hat between the limits 1.01 and 1.02.
    x = np.tile(np.sort(independent(4)[0])[None], (CHAINS, 1))
    x = np.random.default_rng(0).permuted(x, axis=1)
    x += np.array([-0.17, 0.17, -0.17, 0.17])[:, None]
    assert 1.01 < judge(x=x).max_r_hat < 1.02
    assert judge(x=x).verdict is Verdict.DOUBTFUL
    assert judge({"x": "population"}, x=x).verdict is Verdict.DOUBTFUL
    assert judge({"x": "group"}, x=x).verdict is Verdict.GOOD


def test_constants_are_left_out_and_counted() -> None:
    cholesky = independent(1, 2, 2)
    cholesky[:, :, 0, 1] = 0.0
    cholesky[:, :, 0, 0] = 1.0
    got = judge(corr=cholesky, fixed=np.full((CHAINS, DRAWS), 2.0))
    assert got.verdict is Verdict.GOOD
    assert got.frame.loc["corr", ["elements", "constant"]].tolist() == [2, 2]
    assert got.frame.loc["fixed", ["elements", "constant"]].tolist() == [0, 1]
    assert list(got.elements.index) == ["corr[1, 0]", "corr[1, 1]"]


def test_chains_stuck_at_different_values_are_not_constants() -> None:
    stuck = np.repeat(np.arange(4.0)[:, None], DRAWS, axis=1)
    got = judge(stuck=stuck)
    assert got.verdict is Verdict.BAD
    assert got.frame.loc["stuck", "constant"] == 0


def test_draws_that_are_not_finite_are_bad() -> None:
    broken = independent(1)
    broken[0, 3] = np.nan
    got = judge(broken=broken, fine=independent(2))
    assert got.verdict is Verdict.BAD
    assert any("not finite, first broken" in text for text in got.sentences)


@pytest.mark.parametrize(
    ("divergences", "verdict"),
    [(0, Verdict.GOOD), (1, Verdict.DOUBTFUL), (20, Verdict.DOUBTFUL), (21, Verdict.BAD)],
)
def test_divergences(divergences: int, verdict: Verdict) -> None:
    got = diagnose(posterior(x=independent(1)), sampler_stats(divergences), {})
    assert got.verdict is verdict
    assert got.divergences == divergences
    assert any("diverged" in text for text in got.sentences) == (divergences > 0)


def test_slow_energy_is_doubtful_and_counted_per_chain() -> None:
    energy = independent(5)
    energy[1] = np.cumsum(energy[1])
    got = diagnose(posterior(x=independent(1)), sampler_stats(energy=energy), {})
    assert got.bfmi.shape == (CHAINS,)
    assert got.bfmi[0] == pytest.approx(2.0, rel=0.2)  # independent energies
    assert got.verdict is Verdict.DOUBTFUL
    assert "in 1 of 4 chains" in got.sentences[0]


def test_the_sampler_records_what_is_judged() -> None:
    assert {"diverging", "energy"} <= set(STATS)


def test_one_chain_is_doubtful_and_statistics_may_be_missing() -> None:
    data = posterior(x=independent(1)).isel(chain=[0])
    got = diagnose(data, sampler_stats().isel(chain=[0]).drop_vars("energy"), {})
    assert np.isnan(got.max_r_hat)
    assert any("two chains" in text for text in got.sentences)
    assert "not recorded" in str(got)


def test_gravest_reason_comes_first() -> None:
    shifted = independent(1)
    shifted[0] += 5.0
    got = diagnose(posterior(x=shifted), sampler_stats(1), {})
    assert got.verdict is Verdict.BAD
    assert "disagree" in got.sentences[0]
    assert "diverged" in got.sentences[-1]
    assert all(text in str(got) for text in got.sentences)


@pytest.mark.parametrize("groups", [{"y": "group"}, {"x": "family"}])
def test_groups_that_make_no_sense_are_refused(groups: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="groups"):
        judge(groups, x=independent(1))


def test_a_thousand_and_a_half_unknowns_take_seconds() -> None:
    array = np.random.default_rng(0).normal(size=(4, 1000, 1500))
    start = time.process_time()
    got = judge_large(array)
    assert time.process_time() - start < 30  # about 4.5 s on an idle core
    assert len(got.elements) == 1500


def judge_large(array: NDArray[np.float64]) -> Diagnosis:
    flags = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((4, 1000), dtype=bool))})
    return diagnose(posterior(x=array), flags, {"x": "group"})
