"""The density of laws against an implementation by hand, and what it must not depend on."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from numpyro.infer.util import log_density
from scipy import stats

from bayescale.base.errors import ModelError
from bayescale.models.cards import customise, load_model, model_from_card, model_of_law
from bayescale.models.density import density
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.model import Model
from bayescale.models.simulate import simulate
from bayescale.tables.table import Table

CORPORA = ["books", "code", "web"]
REFERENCE = {"params": 1e9, "tokens": 2e10}
ONCE = {"xla_backend_optimization_level": 0}  # compiled in half the time, to run a few times


def make_table(seed: int = 0, runs: int = 12) -> Table:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "params": 10 ** rng.uniform(8, 10, runs),
            "tokens": 10 ** rng.uniform(9, 11, runs),
            "corpus": rng.choice(CORPORA, runs),
            "curve": rng.choice(["one", "two", "three", "four"], runs),
            "loss": rng.uniform(2, 4, runs),
            "score": rng.uniform(0.3, 0.8, runs),
        }
    )
    return Table.from_runs(
        frame, ["loss", "score"], units={"loss": "nats/token", "score": "accuracy"}
    )


@pytest.fixture(scope="module")
def table() -> Table:
    return make_table()


def chinchilla(**changes: Any) -> Model:
    return customise(load_model("kaplan-nd"), reference=REFERENCE, drift="none", **changes)


def draw(sites: dict[str, Any], i: int) -> dict[str, Any]:
    return {name: np.asarray(values[i]) for name, values in sites.items()}


def kaplan(table: Table, c: dict[str, Any]) -> Any:
    """L = E + [(N_c/N)^(a/b) + D_c/D]^b, by its coefficients at the reference run."""
    x = table.runs["params"].to_numpy() / REFERENCE["params"]
    y = table.runs["tokens"].to_numpy() / REFERENCE["tokens"]
    inside = c["share"] * x ** (-c["alpha_N"] / c["alpha_D"]) + (1 - c["share"]) / y
    return c["E"] + c["R"] * inside ** c["alpha_D"]


def natural(name: str, value: Any) -> Any:
    return 1 / (1 + np.exp(-value)) if name == "share" else np.exp(value)


LAW = ("E", "R", "share", "alpha_N", "alpha_D")


def test_members_shift_their_coefficient_and_effects_the_log(table: Table) -> None:
    table = table.select(benchmarks=["loss"])
    pool = {"E": "corpus", "R": {"corpus": "correlated"}, "alpha_N": {"corpus": "correlated"}}
    model = chinchilla(pool=pool, effects=["curve"])
    rows = lay_out(model, table)
    sites, grids = simulate(model, rows, draws=20, seed=1)
    corpus = np.searchsorted(CORPORA, table.runs["corpus"])
    curve = np.searchsorted(["four", "one", "three", "two"], table.runs["curve"])
    for i in range(20):
        s = draw(sites, i)
        real = {name: s[name] for name in LAW}
        for name in ("E", "R", "alpha_N"):
            real[name] = s[f"{name}_corpus"][corpus]
        expected = kaplan(table, {k: natural(k, v) for k, v in real.items()})
        expected = expected * np.exp(s["effect_curve"][curve])
        np.testing.assert_allclose(grids["expected"][i][:, 0], expected, rtol=1e-9)


def test_members_of_two_groups_add_their_offsets(table: Table) -> None:
    table = table.select(benchmarks=["loss"])
    model = chinchilla(pool={"E": {"corpus": "partial", "curve": "partial"}})
    sites, grids = simulate(model, lay_out(model, table), draws=5, seed=2)
    corpus = np.searchsorted(CORPORA, table.runs["corpus"])
    curve = np.searchsorted(["four", "one", "three", "two"], table.runs["curve"])
    for i in range(5):
        s = draw(sites, i)
        real = {name: s[name] for name in LAW}
        real["E"] = s["E_corpus"][corpus] + s["E_curve"][curve] - s["E"]
        expected = kaplan(table, {k: natural(k, v) for k, v in real.items()})
        np.testing.assert_allclose(grids["expected"][i][:, 0], expected, rtol=1e-9)


def test_scores_follow_the_loss_that_the_law_expects(table: Table) -> None:
    card = chinchilla().card + '\n[score]\nlink = "downstream-exp"\nnoise = "student-t"\n'
    model = model_from_card(card)
    rows = lay_out(model, table)
    assert rows.linked == (False, True)
    sites, grids = simulate(model, rows, draws=10, seed=3)
    for i in range(10):
        s = draw(sites, i)
        c = {name: natural(name, s[name]) for name in LAW}
        loss = kaplan(table, c)
        np.testing.assert_allclose(grids["expected"][i][:, 0], loss, rtol=1e-9)
        pivot = c["E"] + c["R"]
        largest, error = (1 / (1 + np.exp(-s[name][0])) for name in ("largest", "error"))
        missed = largest - largest * (1 - error) * np.exp(-np.exp(s["rate"][0]) * (loss - pivot))
        far = missed > 0.05  # where the error would turn negative, the link bends
        found = 1 - grids["expected"][i][:, 1]
        np.testing.assert_allclose(found[far], missed[far], atol=1e-6)


def test_log_density_is_scipys_prior_plus_likelihood(table: Table) -> None:
    table = table.select(benchmarks=["loss"])
    model = chinchilla(pool={"E": {"corpus": {"spread": [0.2, 2.0]}}, "R": "corpus:separate"})
    rows = lay_out(model, table)
    sites, grids = simulate(model, rows, draws=4, seed=4)
    priors = {c.name: c.prior for c in model.coefficients}
    with jax.enable_x64(True):
        compiled = jax.jit(
            lambda s: log_density(density, (model, rows), {}, s)[0], compiler_options=ONCE
        )
        found = [float(compiled(draw(sites, i))) for i in range(4)]
    for i in range(4):
        s = draw(sites, i)
        assert "R" not in s
        total = sum(
            stats.norm(p.location, p.scale).logpdf(s[name]).sum()
            for name, p in priors.items()
            if name in s
        )
        total += stats.norm(np.log(0.2), np.log(2)).logpdf(s["E_corpus_spread"])
        total += stats.norm(s["E"], np.exp(s["E_corpus_spread"])).logpdf(s["E_corpus"]).sum()
        total += stats.norm(priors["R"].location, priors["R"].scale).logpdf(s["R_corpus"]).sum()
        expected, y = grids["expected"][i][:, 0], rows.scores[:, 0]
        noise = stats.t(1 + np.exp(s["degrees"]), np.log(expected), np.exp(s["spread"][0]))
        total += (noise.logpdf(np.log(y)) - np.log(y)).sum()
        assert found[i] == pytest.approx(total, rel=1e-9)


def test_a_value_of_weight_zero_has_no_influence(table: Table) -> None:
    table = table.select(benchmarks=["loss"])
    card = model_of_law("power-floor").card
    card = card.replace("student-t-log", "ar1-log") + '[inputs]\nx = "tokens"\n'
    model = on_table(model_from_card(card + '[along]\nwithin = "curve"\nby = "tokens"\n'), table)
    rows = lay_out(model, table)
    weights = np.ones_like(rows.weights)
    weights[[2, 5, 7]] = 0.0
    held = rows.with_weights(weights)
    nonsense = np.where(weights > 0, rows.scores, np.nan)
    sites, _ = simulate(model, rows, draws=1, seed=5)
    rest = lay_out(model, table.select(runs=table.runs.index[weights[:, 0] > 0]))
    with jax.enable_x64(True):
        compiled = jax.jit(
            lambda s, grid: log_density(density, (model, grid), {}, s)[0], compiler_options=ONCE
        )
        three = (held, dataclasses.replace(held, scores=nonsense), rest)
        values = [float(compiled(draw(sites, 0), grid)) for grid in three]
    assert values[0] == values[1]
    assert values[0] == pytest.approx(values[2], rel=1e-9)


def test_noise_may_change_with_an_input(table: Table) -> None:
    table = table.select(benchmarks=["loss"])
    model = model_from_card('scatter = "tokens"\n' + chinchilla(noise="normal-log").card)
    rows = lay_out(model, table)
    sites, grids = simulate(model, rows, draws=4000, seed=6)
    away = np.log(grids["score"][:, :, 0] / grids["expected"][:, :, 0])
    power = rows.inputs["tokens"] ** sites["scatter"][:, None]
    standard = away / (np.exp(sites["spread"]) * power)
    assert standard.std() == pytest.approx(1.0, abs=0.02)
    with pytest.raises(ModelError, match=r"scatter names 'tokns', which is no input"):
        model_from_card('scatter = "tokns"\n' + chinchilla().card)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pool": {"E": "corpus:seperate"}}, "partial, correlated, separate"),
        ({"pool": {"EE": "corpus"}}, "no coefficient 'EE'"),
        ({"pool": {"spread": "corpus"}}, "noise does not vary by group"),
        ({"pool": {"E": "benchmark:correlated"}}, "give partial or separate"),
        ({"noise": "student-log"}, r"no noise is called 'student-log' \(did you mean"),
        ({"inputs": {"size": "params"}}, "has no input 'size'"),
        ({"noise": "ar1-log"}, r"needs \[along\]"),
        ({"priors": {"E": (1.8, 0.5)}}, "needs a spread above 1"),
    ],
)
def test_changes_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        chinchilla(**changes)
