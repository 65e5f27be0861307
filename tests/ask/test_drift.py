"""Questions to laws that drift: each takes the drift along, the same in every question."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayescale.ask.kit.choice import NEAR
from bayescale.ask.update import _same_cells
from bayescale.fits import Fit
from bayescale.models.cards import customise, model_of_law
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.simulate import simulate
from bayescale.plots.drift import plot_drift, plot_drift_frame
from bayescale.predict.drifted import half_of_width
from bayescale.tables.table import Table
from tests.kit.prior_fits import fit_of

REFERENCE = {"params": 1e9, "tokens": 2e10}


def runs(count: int = 24, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    params, tokens = 10 ** rng.uniform(8, 9.5, count), 10 ** rng.uniform(9.5, 11, count)
    loss = 1.8 + 0.4 * (params / 1e9) ** -0.35 + 0.4 * (tokens / 2e10) ** -0.35
    frame = pd.DataFrame({"params": params, "tokens": tokens, "loss": loss})
    frame["run"] = [f"seed {seed} run {i}" for i in range(count)]
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"})


@pytest.fixture(scope="module", params=["reference", "edge"])
def fit(request: pytest.FixtureRequest) -> Fit:
    """Draws of the prior, as two chains."""
    return drawn_fit(request.param)


@pytest.fixture(scope="module")
def at_edge() -> Fit:
    return drawn_fit("edge")


def drawn_fit(origin: str) -> Fit:
    table = runs()
    drift = {along: {"origin": origin} for along in ("params", "tokens", "flops")}
    model = customise(model_of_law("chinchilla"), reference=REFERENCE, drift=drift)
    model = on_table(model, table)
    sites, _ = simulate(model, lay_out(model, table), draws=64, seed=4)
    return fit_of(model, table, sites)


def losses(fit: Fit, params: np.ndarray, tokens: np.ndarray, seed: int = 0) -> np.ndarray:
    rows = pd.DataFrame({"params": params, "tokens": tokens})
    return np.asarray(fit.predict(rows, kind="mean", seed=seed).draws)


def test_no_split_of_a_budget_near_the_best_is_better(fit: Fit) -> None:
    budget, seen = 3e20, fit.table.runs["params"]
    answer = fit.allocate(budget)
    names = list(answer.frame["quantity"])
    params, loss = (answer.draws[:, names.index(name)] for name in ("params", "loss"))
    for draw in range(0, 64, 9):
        tried = params[draw] * np.exp(np.linspace(-1.0, 1.0, 41))
        there = losses(fit, tried, budget / (6 * tried))[draw]
        assert loss[draw] == pytest.approx(there[20], rel=1e-6)
        near = (tried > seen.min() / NEAR) & (tried < seen.max() * NEAR)
        where = near if fit.model.learns_drift else slice(None)
        assert loss[draw] <= there[where].min() * (1 + 1e-9)


def test_beyond_the_data_more_compute_is_better_and_a_plan_is_near_that_of_the_law(
    at_edge: Fit,
) -> None:
    """A discrepancy may turn a curve, and an optimum flees to where it falls; a pace does not."""
    budgets = np.geomspace(1e22, 1e27, 4)
    told = [at_edge.allocate(float(budget)) for budget in budgets]
    names = list(told[0].frame["quantity"])
    loss = np.stack([answer.draws[:, names.index("loss")] for answer in told])
    assert (np.diff(loss, axis=0) < 0).all()
    floor = np.exp(at_edge.posterior["E"].to_numpy().reshape(-1))
    assert (loss[-1] > floor).all()
    bare = customise(at_edge.model, drift="none")
    kept = [name for name in at_edge.posterior if not str(name).startswith("drift")]
    law = Fit(bare, at_edge.table, at_edge.posterior[kept], at_edge.sample_stats, 0).allocate(1e25)
    moved = told[2].draws[:, names.index("params")] / law.draws[:, names.index("params")]
    assert 0.2 < np.quantile(moved, 0.25) < 1 < np.quantile(moved, 0.75) < 5


def test_what_is_required_is_the_first_place_of_a_curve_that_may_turn(fit: Fit) -> None:
    target = float(np.median(losses(fit, np.array([3e9]), np.array([6e10]))))
    answer = fit.required(target, "flops", tokens_per_param=20)
    params = np.geomspace(1e7, 1e12, 400)
    curve = losses(fit, params, 20 * params)
    there = curve <= target
    found = answer.draws[:, 0]
    flops = 120 * params**2
    for draw in np.flatnonzero(there.any(axis=1)):
        first = there[draw].argmax()
        assert found[draw] <= flops[first] * (1 + 1e-9)
        if first:
            assert found[draw] >= flops[max(first - 1, 0)] * (1 - 1e-9)
    rises = np.diff(np.log(curve), axis=1).max(axis=1) > 1e-3
    assert rises.any() == fit.model.learns_drift  # a discrepancy turns some, a pace none


def test_the_laws_shape_is_a_line_of_the_width_budget(fit: Fit) -> None:
    answer = fit.contributions(params=1e12, tokens=2e13)
    frame = answer.frame.set_index("part")
    assert frame.loc["the law's shape", "share_of_variance"] > 0
    assert frame["share_of_variance"].iloc[:-1].sum() == pytest.approx(1.0)
    bare = customise(fit.model, drift="none")
    kept = [name for name in fit.posterior if not str(name).startswith("drift")]
    without = Fit(bare, fit.table, fit.posterior[kept], fit.sample_stats, 0)
    assert "the law's shape" not in set(
        without.contributions(params=1e12, tokens=2e13).frame["part"]
    )
    before = answer.draws[:, [list(frame.index).index(p) for p in ("population", "size", "tokens")]]
    mean = without.predict(params=1e12, tokens=2e13, kind="mean").draws[:, 0]
    np.testing.assert_allclose(before.sum(axis=1), mean, rtol=1e-6)


def test_a_law_that_drifts_is_updated_by_weights_inside_its_data_only(fit: Fit) -> None:
    def one(params: float, tokens: float) -> Table:
        loss = float(np.median(losses(fit, np.array([params]), np.array([tokens]))))
        frame = pd.DataFrame({"run": ["mine"], "params": params, "tokens": tokens, "loss": loss})
        return Table.from_runs(frame, "loss", units={"loss": "nats/token"})

    inside = fit.update(one(1e9, 2e10), refit="never")
    assert inside.about["how"] == "reweighted"
    assert inside.fit is not None
    assert ("drift" in inside.fit.posterior) == fit.model.learns_drift
    if fit.model.learns_drift:
        before, after = (f.posterior["drift"].coords["cell"] for f in (fit, inside.fit))
        assert set(after.to_numpy()) == set(before.to_numpy())
    assert np.isfinite(inside.fit.predict(params=1e10, tokens=1e11).draws).all()


@pytest.mark.parametrize(("params", "same"), [(1e9, True), (1e11, False), (1e6, False)])
def test_a_run_beyond_the_data_is_in_other_cells(fit: Fit, params: float, same: bool) -> None:
    frame = pd.DataFrame({"run": ["mine"], "params": params, "tokens": 2e10, "loss": 2.5})
    new = Table.from_runs(frame, "loss", units={"loss": "nats/token"})
    assert _same_cells(fit, fit.table.add(new)) is same


def test_measuring_far_out_teaches_the_drift(fit: Fit) -> None:
    far = fit.predict(params=3e11, tokens=6e12, kind="mean")
    sizes = pd.DataFrame({"params": [1e9, 1e11], "tokens": [2e10, 2e12]})
    answer = fit.next_run(sizes, far)
    told = answer.frame.set_index("params")["reduction"]
    assert told[1e11] > told[1e9]


def test_the_picture_is_zero_where_the_law_holds_and_opens_beyond_the_data(fit: Fit) -> None:
    frame = plot_drift_frame(fit)
    assert list(dict.fromkeys(frame["along"])) == ["params", "tokens", "flops"]
    for along, own in frame.groupby("along"):
        reference = {"flops": 6 * 1e9 * 2e10, **REFERENCE}[str(along)]
        width = own["drift_upper_0.9"] - own["drift_lower_0.9"]
        near = (own["value"] / reference - 1).abs().idxmin()
        assert width[near] < 0.01 * width.max()
        if not fit.model.learns_drift:
            assert (width[~own["beyond"]] < 1e-12).all()
        last = own[own["beyond"]].index[-1]
        # A pace leaves nothing to do where an input has bought down all that it can.
        assert width[last] >= width.max() * (1 if fit.model.learns_drift else 0.5)
    axes = plot_drift(fit)
    assert [ax.get_xlabel() for ax in axes] == [
        "parameters",
        "training tokens",
        "training compute (FLOPs)",
    ]


def test_the_summary_says_where_the_laws_own_shape_is_half_of_the_width(fit: Fit) -> None:
    if fit.model.learns_drift:  # a pace says less than coefficients that no data have told
        found = half_of_width(fit)
        assert found is not None
        assert found[0] == "flops"
    bare = customise(fit.model, drift="none")
    kept = [name for name in fit.posterior if not str(name).startswith("drift")]
    assert half_of_width(Fit(bare, fit.table, fit.posterior[kept], fit.sample_stats, 0)) is None


@pytest.mark.parametrize("along", [["params", "tokens", "flops"], ["flops"]])
def test_beyond_the_data_the_shape_of_a_law_that_is_known_is_all_of_the_width(
    along: list[str],
) -> None:
    table = runs()
    drift = {name: {"origin": "edge", "scale": [1.0, 1.5]} for name in along}
    model = on_table(customise(model_of_law("chinchilla"), reference=REFERENCE, drift=drift), table)
    sites, _ = simulate(model, lay_out(model, table), draws=64, seed=4)
    sites["spread"] = np.full((64, 1), np.log(0.01))
    for name in ("E", "A", "B", "alpha", "beta"):  # known, so that the shape is all that is not
        sites[name] = np.broadcast_to(np.median(sites[name], axis=0), sites[name].shape)
    found = half_of_width(fit_of(model, table, sites))
    assert found is not None
    assert found[0] == "flops"
    assert found[1] >= 6 * (table.runs["params"] * table.runs["tokens"]).max() * 0.5
