"""Questions about one curve or two, and what answers share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.ask.answer import shown_frame
from bayescale.ask.kit.solve import solve
from bayescale.base.errors import AskError
from bayescale.base.intervals import intervals
from bayescale.base.words import percent, told
from bayescale.fits import Fit
from bayescale.tables.compute import completed, contradiction
from tests.kit.prior_fits import given_fit, law_table

DRAWS = 200


def powers(seed: int = 0, **natural: Any) -> Fit:
    """The law A x^-alpha on a table whose reference is x = 2."""
    table = bs.Table.from_runs(pd.DataFrame({"x": [1.0, 4.0], "loss": [3.0, 2.0]}))
    rng = np.random.default_rng(seed)
    usual = {"A": 3 * np.exp(0.1 * rng.normal(size=DRAWS)), "alpha": 0.5, "spread": 1e-6}
    return given_fit("power", table, DRAWS, **(usual | natural))


@pytest.fixture(scope="module")
def fit() -> Fit:
    return powers()


# --- exceed


def test_the_probability_of_beating_a_number_is_that_of_the_draws(fit: Fit) -> None:
    losses = fit.predict(x=2.0, kind="mean").draws[:, 0]
    answer = fit.exceed(3.1, kind="mean", x=2.0)
    assert answer.frame["probability"].iloc[0] == pytest.approx(np.mean(losses < 3.1))
    np.testing.assert_allclose(answer.draws[:, 0], 3.1 - losses)


def test_a_larger_run_always_beats_a_smaller_and_ranks_count_rivals(fit: Fit) -> None:
    answer = fit.exceed({"x": 1.0}, {"x": 8.0}, kind="mean", x=4.0)
    rows = answer.frame.set_index("rival")
    assert rows["probability"].tolist() == [1.0, 0.0, 0.0]
    assert rows["expected_rank"].iloc[-1] == pytest.approx(2.0)
    assert "expected rank is 2.0 of 3" in answer.sentence


def test_a_run_with_a_measured_score_is_held_to_it(small_fit: Fit) -> None:
    run = "llama-2-7b"
    scores = small_fit.table.scores.set_index(["run", "benchmark"])["score"]
    query = {"family": "qwen2", "params": 7e9, "tokens": 7e12, "benchmark": "MMLU"}
    measured = small_fit.exceed(run, **query)
    number = small_fit.exceed(float(scores[(run, "MMLU")]), **query)
    assert measured.frame["probability"].iloc[0] == number.frame["probability"].iloc[0]
    assert 0.5 < measured.frame["probability"].iloc[0] <= 1.0


def test_scores_are_better_higher_and_losses_lower(small_fit: Fit, fit: Fit) -> None:
    query = {"family": "qwen2", "params": 7e9, "tokens": 7e12, "benchmark": "MMLU"}
    assert small_fit.exceed(0.26, **query).frame["probability"].iloc[0] > 0.95
    assert fit.exceed(0.01, x=2.0).frame["probability"].iloc[0] == 0.0


@pytest.mark.parametrize(
    ("rivals", "said"),
    [((), "name what is to be beaten"), (("llama-2-7bb",), "no run .llama-2-7bb. .did you mean")],
)
def test_nothing_and_nobody_cannot_be_beaten(rivals: Any, said: str, small_fit: Fit) -> None:
    with pytest.raises(AskError, match=said):
        small_fit.exceed(*rivals, family="qwen2", params=7e9, tokens=2e12)


# --- crossing and gain


def test_two_powers_cross_where_algebra_says(fit: Fit) -> None:
    """A (x/2)^-a = B (x/2)^-b at x = 2 (B / A)^(1 / (b - a))."""
    other = powers(seed=1, A=4.0, alpha=0.7)
    answer = fit.crossing({}, {}, "x", other=other, within=(0.01, 1e4))
    level = fit.predict(x=2.0, kind="mean").draws[:, 0]
    np.testing.assert_allclose(answer.draws[:, 0], 2 * (4 / level) ** (1 / 0.2), rtol=1e-6)
    assert answer.frame["never"].iloc[0] == 0.0
    # The flatter law is better before.
    assert answer.frame["probability_a_ahead_at_the_start"].iloc[0] == 1.0


def test_parallel_curves_never_cross(fit: Fit) -> None:
    answer = fit.crossing({}, {}, "x", other=powers(seed=1, A=4.5))
    assert answer.frame["never"].iloc[0] == pytest.approx(1.0)
    assert np.isinf(answer.draws).all()
    assert "under 1%" in answer.sentence


def test_the_order_of_the_two_does_not_move_where_they_cross(fit: Fit) -> None:
    other = powers(seed=1, A=4.0, alpha=0.7)
    one, two = (
        a.crossing({}, {}, "x", other=b, within=(0.01, 1e4)).draws
        for a, b in ((fit, other), (other, fit))
    )
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_a_gain_is_the_factor_that_makes_them_equal(fit: Fit) -> None:
    """B (g x / 2)^-a = A (x / 2)^-a where g = (B / A)^(1 / a)."""
    answer = fit.gain({}, {}, 8.0, "x", other=powers(seed=1, A=4.0))
    level = fit.predict(x=2.0, kind="mean").draws[:, 0]
    np.testing.assert_allclose(answer.draws[:, 0], (4 / level) ** 2, rtol=1e-6)
    assert answer.frame["probability_above_1"].iloc[0] == pytest.approx(np.mean(level < 4))


def test_gains_there_and_back_multiply_to_one(fit: Fit) -> None:
    other = powers(seed=1, A=4.0)
    there = fit.gain({}, {}, 8.0, "x", other=other).draws[0, 0]
    back = other.gain({}, {}, 8.0 * float(there), "x", other=fit).draws[0, 0]
    assert there * back == pytest.approx(1.0, rel=1e-6)


def test_families_are_compared_along_one_ratio(small_fit: Fit) -> None:
    answer = small_fit.gain(
        {"family": "qwen2"},
        {"family": "pythia"},
        1e22,
        benchmark="MMLU",
        tokens_per_param=300,
    )
    assert answer.frame["probability_above_1"].iloc[0] > 0.9
    assert {"qwen2", "pythia"} == set(answer.picture["of"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"b": {"family": "qwen2"}}, "two different things are needed"),
        ({"within": (1e22, 1e21)}, "within goes from a positive number"),
        ({"tokens_per_param": None}, "say one thing of how size and data go together"),
        ({"interval": 1.0}, "interval must lie strictly between"),
    ],
)
def test_comparisons_that_make_no_sense_are_refused(
    change: dict[str, Any], said: str, small_fit: Fit
) -> None:
    asked: dict[str, Any] = {
        "a": {"family": "qwen2"},
        "b": {"family": "pythia"},
        "benchmark": "MMLU",
        "tokens_per_param": 300.0,
    }
    with pytest.raises(AskError, match=said):
        small_fit.crossing(**(asked | change))


# --- elasticity


def test_the_elasticity_of_a_power_is_its_exponent(fit: Fit) -> None:
    answer = fit.elasticity(x=5.0, factor=3.0)
    assert answer.frame["elasticity_median"].iloc[0] == pytest.approx(-0.5, rel=1e-6)
    before, after = (fit.predict(x=x, kind="mean").draws[:, 0] for x in (5.0, 15.0))
    np.testing.assert_allclose(answer.draws[:, 0], after - before, rtol=1e-6)
    assert answer.frame["probability_better"].iloc[0] == 1.0


def test_doubling_both_is_told_beside_doubling_each() -> None:
    fit = given_fit("chinchilla", law_table("chinchilla"), 8)
    frame = fit.elasticity(params=1e9, tokens=2e10).frame
    assert frame["input"].tolist() == ["params", "tokens", "params and tokens"]
    each = frame["change_median"].to_numpy()
    assert fit.elasticity(params=1e9, tokens=2e10).sentence.count("90% interval") == 3
    # The terms of size and data add up.
    assert each[2] == pytest.approx(each[0] + each[1], rel=1e-6)


def test_inputs_are_multiplied_one_at_a_time_however_they_were_told() -> None:
    fit = given_fit("chinchilla", law_table("chinchilla"), 8)
    plain = fit.elasticity(params=1e9, tokens=2e10).frame
    for also in ({"flops": 1.2e20}, {"tokens_per_param": 20.0}):
        pd.testing.assert_frame_equal(fit.elasticity(params=1e9, **also).frame, plain)
    mixture = {"params": 8e9, "params_active": 1e9, "tokens": 1e12}
    assert fit.elasticity(**mixture, factor=0.1).frame["input"].tolist()[0] == "params"


def test_unknown_tokens_of_one_run_are_the_same_before_and_after(small_fit: Fit) -> None:
    """Doubling params of a run of unknown tokens changes its score as it does at any tokens."""
    asked: dict[str, Any] = {"params": 7e9, "family": "qwen2", "benchmark": "MMLU"}
    unknown, known = (
        small_fit.elasticity(**asked, **tokens).draws[:, 0] for tokens in ({}, {"tokens": 2e12})
    )
    assert np.ptp(unknown) < 3 * np.ptp(known)


@pytest.mark.parametrize("factor", [1.0, 0.0, -2.0])
def test_multiplying_by_nothing_is_refused(factor: float, fit: Fit) -> None:
    with pytest.raises(AskError, match="factor must be a positive number other than 1"):
        fit.elasticity(x=2.0, factor=factor)


# --- contributions


@pytest.mark.parametrize(
    "query",
    [
        {"family": "pythia", "params": 7e9, "tokens": 3e11},
        {"family": "mine", "params": 7e9},
        {"params": 7e9, "tokens": 3e11},
        {"run": "pythia-1.4b"},
    ],
)
def test_parts_add_up_to_the_prediction_and_shares_to_one(
    query: dict[str, Any], small_fit: Fit
) -> None:
    answer = small_fit.contributions(benchmark="MMLU", **query)
    np.testing.assert_allclose(answer.draws[:, :-1].sum(axis=1), answer.draws[:, -1], atol=1e-12)
    shares = answer.frame["share_of_variance"].to_numpy()
    assert shares[:-1].sum() == pytest.approx(1.0, abs=0.01)
    predicted = small_fit.predict(benchmark="MMLU", **query)
    assert answer.frame["median"].iloc[-1] == pytest.approx(
        predicted.frame["score_median"].iloc[0], abs=0.02
    )


def test_what_is_not_known_takes_the_larger_share(small_fit: Fit) -> None:
    known, unknown = (
        small_fit.contributions(benchmark="MMLU", family="pythia", params=7e9, tokens=tokens)
        .frame.set_index("part")["share_of_variance"]
        .get("tokens", 0.0)
        for tokens in (3e11, bs.between(3e10, 3e12))
    )
    assert unknown > known + 0.2


def test_a_new_family_owes_more_to_the_family_than_a_known_one(small_fit: Fit) -> None:
    spread = {}
    for family in ("pythia", "mine"):
        answer = small_fit.contributions(benchmark="MMLU", family=family, params=1e9, tokens=3e11)
        spread[family] = answer.draws[:, list(answer.frame["part"]).index("family")].std()
    assert spread["mine"] > 2 * spread["pythia"]


def test_a_law_is_taken_apart_along_its_inputs() -> None:
    rng = np.random.default_rng(0)
    fit = given_fit(
        "chinchilla", law_table("chinchilla"), 100, E=1.5 + 0.2 * rng.random(100), spread=0.01
    )
    frame = fit.contributions(params=2e11, tokens=2e13).frame.set_index("part")
    assert list(frame.index) == ["population", "size", "tokens", "noise", "total"]
    assert frame.loc["population", "share_of_variance"] > 0.8
    assert (frame.loc[["size", "tokens"], "median"] < 0).all()
    runs = fit.table.runs
    usual = {n: float(np.exp(np.log(runs[n]).mean())) for n in ("params", "tokens")}
    start = fit.predict(**usual, kind="mean").frame["mean_median"].iloc[0]
    assert frame.loc["population", "median"] == pytest.approx(start, rel=5e-3)


# --- checklist


def test_a_checklist_answers_what_the_fit_knows(small_fit: Fit) -> None:
    answer = small_fit.checklist()
    frame = answer.frame.set_index("item")
    assert frame.loc["number of runs", "answer"] == str(len(small_fit.table.runs))
    assert frame.loc["seed", "answer"] == str(small_fit.seed)
    assert not frame.loc["precision of the hardware", "known"]
    assert "left to say" in answer.sentence
    assert set(answer.frame["section"]) == {
        *("hypothesis", "setup", "counting", "data", "fit", "validation", "release"),
    }


def test_an_input_that_is_left_out_owns_its_part() -> None:
    """What is not known takes the width of its own name, told or not."""
    fit = given_fit("chinchilla", law_table("chinchilla"), 400)
    share = fit.contributions(tokens=2e11).frame.set_index("part")["share_of_variance"]
    assert share["size"] > 5 * abs(share["tokens"])
    parts = [
        fit.contributions(**told).frame["part"].tolist()
        for told in ({"params": 9e10, "flops": 1e24}, {"params": 9e10, "tokens": 1e24 / 54e10})
    ]
    assert parts[0] == parts[1]


# --- groups that a model does not pool


@pytest.fixture(scope="module")
def unpooled() -> Fit:
    runs = law_table("chinchilla").runs[["params", "tokens"]]
    table = bs.Table.from_runs(runs.assign(value=1.0, corpus=["c4", "rpj"] * 3), "value")
    return given_fit("chinchilla", table, 8)


def test_members_that_a_model_does_not_tell_apart_are_not_compared(unpooled: Fit) -> None:
    with pytest.raises(AskError, match='does not tell members of "corpus" apart'):
        unpooled.crossing({"corpus": "c4"}, {"corpus": "rpj"}, tokens_per_param=20)
    told = unpooled.predict(params=1e9, tokens=2e10, corpus="c4")
    assert any("changes nothing" in doubt for doubt in told.doubts)


# --- shared


def test_the_first_change_of_sign_is_found_in_each_row() -> None:
    roots = np.array([2.0, 7.0, 1e9])

    def gap(x: Any) -> Any:
        return np.broadcast_to(x, (3, x.shape[1])) - roots[:, None]

    found = solve(gap, np.geomspace(1, 100, 20), 3, rising=True)
    np.testing.assert_allclose(found[:2], roots[:2], rtol=1e-10)
    assert np.isinf(found[2])


def test_a_place_that_is_not_known_counts_as_not_there_yet() -> None:
    grid = np.geomspace(1, 100, 20)

    def gap(x: Any) -> Any:
        values = np.broadcast_to(x, (2, x.shape[1])) - np.array([[7.0], [30.0]])
        return np.where(values < -20, np.nan, values)  # of the second, all places below 10

    for rising, sign in ((True, 1), (False, -1), (None, 1)):
        found = solve(lambda x, sign=sign: sign * gap(x), grid, 2, rising=rising)
        np.testing.assert_allclose(found, [7.0, 30.0], rtol=1e-10)


@pytest.mark.parametrize("centre", [1.7, 5.0, 40.0])
def test_a_valley_between_two_places_is_found(centre: float) -> None:
    def gap(x: Any) -> Any:
        return np.log(np.broadcast_to(x, (2, x.shape[1])) / centre) ** 2 - [[0.01], [-0.01]]

    found = solve(gap, np.geomspace(0.01, 1000, 12), 2, rising=False)
    assert found[0] == pytest.approx(centre * np.exp(-0.1), rel=1e-6)
    assert np.isinf(found[1])  # its valley does not come down to zero


def test_infinite_values_do_not_stop_a_search() -> None:
    def gap(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return 1 / np.maximum(x - 3.0, 0.0) - 0.5

    assert solve(gap, np.geomspace(1, 100, 20), 1, rising=False)[0] == pytest.approx(5.0)


def test_a_curve_that_turns_up_again_is_followed_from_its_lowest_place() -> None:
    def gap(x: Any) -> Any:
        return np.log(np.broadcast_to(x, (1, x.shape[1])) / 10) ** 2 - 1.0

    grid = np.geomspace(0.1, 1000, 30)
    plain = solve(gap, grid, 1, rising=True)
    followed = solve(gap, grid, 1, rising=True, lowest_of=20)
    assert plain[0] == grid[0]
    assert followed[0] == pytest.approx(10 * np.e, rel=1e-10)


def test_quantiles_interpolate_nothing_between_a_number_and_never() -> None:
    draws = np.array([1.0, 2.0, 3.0, np.inf, np.inf])
    assert intervals(draws, 0.2)["upper_0.2"] == 3.0
    assert intervals(draws, 0.9)["upper_0.9"] == np.inf
    assert intervals(draws, 0.9)["median"] == 3.0


def test_numbers_are_written_as_people_do() -> None:
    shown = [told(v) for v in (7e9, 1.42e12, 5.88e23, 1e24, 0.42, 1234.0, np.inf)]
    assert shown == ["7B", "1.42T", "5.88e23", "1e24", "0.42", "1.23K", "never"]
    assert [percent(p) for p in (0.0, 0.004, 0.37, 1.0)] == [
        "under 1%",
        "under 1%",
        "37%",
        "over 99%",
    ]
    frame = shown_frame(pd.DataFrame({"needed": [np.inf], "never": [0.25], "known": [True]}))
    assert frame.iloc[0].tolist() == ["never", "25%", "yes"]


def test_two_of_the_four_quantities_tell_the_others() -> None:
    whole = completed({"params": 1e9, "tokens": 2e10})
    assert whole["flops"] == pytest.approx(1.2e20)
    assert whole["multiplier"] == pytest.approx(20)
    for one in whole:
        for two in set(whole) - {one}:
            again = completed({one: whole[one], two: whole[two]})
            assert again == pytest.approx(whole)


def test_counts_that_disagree_by_more_than_a_fifth_are_named() -> None:
    given = {"params": 1e9, "tokens": 2e10, "flops": 1.2e20}
    assert contradiction(given) is None
    assert contradiction(given | {"flops": 1.4e20}) is None
    told_off = contradiction(given | {"flops": 1.5e20})
    assert told_off is not None
    assert "flops of 1.5e+20 contradicts" in told_off
    fit = given_fit("chinchilla", law_table("chinchilla"), 8)
    with pytest.raises(bs.BayescaleError, match="contradicts"):
        fit.predict(**(given | {"flops": 3e20}))
