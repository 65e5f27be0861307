"""Comparisons of stand-in fits whose log likelihoods are known.

Over 400 lines, since all compare the stand-ins made at its top.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm

from bayescale.base.errors import CompareError
from bayescale.comparison.comparison import LAW_TASK, TASK, Comparison, compare
from bayescale.comparison.doubts import doubts_of_scores
from bayescale.comparison.grouped import GroupScores
from bayescale.comparison.loo import Loo, psis_loo
from bayescale.comparison.waic import waic
from bayescale.models.cards import load_model, model_from_card
from bayescale.models.model import Model
from tests.kit.by_hand import COMPUTE

FAMILIES = 12


@dataclass(frozen=True)
class FakeFit:
    array: NDArray[np.float64]
    frame: pd.DataFrame
    model: Model = field(default_factory=lambda: model_from_card(COMPUTE))
    unit: str = "accuracy"
    verdict_ok: bool = True
    far: float = 0.5  # what it expects of every run, and how sure it is of that
    unsure: float = 0.1

    @property
    def table(self) -> Any:
        names = self.frame["run"].unique()
        families = self.frame.groupby("run")["family"].first().loc[names]
        size = np.arange(1.0, 1 + len(names))
        columns = {"params": size, "flops": 6e10 * size, "tokens": 1e10}
        runs = pd.DataFrame({"family": families, **columns, "params_active": np.nan}, names)
        benchmarks = pd.DataFrame({"unit": self.unit}, self.frame["benchmark"].unique())
        inputs = ("params", "tokens", "flops")
        return SimpleNamespace(runs=runs, benchmarks=benchmarks, groups=("family",), inputs=inputs)

    def predict(self, rows: pd.DataFrame, kind: str) -> Any:
        assert kind == "mean"
        assert rows["params"].item() == 10 * self.table.runs["params"].max()
        rng = np.random.default_rng(0)
        return SimpleNamespace(draws=self.far + self.unsure * rng.normal(size=(400, 3)))

    def log_likelihood(self) -> xr.DataArray:
        return xr.DataArray(self.array, dims=("chain", "draw", "row"))

    def observations(self) -> pd.DataFrame:
        return self.frame


def frame_of(families: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    pairs = [
        (f"f{f:02d}-{size}", f"f{f:02d}", benchmark)
        for f in range(families)
        for size in ("1b", "7b")
        for benchmark in ("MMLU", "MATH", "BBH")
    ]
    frame = pd.DataFrame(pairs, columns=["run", "family", "benchmark"])
    return frame.assign(score=0.5 + 0.1 * rng.normal(size=len(frame)))


def fake(sd: float = 0.1, shift: float = 0.0, families: int = FAMILIES, seed: int = 1) -> FakeFit:
    """A fit of score ~ N(mu, sd) whose mu is known well."""
    frame = frame_of(families)
    mu = 0.5 + shift + 0.003 * np.random.default_rng(seed).normal(size=(4, 250, 1))
    return FakeFit(norm.logpdf(frame["score"].to_numpy(), mu, sd), frame)


def column(result: Comparison, name: str) -> pd.Series:
    return result.frame[f"{name} ({TASK})"]


@pytest.fixture(scope="module")
def clear() -> Comparison:
    return compare({"wide": fake(sd=0.3), "right": fake()})


def test_the_right_fit_wins_and_stands_first(clear: Comparison) -> None:
    assert list(clear.frame.index) == ["right", "wide"]
    assert list(column(clear, "rank")) == [1, 2]
    assert column(clear, "elpd_diff")["right"] == 0.0
    assert column(clear, "elpd_diff")["wide"] < -2 * column(clear, "se_diff")["wide"]
    assert column(clear, "stacking_weight")["right"] > 0.95


def test_every_column_names_its_task(clear: Comparison) -> None:
    assert all(name.endswith(f" ({TASK})") for name in clear.frame.columns)
    assert clear.to_frame().equals(clear.frame)
    assert TASK in str(clear)
    assert all(doubt in str(clear) for doubt in clear.doubts)


def test_what_is_printed_has_every_number_once_and_fits_a_terminal(clear: Comparison) -> None:
    table = str(clear).split("\n- ")[0].splitlines()
    assert max(map(len, table)) <= 110
    for name in clear.frame.columns:
        words = [word for line in table for word in line.split()]
        assert words.count(name.removesuffix(f" ({TASK})")) == 1, name


def law(fit: FakeFit, name: str = "chinchilla") -> FakeFit:
    return replace(fit, model=load_model(name), frame=fit.frame.assign(family="all"))


def test_laws_are_compared_about_measurements_without_families() -> None:
    result = compare({"wide": law(fake(sd=0.3)), "right": law(fake(), "kaplan-nd")})
    assert all(name.endswith(f" ({LAW_TASK})") for name in result.frame.columns)
    assert LAW_TASK in str(result)
    assert np.isnan(result.frame[f"se_diff_over_families ({LAW_TASK})"]).all()
    assert "over_families" not in str(result)
    assert "NaN" not in str(result)
    assert any("of one family" in doubt for doubt in result.doubts)
    assert "larger run" in result.doubts[0]
    assert "backtest" in result.doubts[0]


def test_backtests_of_laws_are_in_the_unit_of_the_law() -> None:
    card = {"model": "chinchilla", "crps": 0.0312, "mae": 0.04, "n": 55, "coverage": {"0.9": 0.87}}
    doubt = compare({"law": law(fake())}, backtests=[card]).doubts[0]
    assert "CRPS 0.0312, MAE 0.0400 and 87%" in doubt


def test_numbers_are_those_of_their_functions(clear: Comparison) -> None:
    fit = fake()
    order = fit.frame.sort_values(["run", "benchmark"]).index.to_numpy()
    array = fit.array[:, :, order]
    assert column(clear, "elpd_loo")["right"] == psis_loo(array).elpd
    assert column(clear, "p_waic")["right"] == waic(array.reshape(-1, array.shape[2])).p
    rows = clear.loo["wide"].pointwise - clear.loo["right"].pointwise
    assert column(clear, "elpd_diff")["wide"] == pytest.approx(rows.sum())
    expected = np.sqrt(rows.size) * rows.std(ddof=1)
    assert column(clear, "se_diff")["wide"] == pytest.approx(expected)


def test_error_over_families_grows_when_families_share_their_errors() -> None:
    one, two = fake(), fake(seed=2)
    bonus = np.repeat(np.random.default_rng(3).normal(size=FAMILIES), 6)
    other = replace(two, array=two.array + bonus)
    result = compare({"one": one, "two": other})
    last = result.frame.index[1]
    ratio = column(result, "se_diff_over_families")[last] / column(result, "se_diff")[last]
    assert ratio == pytest.approx(np.sqrt(6), rel=0.2)


def test_order_of_rows_does_not_matter(clear: Comparison) -> None:
    fit = fake()
    order = np.random.default_rng(5).permutation(len(fit.frame))
    shuffled = replace(fit, array=fit.array[:, :, order], frame=fit.frame.iloc[order])
    again = compare({"wide": fake(sd=0.3), "right": shuffled})
    pd.testing.assert_frame_equal(again.frame, clear.frame)


def test_one_fit_alone_is_described() -> None:
    result = compare({"only": fake()})
    assert column(result, "stacking_weight")["only"] == pytest.approx(1.0)
    assert len(result.doubts) == 1


def test_doubts_always_say_that_larger_or_unseen_models_need_a_backtest(clear: Comparison) -> None:
    assert len(clear.doubts) == 1
    assert "backtest" in clear.doubts[0]
    assert "larger model" in clear.doubts[0]


def named(fit: FakeFit, model: str) -> FakeFit:
    return replace(fit, model=replace(fit.model, name=model))


CARDS: list[dict[str, Any]] = [
    {"model": model, "crps": crps, "mae": 0.04, "n": 55, "coverage": {"0.9": 0.87}}
    for model, crps in (("skills", 0.031), ("compute", 0.025), ("stranger", 0.001))
]


def test_backtests_of_compared_models_are_cited_best_first_whatever_the_fits_are_called() -> None:
    fits = {"wide": named(fake(sd=0.3), "compute"), "right": named(fake(), "skills")}
    doubt = compare(fits, backtests=CARDS).doubts[0]
    assert "the model compute has CRPS 2.50 points" in doubt
    assert "87% coverage" in doubt
    assert doubt.index("compute has") < doubt.index("skills has")
    assert "stranger" not in doubt


def test_backtests_of_other_models_only_are_told_apart_from_none() -> None:
    fits = {"stranger": named(fake(), "observational")}
    doubt = compare(fits, backtests=CARDS).doubts[0]
    assert "none of the backtests given, of compute, skills, stranger, is of a model" in doubt
    assert "CRPS" not in doubt
    assert "none of the backtests" not in compare(fits).doubts[0]


def test_near_ties_are_doubted() -> None:
    result = compare({"one": fake(), "two": fake(shift=0.002, seed=2)})
    assert any("do not tell them apart" in doubt for doubt in result.doubts)


def test_fits_that_are_good_at_different_rows_are_doubted() -> None:
    base = fake()
    half = np.where(np.arange(len(base.frame)) % 2 == 0, 1.0, -1.0)
    one, two = (replace(base, array=base.array + sign * half) for sign in (1, -1))
    result = compare({"one": one, "two": two})
    assert any("stacking weight" in doubt for doubt in result.doubts)
    third = replace(base, array=base.array - 50)
    shared = compare({"one": one, "two": two, "poor": third}).doubts
    [doubt] = [doubt for doubt in shared if "nearly all the stacking weight" in doubt]
    assert "one 0." in doubt
    assert "poor" not in doubt


def test_few_families_and_bad_verdicts_are_doubted() -> None:
    result = compare({"one": replace(fake(families=3), verdict_ok=False)})
    assert any("only 3 families" in doubt for doubt in result.doubts)
    assert any("verdict on one is not good" in doubt for doubt in result.doubts)


def test_bad_pareto_k_names_families_runs_and_benchmarks() -> None:
    fit = fake()
    array = fit.array.copy()
    spot = fit.frame.index[(fit.frame["run"] == "f03-7b") & (fit.frame["benchmark"] == "MATH")][0]
    heavy = np.random.default_rng(7).standard_cauchy(size=(4, 250))
    array[:, :, spot] -= np.abs(heavy)
    result = compare({"spotty": replace(fit, array=array)})
    assert column(result, "bad_pareto_k")["spotty"] == 1
    doubt = next(doubt for doubt in result.doubts if "Pareto k" in doubt)
    for word in ("families f03 (1)", "runs f03-7b (1)", "benchmarks MATH (1)", "1 of 72"):
        assert word in doubt
    assert any("p_waic is above 0.4 in 1 of 72" in doubt for doubt in result.doubts)
    assert any("WAIC and LOO differ" in doubt for doubt in result.doubts)


def test_rankings_that_disagree_are_doubted() -> None:
    fit = fake()
    array = fit.array.copy()
    array[:, :, 0] -= np.abs(np.random.default_rng(7).standard_cauchy(size=(4, 250)))
    spotty = replace(fit, array=array)
    gap = compare({"spotty": spotty})
    loo, by_waic = gap.loo["spotty"].elpd, gap.waic["spotty"].elpd
    between = (loo + by_waic) / 2
    plain = fake()
    shift = (between - compare({"plain": plain}).loo["plain"].elpd) / len(plain.frame)
    result = compare({"spotty": spotty, "plain": replace(plain, array=plain.array + shift)})
    assert any("ranking is not settled" in doubt for doubt in result.doubts)


def drop_one(fit: FakeFit) -> FakeFit:
    return replace(fit, array=fit.array[:, :, 1:], frame=fit.frame.iloc[1:])


def change_score(fit: FakeFit) -> FakeFit:
    frame = fit.frame.copy()
    frame.loc[4, "score"] += 0.01
    return replace(fit, frame=frame)


def rename_run(fit: FakeFit) -> FakeFit:
    return replace(fit, frame=fit.frame.replace({"run": {"f00-1b": "f00-2b"}}))


def impossible(fit: FakeFit) -> FakeFit:
    array = fit.array.copy()
    array[0, 0, 3] = -np.inf
    return replace(fit, array=array)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_one, r'one saw 1 scores that two did not, first run "f00-1b" on "MMLU" \(72 .* 71'),
        (rename_run, 'one saw 3 scores that two did not, first run "f00-1b"'),
        (change_score, 'different values of 1 scores, first run "f00-7b" on "MATH"'),
        (lambda fit: replace(fit, unit="error"), "different response scales.*two: MMLU in error"),
        (lambda fit: replace(fit, array=fit.array[:, :, :-1]), "71 rows of log likelihood for 72"),
        (impossible, 'two: the log likelihood of 1 scores is not finite, first run "f00-7b"'),
    ],
)
def test_fits_that_cannot_be_compared_are_refused(spoil: Any, message: str) -> None:
    with pytest.raises(CompareError, match=message):
        compare({"one": fake(), "two": spoil(fake())})


def test_a_unit_that_is_not_told_contradicts_none() -> None:
    compare({"one": fake(), "two": replace(fake(), unit="")})


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(CompareError, match="no fit"):
        compare({})


def test_probabilities_and_weights_say_who_predicts_better(clear: Comparison) -> None:
    better = column(clear, "p_better")
    assert np.isnan(better["right"])
    assert better["wide"] < 0.02
    assert column(clear, "pseudo_bma")["right"] > 0.95
    near = compare({"one": fake(), "two": fake(shift=0.002, seed=2)})
    assert 0.02 < column(near, "p_better").iloc[1] < 0.5
    copies = compare({"one": fake(), "two": fake()})
    assert column(copies, "p_better").iloc[1] == 0.5
    np.testing.assert_allclose(column(copies, "pseudo_bma"), 0.5)


def test_a_benchmark_left_out_sums_its_scores_and_has_no_waic() -> None:
    fit = fake()
    result = compare({"one": fit}, by="benchmark")
    assert result.task == "all scores of one more benchmark"
    assert all(name.endswith(f" ({result.task})") for name in result.frame.columns)
    assert not any("waic" in name for name in result.frame.columns)
    assert result.waic == {}
    sums = [fit.array[:, :, fit.frame["benchmark"] == b].sum(axis=2) for b in ("BBH", "MATH")]
    np.testing.assert_allclose(
        result.loo["one"].pointwise[:2], psis_loo(np.stack(sums, 2)).pointwise
    )
    assert list(result.groups["group"]) == ["BBH", "MATH", "MMLU"]
    assert any("Only 3 benchmarks are left out" in doubt for doubt in result.doubts)
    assert "elpd_loo" in str(result)


def test_bad_groups_are_named_with_their_remedy() -> None:
    fit = fake()
    array = fit.array.copy()
    heavy = np.abs(np.random.default_rng(7).standard_cauchy(size=(4, 250, 1)))
    array[:, :, fit.frame["benchmark"] == "MATH"] -= heavy
    result = compare({"spotty": replace(fit, array=array)}, by="benchmark")
    [doubt] = [doubt for doubt in result.doubts if "Pareto k" in doubt]
    assert 'for 1 of 3 benchmarks ("MATH")' in doubt
    assert 'refit="bad" (command line: --refit bad)' in doubt


def test_fits_of_equal_score_that_expect_other_futures_are_doubted() -> None:
    alike = {"one": fake(), "two": fake(seed=2)}
    assert not any("different future" in doubt for doubt in compare(alike).doubts)
    apart = {"one": fake(), "two": replace(fake(seed=2), far=0.9)}
    [doubt] = [doubt for doubt in compare(apart).doubts if "different future" in doubt]
    for word in ('"f11-7b"', "one 0.4957", "two 0.8957", "0.28 apart", "0.098 that"):
        assert word in doubt
    unsure = {"one": fake(), "two": replace(fake(seed=2), far=0.9, unsure=1.0)}
    assert not any("different future" in doubt for doubt in compare(unsure).doubts)
    worse = {"one": fake(), "two": replace(fake(sd=0.3), far=0.9)}
    assert not any("different future" in doubt for doubt in compare(worse).doubts)


def test_measurements_of_laws_are_not_called_scores() -> None:
    doubts = compare({"law": law(fake())}).doubts
    assert any("The measurements are of one family" in doubt for doubt in doubts)


def test_logarithms_are_not_compared_with_values() -> None:
    fit = law(fake())
    logs = replace(fit, frame=fit.frame.assign(score=np.log(fit.frame["score"])))
    for pair in ({"one": fit, "two": logs}, {"one": logs, "two": fit}):
        with pytest.raises(CompareError, match=r"logarithms of the other.*student-t-log"):
            compare(pair)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": "familie"}, r'no column of groups .familie. \(did you mean "family"\?\)'),
        ({"refit": "some"}, 'one of "none", "bad", "all"; given: .some.'),
        ({"folds": 3, "refit": "bad"}, "leave refit out"),
        ({"folds": 1}, "from 2 to the 72 groups; given: 1"),
    ],
)
def test_what_cannot_be_left_out_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(CompareError, match=message):
        compare({"one": fake()}, **given)


def test_a_family_that_is_the_only_one_cannot_be_left_out() -> None:
    with pytest.raises(CompareError, match=r"'all' is the only one of its kind \(family\).*by row"):
        compare({"law": law(fake())}, by="family")


def test_rough_integrals_and_rough_refits_are_named() -> None:
    three = np.zeros(3)
    found = GroupScores(
        loo=Loo(0.0, 0.0, 0.0, three, np.array([0.1, np.nan, 0.2]), 0.7),
        log_lik=None,
        error=three,
        effective=np.array([3.0, 300.0, np.inf]),
        refitted=np.array([False, True, False]),
        r_hat=np.array([np.nan, 1.2, np.nan]),
    )
    groups = pd.Index(["opt", "yi", "gemma"])
    rough, apart = doubts_of_scores("fit", found, groups, frame_of(3), "family")
    assert 'scores of families "opt" hang on few draws' in rough
    assert "down to 3 that count" in rough
    assert 'refits without "yi" have R-hat up to 1.20' in apart
