"""Model cards: each says what it claims, and its reference result comes out of its table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayescale
from bayescale.base.errors import ModelError
from bayescale.fits import Fit
from bayescale.inference.diagnostics import R_HAT_LIMIT
from bayescale.inference.estimates import law_draws
from bayescale.models.cards import (
    customise,
    for_other_table,
    list_models,
    load_model,
    model_from_card,
)
from bayescale.models.lay_out import lay_out, on_table
from bayescale.tables.named import is_bundled, list_tables, load_card
from bayescale.tables.table import Table
from benchmarks.catalogue.common import of_card
from tests.kit.short import SHORT

pytestmark = pytest.mark.xdist_group("cards")  # fits that two files ask for, in one worker
MODELS = list_models()
QUICK = ("bnsl", "chinchilla")  # under 20 s, compilation included
# Largest share of draws that may diverge; one in a thousand moves no mean of ours by its error.
DIVERGENT = 0.001


def marks(name: str) -> list[pytest.MarkDecorator]:
    found: list[pytest.MarkDecorator] = [] if name in QUICK else [pytest.mark.slow]
    return found if is_bundled(load_card(load_model(name).table)) else [*found, pytest.mark.mirror]


@pytest.mark.parametrize("name", MODELS)
def test_a_card_claims_something_of_a_table_that_there_is(name: str) -> None:
    model = load_model(name)
    assert model.name == name
    assert model.claim[0].isupper()
    assert model.claim.endswith(".")
    assert len(model.claim.split()) > 4
    assert not model.table or model.table in list_tables()
    assert not model.result or model.table


def test_every_model_of_a_quantity_has_a_table_and_a_result() -> None:
    models = [model for model in map(load_model, MODELS) if not model.of_leaderboard]
    assert [model.name for model in models if not model.table] == []
    assert [model.name for model in models if not model.result] == []


def runs_of(**columns: list[str]) -> Table:
    frame = pd.DataFrame({"params": [1e8, 1e9], "tokens": [2e9, 2e10], "loss": [3.0, 2.5]})
    return Table.from_runs(frame.assign(**columns), "loss", units={"loss": "nats/token"})


POOLED = """
name = "pooled"
claim = "Corpora differ in floor, labs in all."
law = "chinchilla"
noise = "normal-log"
[pooling]
E = { corpus = "partial", lab = "partial" }
A = "lab"
[effects]
lab = "partial"
"""


def test_a_card_fits_a_table_without_its_groups() -> None:
    card = model_from_card(POOLED)
    other, left_out = for_other_table(card, runs_of())
    assert left_out == ["corpus", "lab"]
    assert (other.pooling, other.effects, other.noise.name) == ({}, {}, "normal-log")
    lay_out(other, runs_of())
    with pytest.raises(ModelError, match='needs a column "corpus"'):
        lay_out(card, runs_of())


def test_without_the_group_of_neighbours_the_noise_is_the_laws_usual_one() -> None:
    card = load_model("m2")
    other, left_out = for_other_table(card, runs_of())
    assert (left_out, other.along, other.noise.name) == (["curve"], None, "student-t-log")
    lay_out(on_table(customise(other, inputs={"x": "tokens"}), runs_of()), runs_of())
    frame = pd.DataFrame({"x": [1e3, 1e5], "error": [0.5, 0.3]})
    by_name = Table.from_runs(frame, "error", units={"error": "error"}, name="mine")
    other, _ = for_other_table(card, by_name)
    assert lay_out(on_table(other, by_name), by_name).inputs["x"].shape == (2,)
    along = runs_of(curve=["a", "b"])
    assert for_other_table(load_model("lr-annealing"), along)[1] == ["schedule", "size"]


def test_groups_that_a_table_has_stay() -> None:
    card = model_from_card(POOLED)
    other, left_out = for_other_table(card, runs_of(corpus=["c4", "pile"]))
    assert left_out == ["lab"]
    assert {name: [r.group for r in rules] for name, rules in other.pooling.items()} == {
        "E": ["corpus"]
    }
    assert not other.effects
    whole = runs_of(corpus=["c4", "pile"], lab=["a", "b"])
    assert for_other_table(card, whole) == (card, [])


def told(result: dict[str, Any], fit: Fit) -> list[tuple[str, float, float, float]]:
    """What, found, published and half-width of each band of a card's result."""
    groups = {rule.group for rules in fit.model.pooling.values() for rule in rules}
    wanted = [(None, result.get("bands", {}))]
    for member in result.get("members", []):
        [group] = [g for g in groups if member["of"] in set(fit.table.runs[g])]
        bands = {name: band for name, band in member.items() if name != "of"}
        wanted.append(((group, member["of"]), bands))
    lines = []
    for place, bands in wanted:
        draws = law_draws(fit, place, "paper")
        for name, (value, half) in bands.items():
            of = f"{name} of {place[1]}" if place else name
            lines.append((of, float(draws[name].mean()), value, half))
    return lines


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=marks(n)) for n in MODELS if load_model(n).result]
)
def test_the_reference_result(name: str) -> None:
    fit = of_card(name)
    lines = told(dict(load_model(name).result), fit)
    assert lines
    assert [line for line in lines if abs(line[1] - line[2]) > line[3]] == []
    summary = fit.summary()
    for kind, limit in R_HAT_LIMIT.items():
        of_kind = summary.elements[summary.elements["group"] == kind]
        assert (of_kind["r_hat"] <= limit).all(), kind
    assert summary.divergences <= DIVERGENT * summary.chains * summary.draws


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sloth", "observational"])
def test_leaderboard_cards_fit_a_small_table(name: str, small_table: Table) -> None:
    three = ["MMLU", "HellaSwag", "ARC"]
    table = small_table.select(benchmarks=three, families=["llama", "pythia", "qwen2"])
    fit = bayescale.fit(name, table, seed=0, **SHORT)
    assert np.isfinite(fit.log_likelihood()).all()
    assert "intercept_run" not in fit.posterior or name == "observational"
    told = fit.predict(family="llama", params=65e9, tokens=1.4e12, benchmark="MMLU")
    assert 0.3 < np.median(told.draws) < 0.9
