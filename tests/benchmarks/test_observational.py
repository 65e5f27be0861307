"""The protocol of the observational benchmark is the paper's, and its baseline the regression."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from benchmarks import pca_logistic
from benchmarks.observational_tasks import CHOICE, TASKS, divide, known, with_agents

COUNTS = {
    "Word unscrambling": (44, 40),
    "3-digit subtraction": (30, 54),
    "GSM8K CoT": (48, 45),
    "AgentBench": (20, 2),
    "AgentBoard": (10, 1),
}


def test_training_models_are_those_below_the_papers_cutoff() -> None:
    divided = {task.name: divide(task) for task in TASKS}
    found = {name: (len(train), len(test)) for name, (train, test) in divided.items()}
    assert COUNTS.items() <= found.items()
    train, test = divided["Word unscrambling"]
    assert "llama-2-7b" in train  # at the cutoff itself
    assert {"mistral-7b-v0.1", "llama-13b"} & set(test) == {"mistral-7b-v0.1"}  # compute unknown
    # The best agents are tested, all closed.
    assert set(divided["AgentBench"][1]) == {"gpt-4-0613", "claude-2.0"}
    assert divided["AgentBoard"][1] == ["gpt-4-0314"]


def test_a_choice_sees_no_tested_model() -> None:
    for task, inner in zip(TASKS, CHOICE, strict=True):
        train, _ = divide(task)
        weaker, stronger = divide(inner)
        assert [*weaker, *stronger] == train
        order = known(task)["flops" if task.cutoff else task.name]
        assert order[weaker].max() <= order[stronger].min()


def test_closed_models_are_families_of_their_own() -> None:
    runs = with_agents().runs
    closed = runs[runs["family"].isin(["GPT-4", "Claude-1", "Claude-2", "GPT-3.5-Turbo"])]
    assert len(closed) == 5
    assert closed["tokens"].isna().all()


@pytest.mark.parametrize("floor", [False, True])
def test_the_regression_finds_a_curve_of_one_component(floor: bool) -> None:
    generator = np.random.default_rng(0)
    skill = generator.normal(size=60)
    x = 0.5 + 0.1 * np.outer(skill, [1.0, 0.8, 0.6])
    share = expit(2 * skill - 1)
    y = 0.25 + 0.75 * (0.1 + 0.9 * share if floor else share)
    x[3, 1] = np.nan
    asked = x[50:]
    found = pca_logistic.predict(x[:50], y[:50], asked, chance=0.25, floor=floor, components=1)
    np.testing.assert_allclose(found, y[50:], atol=1e-3)


def test_missing_scores_are_filled_in_from_the_component() -> None:
    skill = np.linspace(-1, 1, 21)
    x = 0.5 + 0.2 * np.outer(skill, [1.0, -1.0, 0.5])
    gaps, asked = x.copy(), x[:2].copy()
    gaps[4, 0] = asked[0, 2] = np.nan
    filled, wanted = pca_logistic.fill(gaps, asked)
    np.testing.assert_allclose(filled, x, atol=1e-6)
    # The spread of the training rows is known with a score missing, so nearly the same.
    np.testing.assert_allclose(wanted, x[:2], atol=1e-2)
