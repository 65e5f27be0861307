"""Model cards: what they must say, how skills find their anchors, what their priors mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bayescale.base.errors import ModelError
from bayescale.models.cards import customise, list_models, load_model, model_from_card
from bayescale.models.lay_out import lay_out
from bayescale.tables.table import Table

CARD = """
name = "mine"
claim = "A curve."
law = "compute"
link = "logistic"
noise = "student-t"
[reference]
flops = 8.4e22
[priors]
slope = [0.5, 0.2]
spread = [0.02, 1.5]
[pooling.intercept]
family = { spread = [0.7, 2.0] }
"""


@pytest.mark.parametrize("name", ["compute", "observational", "skills"])
def test_every_bundled_card_parses_and_says_what_it_is(name: str) -> None:
    assert name in list_models()
    model = load_model(name)
    assert model.name == name
    assert model.claim.endswith(".")
    assert set(model.law.inputs) <= set(model.reference)
    assert set(model.pooling) <= {c.name for c in model.coefficients}
    assert load_model(model) is model


def test_a_name_in_place_of_a_table_is_told_how_to_load_it() -> None:
    name: Any = "sloth-2024"
    with pytest.raises(ModelError, match="not 'sloth-2024': load_table"):
        lay_out(load_model("compute"), name)


def test_a_card_replaces_priors_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(CARD)
    given = {c.name: c.prior for c in load_model(path).coefficients}
    declared = {c.name: c.prior for c in load_model("compute").coefficients}
    assert (given["slope"].median, given["slope"].spread) == (0.5, 0.2)
    assert given["spread"].support == "positive"
    assert given["ceiling"] == declared["ceiling"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("claim =", "clam =", r"unknown key 'clam' \(did you mean .claim"),
        ('claim = "A curve."', "", "missing key.* claim"),
        ('"compute"', '"compute-law"', "no law is called 'compute-law'"),
        ("[pooling.intercept]", "[pooling.intercpt]", "no coefficient 'intercpt'.*intercept"),
        ("slope =", "slop =", "no coefficient 'slop'.*slope"),
        ("slope = [0.5, 0.2]", "slope = [0.5, 0.0]", "spread above 0"),
        ("slope = [0.5, 0.2]", "slope = [0.5]", "card"),
        ("spread = [0.02, 1.5]", 'spread = "wide"', "card"),
        ("flops = 8.4e22", "flop = 8.4e22", r"\[reference\] lacks flops"),
        ("[reference]", '[skills]\nlogic = "BBH"\n[reference]', "skill \"logic\": .* list.*'BBH'"),
        ("[reference]", "[skills]\nlogic = [1]\n[reference]", r'skill "logic": .* list.*\[1\]'),
        ("intercept]\nfamily", "spread]\nother", "compute has no anchors"),
        ("intercept]\nfamily", "degrees]\nother", "degrees does not differ by benchmark"),
        ("[reference]", "[reference", "is not TOML"),
    ],
)
def test_a_faulty_card_is_refused_with_its_source_and_the_fault(
    old: str, new: str, said: str
) -> None:
    assert old in CARD
    with pytest.raises(ModelError, match=said) as caught:
        model_from_card(CARD.replace(old, new, 1), source="my card")
    assert str(caught.value).startswith("my card")


def test_a_misspelt_model_gets_a_hint_and_a_missing_card_its_path(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model is called 'skils' \(did you mean .skills"):
        load_model("skils")
    with pytest.raises(ModelError, match=r"no model card at .*none\.toml"):
        load_model(tmp_path / "none.toml")


def test_skills_are_anchored_at_the_first_benchmark_that_the_table_has(
    leaderboard: Table,
) -> None:
    model = load_model("skills")
    old = leaderboard.select(
        benchmarks=["ARC", "HellaSwag", "MMLU", "TruthfulQA", "Winogrande", "GSM8K"]
    )
    new = leaderboard.select(benchmarks=["IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO"])
    for table in (old, new, leaderboard):
        anchors = model.anchors(table)
        known = set(table.benchmarks.index)
        assert len(set(anchors.values())) == len(anchors)
        for skill, names in model.skills.items():
            first = [name for name in names if name in known]
            assert anchors.get(skill) == (first[0] if first else None)
    assert model.anchors(old)["knowledge"] == "MMLU"
    assert model.anchors(new)["knowledge"] == "MMLU-PRO"
    assert model.anchors(new)["mathematics"] == "MATH Lvl 5"


def test_a_table_without_any_anchor_gets_one_general_skill(leaderboard: Table) -> None:
    table = leaderboard.select(benchmarks=["BBH", "MUSR"])
    assert load_model("skills").anchors(table) == {"general": "BBH"}
    assert load_model("compute").anchors(table) == {}


def test_an_anchor_is_a_benchmark_that_has_a_score(leaderboard: Table) -> None:
    tested = leaderboard.scores.loc[leaderboard.scores["benchmark"] == "MMLU", "run"]
    only_new = leaderboard.select(runs=leaderboard.runs.index.difference(tested))
    assert "MMLU" in only_new.benchmarks.index
    assert load_model("skills").anchors(only_new)["knowledge"] == "MMLU-PRO"
    neither = only_new.select(benchmarks=["MMLU", "HellaSwag", "BBH"])
    assert load_model("skills").anchors(neither) == {"general": "BBH"}


def test_two_skills_do_not_share_an_anchor(leaderboard: Table) -> None:
    skills = {"knowledge": ("MMLU", "ARC"), "reasoning": ("MMLU", "ARC"), "wit": ("ARC", "MMLU")}
    model = replace(load_model("skills"), skills=skills)
    assert model.anchors(leaderboard) == {"knowledge": "MMLU", "reasoning": "ARC"}


def test_a_group_that_the_table_does_not_have_is_refused_with_a_hint(leaderboard: Table) -> None:
    model = model_from_card(CARD.replace("family = {", "families = {"))
    with pytest.raises(ModelError, match=r'a column "families" of groups \(did you mean "family"'):
        lay_out(model, leaderboard)


@pytest.fixture(scope="module")
def leaderboard() -> Table:
    from bayescale.tables.named import load_table

    return load_table("open-llm-leaderboard")


def test_priors_are_told_in_natural_units_and_in_points(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(CARD)
    frame = load_model(path).priors().set_index("coefficient")
    slope = frame.loc["slope"]
    low, high = stats.norm(0.5, 0.2).ppf([0.05, 0.95])
    assert (slope["lower_0.9"], slope["upper_0.9"]) == pytest.approx((low, high))
    # 25 points a logit where the logistic is steepest, and ln(10) e-folds in a tenfold.
    points = [25 * np.log(10) * end for end in (low, high)]
    assert slope["in_score_units"] == (
        f"{points[0]:+.0f} to {points[1]:+.0f} points per tenfold, mid-curve"
    )
    low, high = stats.lognorm(s=np.log(1.5), scale=0.02).ppf([0.05, 0.95])
    assert frame.loc["spread", "in_score_units"] == f"{100 * low:.1f} to {100 * high:.1f} points"
    assert frame.loc["intercept", "varies_over"] == "family"
    assert frame.loc["intercept_family_spread", "median"] == 0.7


def test_spreads_of_effects_are_among_the_priors() -> None:
    model = customise(load_model("power"), effects={"experiment": {"spread": [0.03, 2.0]}})
    row = model.priors().set_index("coefficient").loc["effect_experiment_spread"]
    assert (row["median"], row["unit"]) == (0.03, "log response")
    assert "one experiment and the next" in row["meaning"]


@pytest.mark.parametrize("name", ["compute", "observational", "skills"])
def test_every_prior_has_a_unit_and_a_meaning(name: str) -> None:
    frame = load_model(name).priors()
    assert frame["coefficient"].is_unique
    assert (frame["lower_0.9"] < frame["median"]).all()
    assert (frame["median"] < frame["upper_0.9"]).all()
    assert (frame[["unit", "meaning"]] != "").all(axis=None)
    latent = frame["unit"].str.contains("logits|score")
    assert (frame.loc[latent, "in_score_units"] != "").all()


@pytest.mark.parametrize("name", ["compute", pytest.param("skills", marks=pytest.mark.slow)])
def test_prior_scores_cover_the_plausible_range_and_no_more(name: str, small_table: Table) -> None:
    frame = load_model(name).prior_scores(small_table, draws=200, seed=1)
    assert len(frame) == 200 * len(small_table.runs) * len(small_table.benchmarks)
    assert frame["score"].between(0, 1).all()
    assert frame["expected"].between(0, 1).all()
    mmlu = frame[frame["benchmark"] == "MMLU"]
    low, high = mmlu["score"].quantile([0.05, 0.95])
    assert low < 0.35
    assert high > 0.7
    # Every observed score lies within what the prior holds possible.
    merged = small_table.scores.merge(
        frame.groupby(["run", "benchmark"])["score"].agg(["min", "max"]), on=["run", "benchmark"]
    )
    inside = merged["score"].between(merged["min"], merged["max"])
    assert inside.mean() > 0.97
    again = load_model(name).prior_scores(small_table, draws=200, seed=1)
    assert frame.equals(again)
    assert not frame.equals(load_model(name).prior_scores(small_table, draws=200, seed=2))


@pytest.mark.parametrize(
    ("law", "more", "said"),
    [
        ("chinchilla", "[pooling]\nE = { a = 'separate', b = 'partial' }", "nothing for another"),
        ("chinchilla", "[effects]\na = 'separate'", "effects of a: give partial"),
        ("chinchilla", "[effects]\na = 'correlated'", "effects of a: give partial"),
        ("chinchilla", "[score]\nlink = 'downstream-exp'", "has a link and a noise"),
        ("chinchilla", "[score]\nlink = 'logistic'\nnoise = 'normal'", "logistic is of skills"),
        ("qat", "[score]\nlink = 'downstream-exp'\nnoise = 'normal'", "group_size of qat is used"),
        ("chinchilla", "[skills]\nx = ['MMLU']", "skills of a card is for leaderboards"),
        ("chinchilla", "[along]\nwithin = 'a'\nafter = 'b'", "has within = GROUP and by = INPUT"),
        ("chinchilla", "[priors]\nE = 1.8", "prior of E = .median, spread.*given: 1.8"),
        ("chinchilla", "[priors]\nE = [inf, 2.0]", "a prior is two numbers; given: inf"),
        ("lr-annealing", "[pooling]\nL_0 = 'benchmark'", "a series has one response"),
    ],
)
def test_a_card_of_a_law_that_means_nothing_is_refused(law: str, more: str, said: str) -> None:
    head = f'name = "x"\nclaim = "X."\nlaw = "{law}"\nnoise = "normal-log"\n'
    with pytest.raises(ModelError, match=said):
        model_from_card(head + more)


def test_a_coefficient_that_is_called_like_the_noises_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "from typing import Annotated\n"
        "from bayescale.own import Flops, law, positive\n"
        '@law(response="loss", source="mine")\n'
        "def mine(flops: Flops, *, spread: Annotated[float, positive(1, 2)]) -> float:\n"
        '    """Mine."""\n'
        "    return spread\n"
    )
    with pytest.raises(ModelError, match="two coefficients are called 'spread'"):
        load_model(f"{path}:mine")
