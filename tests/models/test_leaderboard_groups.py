"""A leaderboard's law reads any number of the runs, and its coefficients differ by any group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from typer.testing import CliRunner

import bayescale as bs
from bayescale.base.errors import ModelError, PredictError
from bayescale.cli.app import app
from bayescale.models.cards import model_from_card
from bayescale.models.lay_out import lay_out
from bayescale.models.model import Model
from bayescale.models.plan import plan
from bayescale.models.simulate import simulate
from bayescale.parts.find import own_laws
from bayescale.predict.predict import ask
from bayescale.tables.table import Table, only_members
from tests.kit.prior_fits import fit_of

LAW = '''
from typing import Annotated
import jax.numpy as jnp
from jax import Array
from bayescale.own import Flops, Input, law, real

Year = Annotated[Array, Input("years", 1, 10, "years since 2015")]


@law(response="skills", source="a test")
def dated(
    flops: Flops,
    year: Year,
    *,
    intercept: Annotated[Array, real(0, 1.5, "skill")],
    slope: Annotated[Array, real(0.4, 0.3, "skill")],
    progress: Annotated[Array, real(0.0, 2.0, "skill")],
) -> Array:
    """Skills grow with compute and with time."""
    return intercept + slope * jnp.log(flops) + progress * jnp.log(year)
'''
CARD = """
name = "dated-skills"
claim = "Skills grow with compute and time, at a level of each organisation."
law = "{law}:dated"
link = "logistic"
noise = "{noise}"
scatter = "flops"
[reference]
flops = 1e23
year = 6.0
[skills]
general = ["MMLU"]
[pooling.intercept]
organisation = {{ spread = [0.5, 2.0] }}
[pooling.spread]
instruct = {{ spread = [0.3, 2.0] }}
[pooling.loading]
organisation = {{ spread = [0.05, 2.0] }}
[effects]
source = {{ spread = [0.3, 2.0] }}
"""
SHORT: dict[str, Any] = {"chains": 2, "warmup": 400, "draws": 200, "seed": 2, "progress": False}
EFFECT, LEVELS = 0.5, {"acme": -0.6, "base": 0.0, "crew": 0.2, "dome": 0.5}
PROGRESS = 1.5


def model_of(card: str) -> Model:
    """Make a model of a card, and name its law, which no card runs by itself."""
    return model_from_card(card, laws=own_laws(card.split('law = "')[1].split('"')[0]))


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("law") / "dated.py"
    path.write_text(LAW, encoding="utf-8")
    return CARD.replace("{law}", str(path)).format(noise="student-t")


@pytest.fixture(scope="module")
def table() -> Table:
    """Two sources of scores half a logit apart; levels of organisations; progress by year."""
    rng = np.random.default_rng(5)
    count = 96
    runs = pd.DataFrame(
        {
            "run": [f"run-{i}" for i in range(count)],
            "family": [f"f{i % 12}" for i in range(count)],
            "organisation": rng.choice(list(LEVELS), count),
            "source": np.where(np.arange(count) % 2, "ours", "theirs"),
            "params": np.exp(rng.uniform(np.log(1e9), np.log(7e10), count)),
            "tokens": np.exp(rng.uniform(np.log(3e11), np.log(1e13), count)),
            "year": rng.uniform(3.0, 9.0, count),
            "instruct": rng.random(count) < 0.5,
        }
    )
    flops = 6 * runs["params"] * runs["tokens"]
    skill = runs["organisation"].map(LEVELS) + 0.4 * np.log(flops / 1e23)
    skill += PROGRESS * np.log(runs["year"] / 6.0) + EFFECT * (runs["source"] == "ours")
    scores = []
    for name, difficulty, loading in (("MMLU", 0.0, 1.0), ("ARC", 0.5, 0.8)):
        expected = 0.25 + 0.75 * expit(difficulty + loading * skill)
        score = np.clip(expected + 0.01 * rng.normal(size=count), 0, 1)
        scores.append(pd.DataFrame({"run": runs["run"], "benchmark": name, "score": score}))
    marks = pd.DataFrame({"benchmark": ["MMLU", "ARC"], "chance": 0.25})
    return Table.from_long(pd.concat(scores), runs, marks)


@pytest.fixture(scope="module")
def fit(card: str, table: Table) -> bs.Fit:
    return bs.fit(model_of(card), table, **SHORT)


def test_the_effect_that_was_simulated_is_found(fit: bs.Fit) -> None:
    effect = fit.posterior["effect_source"]
    apart = (effect.sel(source="ours") - effect.sel(source="theirs")).to_numpy().astype(float)
    assert apart.mean() == pytest.approx(EFFECT, abs=3 * apart.std())
    assert 0 < apart.std() < 0.1
    progress = fit.posterior["progress"].to_numpy().astype(float)
    assert progress.mean() == pytest.approx(PROGRESS, abs=4 * progress.std())
    assert progress.std() < 0.2
    assert fit.posterior["spread_instruct"].dims[2:] == ("instruct", "benchmark")


def test_levels_of_organisations_are_found_at_their_own_place(fit: bs.Fit) -> None:
    rows = [{"params": 1e10, "tokens": 1e12, "organisation": name} for name in LEVELS]
    queries = pd.DataFrame(rows).assign(year=6.0, source="theirs", instruct="False", family="f0")
    found = fit.predict(queries, benchmark="MMLU", kind="mean")
    latent = np.array([*LEVELS.values()]) + 0.4 * np.log(6e22 / 1e23)
    expected = 0.25 + 0.75 * expit(latent)
    spread = found.draws.std(axis=0)
    assert (np.abs(found.draws.mean(axis=0) - expected) < 4 * spread + 0.01).all()
    assert (spread < 0.05).all()
    strange = fit.predict(queries.iloc[:1].assign(organisation="new"), benchmark="MMLU")
    assert strange.draws.std() > 2 * found.draws.std(axis=0)[0]
    assert any('"new" is not among the fit\'s organisation' in doubt for doubt in strange.doubts)
    with pytest.raises(PredictError, match='needs "year"'):
        fit.predict(family="f0", params=1e10, tokens=1e12, organisation="acme")


@pytest.mark.slow
def test_a_saved_fit_and_an_update_keep_the_groups(
    fit: bs.Fit, table: Table, tmp_path: Path
) -> None:
    fit.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc", law=fit.model.law)
    assert again.sites().keys() == fit.sites().keys()
    one = table.select(runs=["run-0"])
    new = Table.from_long(
        one.scores.assign(run="later"),
        one.runs.reset_index().assign(run="later", organisation="elsewhere"),
        table.benchmarks.reset_index(),
    )
    after = fit.update(new, refit="never").fit
    assert after is not None
    assert "elsewhere" in after.posterior["organisation"].to_numpy()
    before = fit.sites()["intercept_organisation"].shape[1]
    assert after.sites()["intercept_organisation"].shape[1] == before + 1


@pytest.mark.parametrize("noise", ["normal", "beta"])
def test_any_noise_of_scores_works_on_a_leaderboard(card: str, table: Table, noise: str) -> None:
    text = card.replace('"student-t"', f'"{noise}"')
    if noise == "beta":
        text = text.replace('scatter = "flops"\n', "").replace("pooling.spread", "pooling.slope")
    model = model_of(text)
    _, grids = simulate(model, lay_out(model, table), draws=3, seed=0)
    assert np.isfinite(grids["score"]).all()


@pytest.mark.parametrize("noise", ["normal-log", "ar1-log"])
def test_a_noise_that_is_not_of_scores_is_refused_in_words(card: str, noise: str) -> None:
    text = card.replace('"student-t"', f'"{noise}"')
    text += '[along]\nwithin = "family"\nby = "tokens"\n' if noise == "ar1-log" else ""
    with pytest.raises(ModelError, match="not for scores of leaderboards: choose one of ar1-score"):
        model_of(text)


def test_checkpoints_of_a_leaderboard_share_noise(card: str, table: Table) -> None:
    text = card.replace('"student-t"', '"ar1-score"')
    model = model_of(text + '[along]\nwithin = "family"\nby = "tokens"\n')
    grid = lay_out(model, table)
    assert (np.asarray(grid.previous) >= 0).sum() == 2 * (len(table.runs) - len(table.families))
    sites, grids = simulate(model, grid, draws=2, seed=1)
    assert "memory" in sites
    assert np.isfinite(grids["score"]).all()


def test_a_group_that_ends_like_another_has_its_own_members(card: str, table: Table) -> None:
    """Sites are found in the plan, not by how their names end."""
    text = card.replace("[pooling.loading]\norganisation", "[pooling.slope]\nsub_organisation")
    runs = table.runs.reset_index().assign(sub_organisation=table.runs["family"].to_numpy())
    both = Table.from_long(table.scores, runs, table.benchmarks.reset_index())
    model = model_of(text)
    written = plan(model)
    assert written.new["slope_sub_organisation_new"].group == "sub_organisation"
    assert written.new["intercept_organisation_new"].group == "organisation"
    assert not {"slope_new", "slope", "slope_sub_organisation"} & written.new.keys()
    assert lay_out(model, both).counts("sub_organisation") == (12, 12)


def test_the_command_line_tells_columns_and_groups(fit: bs.Fit, tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    fit.save(path)
    told = ["predict", str(path), "--params", "10B", "--tokens", "1T", "--family", "f0", "--json"]
    told += ["--law", f"{fit.model.law.origin}:dated"]
    at = ["organisation=acme", "year=6", "source=ours", "instruct=True"]
    found = CliRunner().invoke(app, [*told, *(word for one in at for word in ("--at", one))])
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)
    assert {row["organisation"] for row in rows} == {"acme"}
    refused = CliRunner().invoke(app, [*told, "--at", "organization=acme"])
    assert refused.exit_code != 0
    assert 'did you mean "organisation"' in " ".join(refused.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("old", "new", "clash"),
    [
        ("[pooling.loading]\norganisation", "[pooling.slope]\norganisation_new", ""),
        (
            "organisation = { spread = [0.5, 2.0] }",
            "organisation = { spread = [0.5, 2.0] }\norganisation_new = { spread = [0.5, 2.0] }",
            "two coefficients are called 'intercept_organisation_new'",
        ),
        (
            "organisation = { spread = [0.5, 2.0] }",
            "g = { spread = [0.5, 2.0], correlated = true }\ng_corr = { spread = [0.5, 2.0] }",
            "two coefficients are called 'intercept_g_corr'",
        ),
    ],
)
def test_names_of_sites_that_would_clash_are_refused(
    card: str, old: str, new: str, clash: str
) -> None:
    text = card.replace(old, new, 1)
    assert text != card
    if not clash:
        assert plan(model_of(text)).twice == ()
        return
    with pytest.raises(ModelError, match=clash):
        model_of(text)


def test_a_loss_is_no_score_of_a_leaderboard(card: str, table: Table) -> None:
    loss = table.scores.query("benchmark == 'MMLU'").assign(benchmark="loss", score=2.0)
    extra = pd.DataFrame({"benchmark": ["loss"], "unit": ["nats"]})
    marks = pd.concat([table.benchmarks.reset_index(), extra])
    both = Table.from_long(pd.concat([table.scores, loss]), table.runs.reset_index(), marks)
    with pytest.raises(ModelError, match=r'is of scores, and "loss" of table .* is in "nats"'):
        lay_out(model_of(card), both)


def test_a_family_brings_the_groups_that_hold_it_whole(card: str, table: Table) -> None:
    """Its level was told beside its organisation's: with another it would be another family."""
    runs = table.runs.assign(organisation=[f"of-{name}" for name in table.runs["family"]])
    nested = Table.from_long(table.scores, runs.reset_index(), table.benchmarks.reset_index())
    assert only_members(nested, "organisation")["f3"] == "of-f3"
    assert only_members(nested, "instruct").empty
    model = model_of(card)
    made = fit_of(model, nested, simulate(model, lay_out(model, nested), draws=40, seed=0)[0])
    asked = {"params": 1e10, "tokens": 1e12, "year": 6.0, "source": "ours", "instruct": "True"}
    alone = made.predict(family="f3", benchmark="MMLU", **asked)
    named = made.predict(family="f3", organisation="of-f3", benchmark="MMLU", **asked)
    np.testing.assert_array_equal(alone.draws, named.draws)
    groups = ask(made, None, one=asked, seed=0).layout.by_draw["groups"]
    assert len(np.unique(groups["organisation"][:, 0])) > 3
