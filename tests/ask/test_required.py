"""`required` turns a law round: what it says is needed gives the target, in every draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

import bayescale as bs
from bayescale.base.errors import AskError
from bayescale.fits import Fit
from tests.kit.prior_fits import given_fit, law_table, prior_fit
from bayescale.parts.find import parts
from bayescale.parts.part import Law

MONOTONE = [
    (name, column)
    for name, law in parts(Law).items()
    if law.response not in ("skills", "latent")
    for column in (*law.falls, *law.rises)
    if all(c.kind in ("number", "flag") for c in law.columns)
]
TARGET_AT = 3.0  # times the middle of the table, or a third of it where less is better


def middle(fit: Fit) -> dict[str, float]:
    """Inputs of a law in the middle of its table; of a flag, one of its values."""
    names = [(c.name, c.kind) for c in fit.model.law.columns]
    runs = fit.table.runs
    return {n: float(runs[n].iloc[0] if kind == "flag" else runs[n].median()) for n, kind in names}


@pytest.mark.parametrize(("name", "along"), MONOTONE)
def test_what_is_required_gives_the_target_in_every_draw(name: str, along: str) -> None:
    fit = prior_fit(name)
    at = middle(fit)
    given = {column: value for column, value in at.items() if column != along}
    further = {**given, along: at[along] * TARGET_AT}
    target = float(np.median(fit.predict(**further, kind="mean").draws))
    found = fit.required(target, along, **given).draws[:, 0]
    curve_start = fit.table.runs[along].min() / 1e3
    inside = np.flatnonzero(np.isfinite(found) & (found > 1.001 * max(curve_start, 1.0)))
    assert len(inside) > 3
    for draw in inside[:3]:
        again = fit.predict(**given, **{along: found[draw]}, kind="mean").draws[draw, 0]
        assert again == pytest.approx(target, rel=1e-6)


@pytest.fixture(scope="module")
def floors() -> Fit:
    """Chinchilla whose floor differs by draw: 1.0, 1.1, ... 2.0, and all else is equal."""
    levels = np.repeat(np.linspace(1.0, 1.9, 10), 10)
    return given_fit(
        "chinchilla", law_table("chinchilla"), 100, E=levels, A=0.3, B=0.3, alpha=0.35, beta=0.35
    )


def test_never_is_as_probable_as_a_floor_above_the_target(floors: Fit) -> None:
    answer = floors.required(1.45, "params", tokens_per_param=20)
    assert answer.frame["never"].iloc[0] == pytest.approx(0.5)
    assert np.isinf(answer.draws[:, 0]).mean() == pytest.approx(0.5)
    assert answer.frame["enough"].iloc[0] == np.inf
    assert "no params ever" in answer.sentence or "none ever" in answer.sentence
    sure = floors.required(1.45, "params", tokens_per_param=20, probability=0.4)
    assert np.isfinite(sure.frame["enough"].iloc[0])


def test_what_is_enough_reaches_the_target_with_the_probability_asked_for(floors: Fit) -> None:
    for probability in (0.2, 0.5, 0.9):
        enough = floors.required(2.5, "tokens", params=1e9, probability=probability)
        size = float(enough.frame["enough"].iloc[0])
        losses = floors.predict(params=1e9, tokens=size * (1 + 1e-9), kind="mean").draws[:, 0]
        assert np.mean(losses <= 2.5) == pytest.approx(probability, abs=0.1)
        assert np.mean(losses <= 2.5) >= probability


def test_a_path_of_one_ratio_is_asked_in_any_unit(floors: Fit) -> None:
    params, tokens, flops = (
        floors.required(2.3, want, tokens_per_param=20).draws[:, 0]
        for want in ("params", "tokens", "flops")
    )
    np.testing.assert_allclose(tokens, 20 * params, rtol=1e-8)
    np.testing.assert_allclose(flops, 120 * params**2, rtol=1e-8)


def test_the_best_split_needs_no_more_than_any_ratio(floors: Fit) -> None:
    best = floors.required(2.3, "flops", rule="optimal").draws[:, 0]
    for ratio in (1.0, 20.0, 400.0):
        fixed = floors.required(2.3, "flops", tokens_per_param=ratio).draws[:, 0]
        assert (best <= fixed * (1 + 1e-9)).all()


def test_an_input_that_is_not_known_widens_what_is_required(floors: Fit) -> None:
    known = floors.required(2.3, "params", tokens=1e10).draws[:, 0]
    unknown = floors.required(2.3, "params", tokens=bs.between(1e9, 1e11)).draws[:, 0]
    # Ten draws have one floor: what is required differs among them by the tokens alone.
    assert np.ptp(np.log(known[:10])) < 1e-9
    assert np.log(unknown[:10]).std() > 0.2


def test_flops_of_a_mixture_are_those_of_its_active_params(small_fit: Fit) -> None:
    size = {"params": 5e10, "params_active": 1e10, "family": "llama"}
    asked = {"target": 0.5, "benchmark": "MMLU", "seed": 3}
    tokens, flops = (small_fit.required(want=want, **asked, **size) for want in ("tokens", "flops"))
    for column in ("median", "enough"):
        found, expected = flops.frame[column].iloc[0], 6 * 1e10 * tokens.frame[column].iloc[0]
        assert found == pytest.approx(expected, rel=1e-6)


def test_a_law_of_flops_reads_those_of_active_params() -> None:
    fit = prior_fit("gadre-overtrain", 8)
    size = {"params": 8e9, "params_active": 1e9}
    plain = fit.predict(**size, tokens=1e12, kind="mean").draws
    drawn = fit.predict(**size, tokens=bs.between(0.999999e12, 1.000001e12), kind="mean").draws
    np.testing.assert_allclose(drawn, plain, rtol=1e-4)
    target = float(np.median(fit.predict(**size, tokens=3e12, kind="mean").draws))
    found = fit.required(target, "flops", **size).draws[:, 0]
    for draw in np.flatnonzero(np.isfinite(found) & (found > 1e18))[:3]:
        again = fit.predict(**size, tokens=found[draw] / 6e9, kind="mean").draws[draw, 0]
        assert again == pytest.approx(target, rel=1e-6)


def test_a_target_that_less_would_reach_is_doubted(floors: Fit) -> None:
    easy = floors.required(50.0, "tokens", params=1e9)
    assert any("less than was looked at" in doubt for doubt in easy.doubts)
    fair = floors.required(2.5, "tokens", params=1e9)
    assert not any("less than was looked at" in doubt for doubt in fair.doubts)


@pytest.mark.parametrize(
    ("target", "change", "said"),
    [
        (2.0, {"tokens_per_param": None}, "one of params, tokens, tokens_per_param"),
        (2.0, {"params": 1e9}, "say one thing of how size and data go together"),
        (-1.0, {}, "is positive; the target is -1"),
        (float("nan"), {}, "the target must be a number"),
        (2.0, {"want": "depth"}, "no input 'depth'"),
        (2.0, {"probability": 1.0}, "probability must lie strictly between 0 and 1"),
        (2.0, {"interval": 1.0}, "interval must lie strictly between 0 and 1"),
        (2.0, {"tokens_per_param": 0.0}, "must be a positive number"),
        (2.0, {"params_active": 1e9}, "params_active is of one size"),
        (2.0, {"rule": "best"}, 'rule must be "optimal"'),
        (2.0, {"rule": "optimal"}, "chooses size and data: leave out"),
        (2.0, {"rule": "optimal", "want": "params", "tokens_per_param": None}, "not params"),
    ],
)
def test_questions_that_make_no_sense_are_refused(
    target: float, change: dict[str, object], said: str, floors: Fit
) -> None:
    asked: dict[str, object] = {"want": "flops", "tokens_per_param": 20.0} | change
    with pytest.raises(AskError, match=said):
        floors.required(target, **asked)  # type: ignore[arg-type]


def test_a_law_without_tokens_cannot_be_asked_for_tokens() -> None:
    fit = prior_fit("power")
    with pytest.raises(AskError, match=r"no input 'tokens'.*it can be asked along"):
        fit.required(2.0, "tokens")


def test_a_score_lies_between_chance_and_the_best_there_is(small_fit: Fit) -> None:
    asked = {"want": "params", "benchmark": "MMLU", "family": "pythia", "tokens": 3e11}
    with pytest.raises(AskError, match=r"give 0[.]7, not 70"):
        small_fit.required(70, **asked)
    with pytest.raises(AskError, match=r"between 0.25 \(chance\)"):
        small_fit.required(0.2, **asked)
    with pytest.raises(AskError, match=r"5 responses.*say which with benchmark="):
        small_fit.required(0.5, **(asked | {"benchmark": None}))


def test_a_leaderboards_answer_turns_its_prediction_round(small_fit: Fit) -> None:
    given = {"benchmark": "HellaSwag", "family": "pythia"}
    answer = small_fit.required(0.6, "params", tokens=3e11, **given)
    found = answer.draws[:, 0]
    draw = int(np.argsort(found)[len(found) // 2])
    again = small_fit.predict(params=float(found[draw]), tokens=3e11, kind="mean", **given)
    assert again.draws[draw, 0] == pytest.approx(0.6, rel=1e-6)


def test_draws_of_a_known_distribution_come_back() -> None:
    """One coefficient: the loss is A / x, so what is needed is lognormal like A."""
    table = bs.Table.from_runs(pd.DataFrame({"x": [1.0, 4.0], "loss": [3.0, 2.0]}))
    level = np.log(3.0) + 0.2 * ndtri((np.arange(1000) + 0.5) / 1000)
    fit = given_fit("power", table, 1000, A=np.exp(level), alpha=0.5)
    answer = fit.required(1.0, "x")
    # A (x / 2)^(-1/2) = 1 where x = 2 A^2; the reference is the geometric mean, 2.
    np.testing.assert_allclose(answer.draws[:, 0], 2 * np.exp(2 * level), rtol=1e-6)
    row = answer.frame.iloc[0]
    assert row["median"] == pytest.approx(18, rel=1e-2)
    assert row["enough"] == pytest.approx(2 * np.exp(2 * (np.log(3) + 0.2 * ndtri(0.9))), rel=1e-2)
