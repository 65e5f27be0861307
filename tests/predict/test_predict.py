"""Predictions: what is shared, what is drawn anew, what is bounded, what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.base.counts import LEAST_COUNT
from bayescale.base.errors import PredictError
from bayescale.fits import Fit
from bayescale.models.lay_out import lay_out
from bayescale.predict.prediction import Prediction
from tests.kit import by_hand

ROWS = pd.DataFrame(
    [
        ("llama", 7e9, 2e12),
        ("pythia", 7e9, 2e12),
        ("qwen2", 7e9, 2e12),
        ("qwen2", 7e10, 2e12),
        ("new a", 7e9, 2e12),
        ("new a", 7e10, 2e12),
        ("new b", 7e9, 2e12),
        (None, 7e9, 2e12),
        (None, 7e9, 2e12),
        ("qwen2", 7e9, np.nan),
    ],
    columns=["family", "params", "tokens"],
)
LLAMA, PYTHIA, QWEN, LARGE, NEW_A, NEW_A_LARGE, NEW_B, ANY, ANY_AGAIN, UNKNOWN = range(10)


@pytest.fixture(scope="module")
def score(tiny_fit: Fit) -> Prediction:
    return tiny_fit.predict(ROWS, benchmark="MMLU")


@pytest.fixture(scope="module")
def mean(tiny_fit: Fit) -> Prediction:
    return tiny_fit.predict(ROWS, benchmark="MMLU", kind="mean")


@pytest.fixture(scope="module")
def certain(tiny_fit: Fit) -> Prediction:
    """Expected scores when every fitted site is known: only what is drawn anew varies."""
    one = tiny_fit.posterior.isel(chain=[0] * 2, draw=[0] * 100)
    known = dataclasses.replace(tiny_fit, posterior=one)
    return known.predict(ROWS, benchmark="MMLU", kind="mean")


def test_scores_and_their_intervals_stay_between_zero_and_one(score: Prediction) -> None:
    assert ((score.draws >= 0) & (score.draws <= 1)).all()
    frame = score.frame
    assert (frame["score_lower_0.9"] < frame["score_median"]).all()
    assert (frame["score_median"] < frame["score_upper_0.9"]).all()
    assert score.draws.shape == (200, len(frame))
    np.testing.assert_allclose(np.quantile(score.draws, 0.05, axis=0), frame["score_lower_0.9"])


def test_an_expected_score_is_surer_than_a_measured_one(
    score: Prediction, mean: Prediction
) -> None:
    seen = [LLAMA, PYTHIA, QWEN]
    width = (mean.frame["mean_upper_0.9"] - mean.frame["mean_lower_0.9"])[seen]
    wider = (score.frame["score_upper_0.9"] - score.frame["score_lower_0.9"])[seen]
    assert (width < wider).all()
    assert (mean.draws[:, seen].std(axis=0) < score.draws[:, seen].std(axis=0)).all()


def test_kind_and_interval_are_in_the_names_of_the_columns(tiny_fit: Fit) -> None:
    frame = tiny_fit.predict(ROWS, benchmark="MMLU", kind="mean", interval=0.5).frame
    assert {"mean_median", "mean_lower_0.5", "mean_upper_0.5"} <= set(frame.columns)


def test_status_of_each_family_is_told(score: Prediction) -> None:
    assert score.frame["family_status"].to_list() == (
        ["seen"] * 4 + ["new"] * 3 + ["not named"] * 2 + ["seen"]
    )
    doubts = " ".join(score.doubts)
    for said in ('"new a"', '"new b"', "no family named", "tokens not known"):
        assert said in doubts


def test_rows_of_a_new_family_share_its_draw_and_two_new_families_do_not(
    certain: Prediction,
) -> None:
    draws = certain.draws
    assert draws[:, QWEN].std() == pytest.approx(0, abs=1e-12)
    assert draws[:, NEW_A].std() > 0.01
    ranks = np.argsort(np.argsort(draws, axis=0), axis=0)
    together = np.corrcoef(ranks[:, NEW_A], ranks[:, NEW_A_LARGE])[0, 1]
    apart = np.corrcoef(ranks[:, NEW_A], ranks[:, NEW_B])[0, 1]
    assert together == pytest.approx(1.0, abs=1e-6)
    assert abs(apart) < 4 / np.sqrt(len(draws))


def test_a_family_not_named_is_one_of_the_known_the_same_for_all_rows(
    certain: Prediction,
) -> None:
    known = certain.draws[0, [LLAMA, PYTHIA, QWEN]]
    distance = np.abs(certain.draws[:, [ANY]] - known)
    assert distance.min(axis=1).max() < 1e-9
    assert set(distance.argmin(axis=1)) == {0, 1, 2}
    np.testing.assert_array_equal(certain.draws[:, ANY], certain.draws[:, ANY_AGAIN])


def test_unknown_tokens_widen_the_interval(certain: Prediction, mean: Prediction) -> None:
    assert certain.draws[:, UNKNOWN].std() > 1e-3 > certain.draws[:, QWEN].std()
    assert mean.draws[:, UNKNOWN].std() > mean.draws[:, QWEN].std()


def test_larger_models_of_a_family_are_expected_to_score_more(mean: Prediction) -> None:
    assert np.mean(mean.draws[:, LARGE] > mean.draws[:, QWEN]) > 0.9


def test_a_mixture_of_experts_computes_with_its_active_params(tiny_fit: Fit) -> None:
    sparse = tiny_fit.predict(params=7e9, params_active=1e9, tokens=7e12, kind="mean")
    dense = tiny_fit.predict(params=7e9, tokens=1e12, kind="mean")  # as many FLOPs
    np.testing.assert_allclose(sparse.draws, dense.draws, rtol=1e-12)
    assert (sparse.frame["params_active"] == 1e9).all()


def test_a_known_run_gets_the_posteriors_own_expected_scores(tiny_fit: Fit) -> None:
    found = tiny_fit.predict(run="llama-7b", kind="mean")
    row = list(tiny_fit.table.runs.index).index("llama-7b")
    grid = lay_out(tiny_fit.model, tiny_fit.table)
    for draw in (0, 50, 199):
        expected = by_hand.compute(grid, by_hand.at(tiny_fit.sites(), draw))
        np.testing.assert_allclose(found.draws[draw], expected[row], rtol=1e-7)
    assert found.frame["run"].unique() == ["llama-7b"]
    assert found.frame["params"].unique() == [7e9]
    assert list(found.frame["benchmark"]) == ["MMLU", "HellaSwag"]


def test_more_questions_do_not_change_an_answer(tiny_fit: Fit, mean: Prediction) -> None:
    alone = tiny_fit.predict(ROWS.iloc[[QWEN]], benchmark=["HellaSwag", "MMLU"], kind="mean")
    assert list(alone.frame["benchmark"]) == ["HellaSwag", "MMLU"]
    np.testing.assert_allclose(alone.draws[:, 1], mean.draws[:, QWEN], rtol=1e-12)


def test_one_seed_gives_the_same_draws_and_another_seed_others(
    tiny_fit: Fit, score: Prediction
) -> None:
    np.testing.assert_array_equal(tiny_fit.predict(ROWS, benchmark="MMLU").draws, score.draws)
    assert (tiny_fit.predict(ROWS, benchmark="MMLU", seed=1).draws != score.draws).any()


QUESTION: dict[str, Any] = {"family": "qwen2", "params": 7e9, "tokens": 2e12}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"benchmark": "MMLUU"}, r'no benchmark .MMLUU. \(did you mean "MMLU"\?\)'),
        ({"benchmark": ["MMLU", "ARC"]}, "no benchmark 'ARC'"),
        ({"kind": "median"}, "kind must be one of score, mean; given: 'median'"),
        ({"interval": 90}, "interval must lie strictly between 0 and 1, such as 0.9; given: 90"),
        ({"interval": 0.0}, "interval must lie strictly between 0 and 1"),
        ({"params": 7}, r"params is .7..*plain number of parameters.*7e9$"),
        ({"params": -7e9}, "params is .-7"),
        ({"params": float("inf")}, "params is .inf"),
        ({"params": "7B"}, "params is .7B.; give a plain number.*command line"),
        ({"tokens": "2T"}, "tokens is .2T.; give a plain number"),
        ({"tokens": 2}, r"tokens is .2..*plain number of tokens"),
        ({"tokens": 0.0}, "tokens is .0"),
        ({"run": "llama-7b"}, "give run alone"),
        ({"rows": ROWS}, "not both"),
    ],
)
def test_questions_that_make_no_sense_are_refused(
    change: dict[str, Any], said: str, tiny_fit: Fit
) -> None:
    with pytest.raises(PredictError, match=said):
        tiny_fit.predict(**(QUESTION | change))


def test_params_left_out_become_draws_like_the_familys_runs(small_fit: Fit) -> None:
    runs = small_fit.table.runs
    own = np.log(runs.loc[runs["family"] == "pythia", "params"])
    known = small_fit.predict(family="pythia", params=float(np.exp(own.mean())), tokens=3e11)
    unknown = small_fit.predict(family="pythia", tokens=3e11)
    assert np.log(unknown.frame["params"].iloc[0]) == pytest.approx(own.mean())
    assert any("params not known" in doubt for doubt in unknown.doubts)
    assert (unknown.draws.std(axis=0) > 1.3 * known.draws.std(axis=0)).any()


def test_an_input_between_two_numbers_is_as_wide_as_its_range(small_fit: Fit) -> None:
    query = {"family": "pythia", "tokens": 3e11, "kind": "mean", "benchmark": "HellaSwag"}
    ends = [small_fit.predict(params=params, **query).draws.mean() for params in (1e9, 64e9)]
    narrow, wide = (
        small_fit.predict(params=bs.between(8e9 / factor, 8e9 * factor), **query)
        for factor in (1.01, 8)
    )
    assert ends[0] < wide.draws.mean() < ends[1]
    assert wide.draws.std() > 1.5 * narrow.draws.std()
    assert wide.doubts[-1] == "params not known: drawn between 1B and 64B, any factor as likely"
    with pytest.raises(PredictError, match="to a larger one"):
        bs.between(2e9, 1e9)


def test_several_values_are_every_combination_of_them(tiny_fit: Fit) -> None:
    many = tiny_fit.predict(
        family=["qwen2", "llama"], params=[1e9, 7e9], tokens=2e12, benchmark="MMLU"
    )
    told = many.frame[["family", "params"]].to_numpy().tolist()
    assert told == [["qwen2", 1e9], ["qwen2", 7e9], ["llama", 1e9], ["llama", 7e9]]
    one = tiny_fit.predict(family="llama", params=7e9, tokens=2e12, benchmark="MMLU", kind="mean")
    again = tiny_fit.predict(
        family=["qwen2", "llama"], params=[1e9, 7e9], tokens=2e12, benchmark="MMLU", kind="mean"
    )
    np.testing.assert_allclose(again.draws[:, 3], one.draws[:, 0])


def test_a_new_family_has_the_same_draws_whoever_else_is_asked_about(small_fit: Fit) -> None:
    query = {"params": 7e9, "tokens": 2e12, "kind": "mean"}
    alone = small_fit.predict(family="mine", **query)
    among = small_fit.predict(family=["mine", "yours", "pythia"], **query)
    marks = alone.draws.shape[1]
    np.testing.assert_allclose(among.draws[:, :marks], alone.draws)
    assert not np.allclose(among.draws[:, marks : 2 * marks], alone.draws)


def test_an_unknown_run_and_empty_questions_are_refused(tiny_fit: Fit) -> None:
    with pytest.raises(PredictError, match=r"no run 'llama-7bb' \(did you mean .llama-7b"):
        tiny_fit.predict(run="llama-7bb")
    with pytest.raises(PredictError, match="give rows, or one query"):
        tiny_fit.predict()
    with pytest.raises(PredictError, match="rows is empty"):
        tiny_fit.predict(ROWS.iloc[:0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"params": [7e9, 7.0]}, r"params is .7..*: row 8$"),
        ({"params": [7.0, 8.0]}, r"params is .7., .8..*: row 5, row 8$"),
        ({"params": [7e9, "7B"]}, "params is .7B.*: row 8$"),
        ({"params_active": [None, 0.0]}, "params_active is .0.*: row 8$"),
        ({"params_active": [7e9, 8e9]}, "params_active is above params.*: row 8$"),
        ({"run": [None, "llama-7b"]}, "give run alone.*: row 8$"),
        ({"run": [None, "llama-7bb"]}, "no run 'llama-7bb'.*: row 8$"),
        ({"famly": "llama"}, r'column "famly" \(did you mean "family"\?\).*params_active'),
        ({"benchmark": "MMLU"}, 'column "benchmark".*benchmark='),
    ],
)
def test_bad_rows_are_named_by_their_labels(
    change: dict[str, Any], said: str, tiny_fit: Fit
) -> None:
    rows = ROWS.iloc[[0, 1]].set_axis([5, 8])
    with pytest.raises(PredictError, match=said):
        tiny_fit.predict(rows.assign(**change))


def test_rows_of_known_runs_and_of_new_models_go_together(tiny_fit: Fit) -> None:
    rows = pd.DataFrame(
        {"run": ["llama-7b", None], "params": [None, 7e9], "params_active": [None, 7e9]},
        index=[3, 3],
    )
    frame = tiny_fit.predict(rows, benchmark="MMLU").frame
    assert frame["params"].to_list() == [7e9, 7e9]
    assert frame["family_status"].to_list() == ["seen", "not named"]


def test_the_least_counts_of_a_table_can_be_predicted(tiny_fit: Fit) -> None:
    least = tiny_fit.predict(params=LEAST_COUNT, tokens=LEAST_COUNT, benchmark="MMLU")
    assert np.isfinite(least.draws).all()


def test_jaxs_flags_do_not_change_a_family_that_is_not_named(tiny_fit: Fit) -> None:
    query: dict[str, Any] = {"params": 7e9, "tokens": 2e12, "benchmark": "MMLU"}
    with jax.enable_x64(False):
        narrow = tiny_fit.predict(**query).draws
    with jax.enable_x64(True):
        np.testing.assert_array_equal(tiny_fit.predict(**query).draws, narrow)


def test_a_backtests_verdicts_stand_beside_predictions(tiny_fit: Fit) -> None:
    verdicts = pd.DataFrame(
        {"verdict": ["erratic"], "explained": [0.31], "n": [40], "coverage_0.9": [0.8]},
        index=["HellaSwag"],
    )
    plain = tiny_fit.predict(family="llama", params=7e9, tokens=1e12)
    found = plain.beside(verdicts)
    columns = list(found.frame)
    assert columns.index("verdict") == columns.index("benchmark") + 1
    said = dict(zip(found.frame["benchmark"], found.frame["verdict"], strict=True))
    assert said == {"MMLU": "not backtested", "HellaSwag": "erratic"}
    pd.testing.assert_frame_equal(found.frame.drop(columns="verdict"), plain.frame)
    assert any("HellaSwag was erratic" in doubt and "31%" in doubt for doubt in found.doubts)
