"""Drift: a Brownian motion along inputs, zero at the reference run, new beyond the data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from numpyro.handlers import reparam
from numpyro.infer.util import log_density

import bayescale
from bayescale.base.errors import ModelError
from bayescale.fits import Fit, load_fit
from bayescale.inference.centring import COORDINATES, centring, coordinates
from bayescale.inference.one_group import only_group
from bayescale.models.cards import (
    customise,
    for_other_table,
    load_model,
    model_from_card,
    model_of_law,
)
from bayescale.models.cells import BEYOND, Cell, cell, cells_beyond, known_cells, lay_out_cells
from bayescale.models.density import density
from bayescale.models.lay_out import fitted_members, lay_out, on_table, padded
from bayescale.models.model import Model
from bayescale.models.pace import pace_of, paced
from bayescale.models.simulate import simulate
from bayescale.parts.drift import STEP, hinges
from bayescale.tables.table import Table
from tests.kit.prior_fits import fit_of
from tests.kit.short import SHORT

REFERENCE = {"params": 1e9, "tokens": 2e10}


def made_table(runs: int = 24, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    params, tokens = 10 ** rng.uniform(8, 9.5, runs), 10 ** rng.uniform(9.5, 11, runs)
    loss = 1.8 + 0.4 * (params / 1e9) ** -0.35 + 0.4 * (tokens / 2e10) ** -0.35
    loss *= np.exp(0.004 * rng.standard_normal(runs))
    frame = pd.DataFrame({"params": params, "tokens": tokens, "loss": loss})
    frame["corpus"] = rng.choice(["code", "web"], runs)
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"})


@pytest.fixture(scope="module")
def table() -> Table:
    return made_table()


REFERENCE_ORIGIN: Any = {"origin": "reference"}
FROM_REFERENCE: Any = dict.fromkeys(("params", "tokens", "flops"), REFERENCE_ORIGIN)


def drifting(drift: Any = FROM_REFERENCE, **changes: Any) -> Model:
    return customise(model_of_law("chinchilla"), reference=REFERENCE, drift=drift, **changes)


@pytest.fixture(scope="module")
def prior(table: Table) -> Fit:
    model = on_table(drifting(), table)
    sites, _ = simulate(model, lay_out(model, table), draws=64, seed=0)
    return fit_of(model, table, sites)


def reach_at(away: float, order: int, cells: int = 40) -> Any:
    start = STEP * np.arange(cells)[:, None]
    with jax.enable_x64(True):
        return np.asarray(
            hinges(order, np.full((cells, 1), away), start, np.full((cells, 1), STEP))
        )


@pytest.mark.parametrize("away", [1.0, 2.0, 5.0, 20.0])
def test_the_variance_is_that_of_a_brownian_motion(away: float) -> None:
    """The time for one that is not integrated, a third of its cube for one that is."""
    assert np.sum(reach_at(away, 1) ** 2) == pytest.approx(away, rel=1e-12)
    assert np.sum(reach_at(away, 2) ** 2) == pytest.approx(away**3 / 3, rel=STEP**2 / away**2)
    assert not reach_at(0.0, 1).any()
    assert not reach_at(0.0, 2).any()


def test_cells_reach_from_the_reference_run_to_the_data_and_then_wider() -> None:
    model = drifting({"params": REFERENCE_ORIGIN})
    inputs = {"params": np.exp([-0.7, 1.2]), "tokens": np.ones(2)}
    known = known_cells(model, inputs, {}, {})
    assert known == ["params -1", "params -2", "params +1", "params +2", "params +3"]
    beyond = cells_beyond(model, known, {})
    assert beyond[:2] == ["params -3", "params -4"]
    assert len(beyond) == 2 * BEYOND
    cells = lay_out_cells(model, known, beyond, inputs, {})
    ends = np.asarray(cells.start) + np.asarray(cells.width)
    assert ends[:5].tolist() == [-0.5, -1.0, 0.5, 1.0, 1.5]
    assert np.all(np.diff(ends[5 : 5 + BEYOND]) < -STEP)
    assert ends[-1] > 25


def test_a_cells_name_tells_it_back() -> None:
    for one in (Cell("params", "", "", "+", 2), Cell("flops", "corpus", "the web + 2", "-", 11)):
        assert cell(one.name) == one


def test_a_drift_is_a_factor_of_the_law(table: Table) -> None:
    drift = {
        "params": REFERENCE_ORIGIN,
        "tokens": {"order": 1, "own": {"corpus": [0.02, 2.0]}},
        "flops": REFERENCE_ORIGIN,
    }
    model = on_table(drifting(drift), table)
    grid = lay_out(model, table)
    sites, grids = simulate(model, grid, draws=6, seed=1)
    runs = table.runs
    away = {name: np.log(runs[name].to_numpy() / REFERENCE[name]) for name in REFERENCE}
    away["flops"] = away["params"] + away["tokens"]
    total = np.zeros((6, len(runs)))
    names = known_cells(
        model,
        {name: np.exp(away[name]) for name in REFERENCE},
        {"corpus": np.searchsorted(["code", "web"], runs["corpus"])},
        {"corpus": ["code", "web"]},
    )
    assert sites["drift"].shape == (6, len(names))
    for i, name in enumerate(names):
        one = cell(name)
        past = (away[one.along] if one.side == "+" else -away[one.along]) - STEP * (one.number - 1)
        if one.along == "tokens":
            unit = np.clip(past / STEP, 0, 1) * (runs["corpus"].to_numpy() == one.member)
        else:
            unit = np.clip(past, 0, STEP) ** 2 / (2 * STEP) + np.maximum(past - STEP, 0)
        total += sites["drift"][:, [i]] * np.sqrt(STEP) * unit
    natural = {name: np.exp(sites[name])[:, None] for name in ("E", "A", "B", "alpha", "beta")}
    law = natural["E"] + natural["A"] * np.exp(-natural["alpha"] * away["params"])
    law += natural["B"] * np.exp(-natural["beta"] * away["tokens"])
    np.testing.assert_allclose(grids["expected"][..., 0], law * np.exp(total), rtol=1e-9)


def test_without_drift_the_density_is_the_laws(table: Table) -> None:
    bare = customise(model_of_law("chinchilla"), reference=REFERENCE, drift="none")
    assert customise(drifting(), drift="none").drift == bare.drift == {}
    sites, _ = simulate(bare, lay_out(bare, table), draws=3, seed=2)
    model = drifting()
    grid = lay_out(model, table)
    extra = {f"drift_{name}_spread": -4.0 for name in ("params", "tokens", "flops")}
    extra |= {"drift": np.zeros(grid.counts("cell")[0])}
    with jax.enable_x64(True):
        for i in range(3):
            own = {name: values[i] for name, values in sites.items()}
            alone, _ = log_density(density, (bare, lay_out(bare, table)), {}, own)
            still, _ = log_density(density, (model, grid), {}, own | extra)
            priors, _ = log_density(partial(_priors, model, grid), (), {}, own | extra)
            bare_priors, _ = log_density(partial(_priors, bare, lay_out(bare, table)), (), {}, own)
            assert float(still - priors) == pytest.approx(float(alone - bare_priors), abs=1e-8)


def _priors(model: Model, grid: Any) -> None:
    density(model, grid.with_weights(np.zeros_like(grid.weights)))


@pytest.mark.parametrize("pool", [None, "corpus", dict.fromkeys("EA", "corpus:correlated")])
def test_the_samplers_coordinates_keep_the_density(table: Table, pool: Any) -> None:
    """With the log of the volume that they change, the density is that of the sites."""
    model = on_table(drifting(pool=pool), table)
    grid = lay_out(model, table)
    with jax.enable_x64(True):
        weights = centring(model, grid)

        def inner() -> None:
            config = {name: partial(coordinates, weights[name]) for name in names}
            with reparam(config=config):
                density(model, grid)

        floor = "E_corpus" if pool else "E"
        names = [floor, "drift"]
        sites, _ = simulate(model, grid, draws=1, seed=3)
        rest = {name: jnp.asarray(v[0]) for name, v in sites.items() if name not in names}
        size, floors = grid.counts("cell")[0], 2 if pool else 1
        start = 0.3 * jax.random.normal(jax.random.PRNGKey(1), (floors + size,))

        def at(z: Any) -> dict[str, Any]:
            own = z[:floors] if pool else z[0]
            return {floor + COORDINATES: own, "drift" + COORDINATES: z[floors:]}

        def values(z: Any) -> Any:
            _, trace = log_density(inner, (), {}, rest | at(z))
            return jnp.concatenate([trace[name]["value"].reshape(-1) for name in names])

        value = jax.jit(values)(start)
        _, volume = jnp.linalg.slogdet(jax.jit(jax.jacfwd(values))(start))
        found = jax.jit(lambda z: log_density(inner, (), {}, rest | at(z))[0])(start)
        own = rest | {floor: value[:floors] if pool else value[0], "drift": value[floors:]}
        wanted = jax.jit(lambda own: log_density(density, (model, grid), {}, own)[0])(own)
        assert float(found) == pytest.approx(float(wanted + volume), rel=1e-9)


def test_intervals_widen_beyond_the_data_and_questions_agree(prior: Fit) -> None:
    sizes = [1e9, 1e10, 1e12, 1e15]
    rows = pd.DataFrame({"params": sizes, "tokens": [20 * size for size in sizes]})
    together = prior.predict(rows, kind="mean", seed=5).draws
    law = customise(prior.model, drift="none")
    kept = {name: v for name, v in prior.posterior.items() if not str(name).startswith("drift")}
    bare = Fit(law, prior.table, prior.posterior[list(kept)], prior.sample_stats, 0)
    alone = bare.predict(rows, kind="mean", seed=5).draws
    width = np.log(together / alone).std(axis=0).ravel()
    assert np.all(np.diff(width) > 0)
    for i, row in rows.iterrows():
        one = prior.predict(**row, kind="mean", seed=5).draws
        np.testing.assert_allclose(one.ravel(), together[:, [i]].ravel(), rtol=1e-9)


def test_a_fit_of_a_drifting_law_is_kept_and_answers(table: Table, tmp_path: Path) -> None:
    fit = bayescale.fit(
        "chinchilla",
        table,
        drift=dict.fromkeys(("params", "tokens"), REFERENCE_ORIGIN),
        seed=1,
        **SHORT,
    )
    assert list(fit.model.drift) == ["params", "tokens"]
    fit.save(tmp_path / "drift.nc")
    again = load_fit(tmp_path / "drift.nc")
    one, two = (f.predict(params=7e10, tokens=1.4e12, seed=2) for f in (fit, again))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert fit.posterior["drift"].coords["cell"].to_numpy()[0] == "params -1"
    told = fit.model.priors().set_index("coefficient")
    assert "per root e-fold of params" in told.loc["drift_params_spread", "meaning"]


def at_edge(**scales: Any) -> Model:
    drift = {n: {"origin": "edge", **({"scale": s} if s else {})} for n, s in scales.items()}
    return drifting(drift)


def test_where_data_end_is_told_by_the_runs_that_are_fitted(table: Table) -> None:
    """A run that is held out moves no edge; where none has weight, all are data."""
    model = on_table(at_edge(params=None, flops=None), table)
    grid = lay_out(model, table)
    held = (table.runs["params"] > 1e9).to_numpy()
    cells = grid.with_weights(np.where(held[:, None], 0.0, grid.weights)).cells
    away = np.log(table.runs["params"].to_numpy() / REFERENCE["params"])
    assert cells.edges[0] == pytest.approx([away.min(), away[~held].max()])
    none = grid.with_weights(np.zeros_like(grid.weights)).cells
    assert none.edges[0] == pytest.approx([away.min(), away.max()])


def test_laws_drift_from_the_edge_unless_told_otherwise() -> None:
    for model in (model_of_law("gadre-overtrain"), load_model("chinchilla")):
        assert {drift.origin for drift in model.drift.values()} == {"edge"}
        assert not model.learns_drift
        assert not customise(model, drift="none").drift
    assert not model_of_law("vocabulary").drift  # of a quantity that may be negative
    assert not model_from_card(CARD + "[drift.params]").learns_drift
    assert not customise(model_of_law("chinchilla"), drift={"params": {}}).learns_drift
    assert model_from_card(CARD + '[drift.params]\norigin = "reference"').learns_drift


CARD = """
name = "mine"
claim = "A law that drifts."
law = "chinchilla"
noise = "student-t-log"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[drift.depth]", "along no input of chinchilla.*params, tokens, flops"),
        ("[drift.param]", 'did you mean "params"'),
        ("[drift.params]\norder = 3", r"\[drift.params\] order is 1 or 2; given: 3"),
        ("[drift.params]\norder = 1.5", "order is a whole number"),
        ("[drift.params]\nown = { benchmark = [0.1, 2.0] }", "own names benchmark: drift differs"),
        (
            "[drift.params]\nscale = [-0.1, 2.0]",
            r"scale: .*median above 0; given: -0.1",
        ),
        ("[drift.params]\nscale = 0.1", "scale is two numbers; given: 0.1"),
        ("[drift.params]\nsize = 0.1", r"\[drift.params\] has no key 'size'"),
        ('[drift.params]\norder = 1\norigin = "edge"', r"exponent of a law .*\(order 2\): leave"),
        ('[drift.params]\norigin = "edges"', 'origin is reference or edge.*did you mean "edge"'),
    ],
)
def test_a_drift_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        model_from_card(CARD + text)


def test_what_may_be_negative_does_not_drift() -> None:
    with pytest.raises(ModelError, match="that of vocabulary may be negative"):
        customise(model_of_law("vocabulary"), drift="usual")


def test_another_table_leaves_out_what_its_groups_would_drift_by(table: Table) -> None:
    own = {"own": {"lab": [0.1, 2.0]}}
    model, lacking = for_other_table(drifting({"params": own, "tokens": {}}), table)
    assert lacking == ["lab"]
    assert not any(drift.own for drift in model.drift.values())


def test_a_group_that_drifts_by_itself_must_be_there(table: Table) -> None:
    model = drifting({"params": {**REFERENCE_ORIGIN, "own": {"lab": [0.01, 2.0]}}})
    with pytest.raises(ModelError, match='needs a column "lab"'):
        lay_out(on_table(model, table), table)


def test_a_group_left_out_reaches_beyond_the_edge_of_what_is_left(table: Table) -> None:
    """As wide as in a prediction: its runs are the farthest, and the drift beyond is new."""
    model = on_table(at_edge(params=[0.04, 2.0]), table)
    grid = lay_out(model, table, fitted_members(model, table))
    largest = np.flatnonzero(table.runs["params"] >= table.runs["params"].nlargest(4).min())
    part = only_group(
        grid.with_weights(np.where(np.isin(np.arange(grid.runs), largest)[:, None], 0, 1.0)),
        grid.weights,
        largest,
    )
    assert part.counts("cell") == (0, 2 * BEYOND)
    increments = np.full((2 * BEYOND, 1), 0.1)
    pace = pace_of(model, part.cells, increments)
    found = np.asarray(paced(model, pace, part.inputs)["params"])
    assert (found / np.asarray(part.inputs["params"]) > 1.001)[: len(largest)].all()


def test_a_group_left_out_drifts_anew() -> None:
    """Its own increments are new members of the same widths, and those that all share stay."""
    table = made_table()
    model = on_table(
        drifting(
            {
                "params": {
                    **REFERENCE_ORIGIN,
                    "scale": [0.01, 2.0],
                    "own": {"corpus": [0.01, 2.0]},
                }
            }
        ),
        table,
    )
    grid = lay_out(model, table)
    runs = np.flatnonzero(table.runs["corpus"] == "web")
    part = only_group(grid, grid.weights, runs)
    known, total = part.counts("cell")
    mine = np.asarray(grid.cells.part) == 1
    mine &= np.asarray(grid.cells.member) == 1
    assert known == grid.counts("cell")[0]
    assert total - known == padded(mine.sum())
    new = slice(known, known + mine.sum())
    assert np.all(np.asarray(part.cells.member)[new] == np.asarray(part.groups["corpus"])[0])
    np.testing.assert_array_equal(part.cells.width[new], np.asarray(grid.cells.width)[mine])
    assert np.all(np.asarray(part.cells.member)[known + mine.sum() :] == -1)
