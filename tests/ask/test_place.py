"""`place`: a new benchmark from a handful of scores, on what a fit expects of each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import pandas as pd
import pytest
from numpyro.handlers import seed, trace
from scipy.special import expit, logit

from bayescale.ask.answer import Answer
from bayescale.ask.kit.placement import PRIORS, ends, prior
from bayescale.base.errors import AskError
from tests.kit.prior_fits import given_fit, law_table

if TYPE_CHECKING:
    from bayescale.fits import Fit

LOW, HIGH = "lower_0.9", "upper_0.9"


@pytest.fixture(scope="session")
def expected(small_fit: Fit) -> pd.DataFrame:
    """Scores that the fit expects, one row a run."""
    rows = pd.DataFrame({"run": list(small_fit.table.runs.index)})
    frame = small_fit.predict(rows, kind="mean").frame
    return frame.pivot(index="run", columns="benchmark", values="mean_median")


def truth(expected: pd.DataFrame, level: float, seed: int) -> pd.Series:
    """A benchmark of 500 questions that follows from two others."""
    rng = np.random.default_rng(seed)
    eta = level + logit(expected["HellaSwag"]) + 0.6 * logit(expected["GSM8K"].clip(0.01, 0.99))
    share = expit(eta + 0.2 * rng.normal(size=len(eta)))
    return pd.Series(rng.binomial(500, share) / 500, expected.index)


def scores_of(values: pd.Series, runs: Any) -> pd.DataFrame:
    return pd.DataFrame({"run": list(runs), "benchmark": "new", "score": values[list(runs)].values})


def width(answer: Answer) -> float:
    return float((answer.frame[HIGH] - answer.frame[LOW]).mean())


@pytest.mark.slow
def test_simulated_benchmarks_are_recovered(small_fit: Fit, expected: pd.DataFrame) -> None:
    """Four benchmarks from easy to hard: medians are near, nine tenths of intervals hold."""
    held, errors, spreads = [], [], []
    for number, level in enumerate([-1.0, 0.5, 1.5, 2.5]):
        values = truth(expected, level, seed=number)
        runs = np.random.default_rng(number).permutation(expected.index)[:15]
        answer = small_fit.place(scores_of(values, runs), items=500)
        unseen = answer.frame[answer.frame["observed"].isna()].set_index("run")
        assert len(unseen) == len(expected) - 15
        y = values[unseen.index]
        held.append(((unseen[LOW] <= y) & (y <= unseen[HIGH])).mean())
        errors.append(((unseen["median"] - y) ** 2).mean())
        spreads.append(y.var())
    assert 0.8 <= np.mean(held) <= 0.995
    # Half the spread of scores would be no achievement.
    assert np.mean(errors) < 0.15 * np.mean(spreads)


@pytest.mark.slow
def test_the_order_of_rows_is_of_no_account(small_fit: Fit, expected: pd.DataFrame) -> None:
    scores = scores_of(truth(expected, 0.5, seed=1), expected.index[::4])
    one = small_fit.place(scores)
    two = small_fit.place(scores.iloc[::-1])
    pd.testing.assert_frame_equal(one.frame, two.frame)


@pytest.mark.slow
def test_more_scores_narrow_the_intervals(small_fit: Fit, expected: pd.DataFrame) -> None:
    values = truth(expected, 0.5, seed=2)
    asked = pd.DataFrame({"run": list(expected.index[1::5])})
    few, many = (
        small_fit.place(scores_of(values, expected.index[::step]), asked) for step in (12, 2)
    )
    assert width(many) < 0.9 * width(few)
    assert any("mostly the prior's" in doubt for doubt in few.doubts)
    assert not any("mostly the prior's" in doubt for doubt in many.doubts)


def test_planned_models_are_predicted(small_fit: Fit, expected: pd.DataFrame) -> None:
    scores = scores_of(truth(expected, 0.5, seed=3), expected.index[::3])
    plans = pd.DataFrame({"family": "qwen2", "params": [5e8, 7e10], "tokens": 7e12})
    answer = small_fit.place(scores, plans, items=500)
    assert answer.draws.shape == (200, 2)
    assert answer.frame["params"].tolist() == [7e10, 5e8]  # the highest first
    assert answer.frame["median"].iloc[0] > answer.frame["median"].iloc[1] + 0.2
    assert answer.frame["observed"].isna().all()
    assert answer.fit is None
    assert set(answer.about["weights"]) == {"MMLU", "HellaSwag", "GSM8K"}
    assert "qwen2" in answer.sentence
    assert answer.draws.min() >= 0.0
    assert answer.draws.max() <= 1.0


@pytest.mark.slow
def test_an_extrapolation_is_doubted(small_fit: Fit, expected: pd.DataFrame) -> None:
    values = truth(expected, 0.5, seed=4)
    weaker = values.sort_values().index[:12]
    answer = small_fit.place(scores_of(values, weaker))
    assert any("beyond the strongest run" in doubt for doubt in answer.doubts)
    stronger = small_fit.place(scores_of(values, values.index), pd.DataFrame({"run": weaker}))
    assert not any("beyond the strongest run" in doubt for doubt in stronger.doubts)


def test_told_errors_count(small_fit: Fit, expected: pd.DataFrame) -> None:
    """Scores that are told to be worth little leave a wide interval."""
    scores = scores_of(truth(expected, 0.5, seed=5), expected.index[::4])
    sure, unsure = (small_fit.place(scores.assign(stderr=error)) for error in (0.005, 0.15))
    assert width(unsure) > 1.5 * width(sure)


@pytest.mark.parametrize("count", [1, 5, 30])
def test_the_prior_covers_the_range_whatever_the_number_of_features(count: int) -> None:
    """Of a run one logit up on all features: any score is possible, none is sure."""
    shares = []
    for number in range(400):
        sites = trace(seed(prior, jax.random.PRNGKey(number))).get_trace(count)
        own = {name: np.asarray(site["value"]) for name, site in sites.items()}
        low, high = ends(own["floor"], own["ceiling"], 0.0)
        eta = own["level"] + own["weight"].sum()
        shares.append(float(low + (high - low) * expit(eta)))
    low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
    assert low < 0.05
    assert 0.1 < middle < 0.4
    assert high > 0.85
    assert PRIORS["weight"][0] == 0.0


KNOWN = {"run": ["llama-2-7b", "llama-2-13b"], "benchmark": "new", "score": [0.2, 0.3]}


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"run": ["llama-2-7bb", "llama-2-13b"]}, {}, "no run .llama-2-7bb. .did you mean"),
        ({"run": "llama-2-7b"}, {}, "has two scores"),
        ({"benchmark": "MMLU"}, {}, "knows MMLU already"),
        ({"benchmark": ["new", "newer"]}, {}, "one benchmark is placed at a time"),
        ({"score": [0.2, 1.3]}, {}, "shares in .0, 1.; given: .*1.3"),
        ({"score": [0.2, np.nan]}, {}, "shares in .0, 1."),
        ({"stderr": [0.1, -0.1]}, {}, "stderr is a number, not below 0"),
        ({}, {"chance": 1.0}, "chance must be in"),
        ({}, {"items": 0.0}, "items must be at least 1"),
        ({}, {"interval": 1.0}, "interval must lie strictly between"),
    ],
)
def test_bad_inputs_are_refused(
    change: dict[str, Any], options: dict[str, Any], said: str, small_fit: Fit
) -> None:
    with pytest.raises(AskError, match=said):
        small_fit.place(pd.DataFrame(KNOWN | change), **options)


def test_columns_are_needed(small_fit: Fit) -> None:
    with pytest.raises(AskError, match=r"scores need columns run, benchmark, score; .*score"):
        small_fit.place(pd.DataFrame(KNOWN).drop(columns="score"))


def test_a_law_has_no_skills() -> None:
    law = given_fit("chinchilla", law_table("chinchilla"), 8)
    with pytest.raises(AskError, match="chinchilla is a law of a loss"):
        law.place(pd.DataFrame(KNOWN))
