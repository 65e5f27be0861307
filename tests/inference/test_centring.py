"""How far family members are centred: more with more data, nothing from what is held out."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.handlers import seed, trace

from bayescale.inference.centring import RUN_SHARE, centring, coordinates
from bayescale.models.cards import model_from_card
from bayescale.models.lay_out import lay_out
from bayescale.tables.table import Table
from tests.kit.by_hand import COMPUTE, SKILLS

SITE = {COMPUTE: "intercept_family", SKILLS: "difficulty_family"}


@pytest.mark.parametrize("card", [COMPUTE, SKILLS])
def test_centring_is_a_share_that_is_zero_without_data(card: str, small_table: Table) -> None:
    model = model_from_card(card)
    grid = lay_out(model, small_table)
    found = centring(model, grid)[SITE[card]]
    assert found.shape[0] == grid.counts("family")[1]
    assert (found >= 0).all()
    assert (found < 1).all()
    assert found.max() > 0.5
    blind = grid.with_weights(np.zeros_like(grid.weights))
    np.testing.assert_array_equal(centring(model, blind)[SITE[card]], 0.0)


@pytest.mark.parametrize("card", [COMPUTE, SKILLS])
def test_held_out_scores_change_nothing_and_more_scores_more(card: str, small_table: Table) -> None:
    model = model_from_card(card)
    grid = lay_out(model, small_table)
    weights = np.array(grid.weights)
    held = np.random.default_rng(1).random(weights.shape) < 0.4
    part = grid.with_weights(np.where(held, 0.0, weights))
    before = centring(model, part)[SITE[card]]
    nonsense = dataclasses.replace(part, scores=np.where(held, np.nan, part.scores))
    np.testing.assert_array_equal(centring(model, nonsense)[SITE[card]], before)
    assert (centring(model, grid)[SITE[card]] >= before).all()


def test_slopes_are_offsets_runs_in_between_and_correlated_groups_stay(small_table: Table) -> None:
    model = model_from_card(SKILLS)
    found = centring(model, lay_out(model, small_table))
    assert found["size_family"] is None
    assert found["intercept_run"].min() == 0.0  # no score of the skill's anchor
    assert 0.0 < found["intercept_run"].max() < RUN_SHARE
    assert found["spread_other"] is None
    assert "intercept_family" not in found


@pytest.mark.parametrize("weight", [None, 0.0, 0.3, 1.0])
def test_coordinates_keep_the_distribution_of_the_site(weight: float | None) -> None:
    # Change of variables: log density of the coordinates minus log |dx/dz| is that of the value.
    prior = dist.Normal(1.5, 0.3).expand((4,)).to_event(1)
    with jax.enable_x64(True), seed(rng_seed=0), trace() as told:
        _, value = coordinates(None if weight is None else jnp.full(4, weight), "x", prior, None)
        site = told["x_coordinates"]
        stretch = 0.3 ** (1 - (weight or 0.0))
        changed = site["fn"].log_prob(site["value"]) - 4 * np.log(stretch)
        np.testing.assert_allclose(changed, prior.log_prob(value), rtol=1e-12)
