"""A noise declared for scores works in a leaderboard's card; others are refused in words."""

from __future__ import annotations

import numpy as np
import numpyro
import pytest
from numpyro.infer.util import log_density

from bayescale.base.errors import ModelError
from bayescale.models.cards import load_model, model_from_card
from bayescale.models.density import density
from bayescale.models.lay_out import lay_out
from bayescale.parts.find import find_part, parts
from bayescale.parts.part import Noise
from bayescale.tables.table import Table

CARD = """
name = "mine"
claim = "A curve."
law = "compute"
link = "logistic"
noise = "{noise}"
[reference]
flops = 8.4e22
"""
ALONG = '[along]\nwithin = "family"\nby = "params"\n'
NOISES = parts(Noise)


@pytest.mark.parametrize("name", [name for name, noise in NOISES.items() if noise.scores])
def test_a_noise_of_scores_has_a_density_on_a_leaderboard(name: str, small_table: Table) -> None:
    along = ALONG if "previous" in NOISES[name].inputs else ""
    model = model_from_card(CARD.format(noise=name) + along)
    grid = lay_out(model, small_table.select(benchmarks=["MMLU", "HellaSwag"]))
    with numpyro.handlers.seed(rng_seed=0):
        found, _ = log_density(density, (model, grid), {}, {})
    assert np.isfinite(float(found))


@pytest.mark.parametrize("name", [name for name, noise in NOISES.items() if not noise.scores])
def test_a_noise_that_is_not_of_scores_is_refused_in_words(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        model_from_card(CARD.format(noise=name), source="my card")
    assert str(caught.value) == (
        f"my card: noise {name} is not for scores of leaderboards: choose one of "
        + ", ".join(name for name, noise in NOISES.items() if noise.scores)
    )


def test_what_takes_logs_is_not_for_scores() -> None:
    for noise in NOISES.values():
        assert not (noise.scores and noise.positive), noise.name


@pytest.mark.parametrize("name", ["downstream-exp", "ladder-2step"])
def test_a_link_of_a_loss_is_refused_on_a_leaderboard(name: str) -> None:
    card = load_model("observational").card.replace('link = "logistic"', f'link = "{name}"')
    with pytest.raises(ModelError, match=f"{name} is of a loss: choose one of skills: logistic"):
        model_from_card(card)


def test_a_part_says_what_it_needs_and_what_there_is() -> None:
    known = {"expected": 0.5, "stderr": np.nan}
    with pytest.raises(ModelError, match=r"noise student-t needs items, resolution, .*: expected"):
        find_part(Noise, "student-t").given(known, {"spread": 0.1, "degrees": 4.0})
    alone = find_part(Noise, "normal").given({**known, "more": 1}, {"spread": 0.1})
    assert float(alone.scale) == pytest.approx(0.1)
