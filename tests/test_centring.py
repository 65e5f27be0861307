"""How far family members are centred: more with more data, nothing from what is held out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from by_hand import COMPUTE, SKILLS

from bayescale.centring import centring
from bayescale.model import model_from_card
from bayescale.table import Table

SITE = {COMPUTE: "intercept_family", SKILLS: "difficulty_family"}


@pytest.mark.parametrize("card", [COMPUTE, SKILLS])
def test_centring_is_a_share_that_is_zero_without_data(card: str, small_table: Table) -> None:
    model = model_from_card(card)
    design = model.design(small_table)
    found = centring(model, design)[SITE[card]]
    assert found.shape[0] == design.families
    assert (found >= 0).all()
    assert (found < 1).all()
    assert found.max() > 0.5
    blind = design.with_weights(np.zeros_like(design.weights))
    np.testing.assert_array_equal(centring(model, blind)[SITE[card]], 0.0)


@pytest.mark.parametrize("card", [COMPUTE, SKILLS])
def test_held_out_scores_change_nothing_and_more_scores_more(card: str, small_table: Table) -> None:
    model = model_from_card(card)
    design = model.design(small_table)
    weights = np.array(design.weights)
    held = np.random.default_rng(1).random(weights.shape) < 0.4
    part = design.with_weights(np.where(held, 0.0, weights))
    before = centring(model, part)[SITE[card]]
    nonsense = dataclasses.replace(part, scores=np.where(held, np.nan, part.scores))
    np.testing.assert_array_equal(centring(model, nonsense)[SITE[card]], before)
    assert (centring(model, design)[SITE[card]] >= before).all()


def test_slopes_and_runs_are_offsets_and_correlated_groups_stay(small_table: Table) -> None:
    model = model_from_card(SKILLS)
    found = centring(model, model.design(small_table))
    assert found["size_family"] == 0.0
    assert found["intercept_run"] == 0.0
    assert found["spread_benchmark"] == 0.0
    assert "intercept_family" not in found
