"""A flag that a law reads: whether a model was tuned to follow instructions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayescale.base.errors import PredictError
from bayescale.fits import Fit
from bayescale.laws.leaderboard import skills, tuned_skills
from bayescale.models.cards import for_other_table, load_model, model_from_card
from bayescale.models.lay_out import lay_out
from bayescale.models.simulate import simulate
from bayescale.tables.table import Table
from tests.kit.prior_fits import fit_of

CARD = """
name = "tuned"
claim = "Skills grow with size and data, and shift with tuning."
law = "tuned-skills"
link = "logistic"
noise = "normal"
[reference]
params = 1e9
tokens = 1e12
instruct = 0
[skills]
general = ["MMLU"]
[pooling.intercept]
family = { spread = [0.5, 2.0] }
"""


def board(dates: str = "") -> Table:
    rows = [
        {
            "run": f"{family}{j}",
            "family": family,
            "params": 1e9 * 4.0**j,
            "tokens": 1e12 * (1 + i),
            "released": dates,
            "instruct": family == "chat",
            "MMLU": 0.4 + 0.05 * j + 0.02 * i,
            "ARC": 0.3 + 0.05 * j,
        }
        for i, family in enumerate(["base", "chat", "other"])
        for j in range(3)
    ]
    facts = pd.DataFrame({"benchmark": ["MMLU", "ARC"], "chance": 0.25, "items": 1000.0})
    return Table.from_wide(pd.DataFrame(rows), facts, "board")


@pytest.fixture(scope="module")
def fit() -> Fit:
    table, model = board(), model_from_card(CARD)
    sites, _ = simulate(model, lay_out(model, table), draws=64, seed=1)
    return fit_of(model, table, sites)


def test_tuning_shifts_each_skill() -> None:
    slopes = {
        "intercept": np.array([0.1, -0.2]),
        "size": np.array([0.5, 0.4]),
        "data": np.array([0.3, 0.6]),
        "interaction": np.array([0.01, -0.02]),
    }
    params, tokens = np.array([[2.0], [8.0]]), np.array([[3.0], [0.5]])
    plain = skills.function(params, tokens, **slopes)
    tuned = tuned_skills.function(
        params, tokens, np.array([[1.0], [0.0]]), **slopes, tuning=np.array([0.7, -0.1])
    )
    np.testing.assert_allclose(tuned - plain, [[0.7, -0.1], [0.0, 0.0]], atol=1e-6)


def test_what_nobody_tells_is_that_of_the_family_or_no_tuning(fit: Fit) -> None:
    def asked(**query: object) -> tuple[np.ndarray, str]:
        found = fit.predict(params=7e9, tokens=2e12, kind="mean", seed=3, **query)
        return found.draws, " ".join(found.doubts)

    new, doubts = asked(family="new")
    assert "instruct not given: taken as 0" in doubts
    told, doubts = asked(family="new", instruct=0)
    assert "instruct" not in doubts
    np.testing.assert_array_equal(new, told)
    tuned, _ = asked(family="new", instruct=1)
    assert not np.allclose(tuned, told)
    seen, doubts = asked(family="chat")
    assert "instruct" not in doubts
    np.testing.assert_array_equal(seen, asked(family="chat", instruct=True)[0])
    np.testing.assert_array_equal(asked(family="base")[0], asked(family="base", instruct=0)[0])


def test_a_flag_that_no_run_has_is_not_missed(fit: Fit) -> None:
    runs = fit.table.runs.assign(instruct=False)
    without = dataclasses.replace(fit, table=dataclasses.replace(fit.table, runs=runs))
    found = without.predict(family="new", params=7e9, tokens=2e12, kind="mean", seed=3)
    assert "instruct" not in " ".join(found.doubts)


def test_a_run_of_the_fit_has_its_own(fit: Fit) -> None:
    found = fit.predict(run="chat1", kind="mean")
    assert not [doubt for doubt in found.doubts if "instruct" in doubt]
    with pytest.raises(PredictError, match="give run alone"):
        fit.predict(run="chat1", instruct=1)


@pytest.mark.parametrize("given", [2, -1, 0.5, "yes"])
def test_a_flag_is_zero_or_one(fit: Fit, given: object) -> None:
    with pytest.raises(PredictError, match="instruct is"):
        fit.predict(params=7e9, tokens=2e12, family="new", instruct=given)


def test_where_no_run_has_a_date_nothing_drifts_along_it() -> None:
    model = load_model("skills")
    assert "released" in model.drift
    without, left_out = for_other_table(model, board())
    assert list(without.drift) == ["params", "tokens"]
    assert left_out == ["released"]
    assert for_other_table(model, board("2023-05-01")) == (model, [])
