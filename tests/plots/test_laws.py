"""Pictures of laws show what the law says under the posterior, or under the prior alone.

Longer than 400 lines: all pictures share the fits made here once.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer.testing import CliRunner

import bayescale as bs
from bayescale.base.errors import ModelError, PredictError
from bayescale.cli.app import app
from bayescale.fits import Fit
from bayescale.inference.estimates import law_draws
from bayescale.models.cards import customise
from bayescale.models.lay_out import on_table
from bayescale.plots.contours import plot_contours, plot_contours_frame
from bayescale.plots.curve import plot_curve, plot_curve_frame
from bayescale.plots.fans import plot_fans
from bayescale.plots.forest import plot_forest_frame
from bayescale.plots.isoflops import plot_isoflops_frame
from bayescale.plots.prior import plot_prior_frame
from bayescale.plots.residuals import plot_residuals_frame
from bayescale.plots.scales import input_text, log_ticks
from bayescale.predict import surface
from bayescale.tables.compute import completed
from bayescale.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT: dict[str, Any] = {"chains": 2, "warmup": 200, "draws": 100, "progress": False, "seed": 1}
TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
NOISE = 0.005
TEXTS = {"books", "web"}


def true_loss(params: Any, tokens: Any) -> Any:
    t = TRUTH
    return t["E"] + t["A"] * params ** -t["alpha"] + t["B"] * tokens ** -t["beta"]


@pytest.fixture(scope="module")
def sweep() -> Table:
    """Four budgets by six sizes, of the published coefficients; one run went wrong."""
    rng = np.random.default_rng(0)
    budgets, spread = [1e19, 1e20, 1e21, 1e22], np.geomspace(0.2, 5, 6)
    flops = np.repeat(budgets, 6)
    params = np.tile(spread, 4) * np.sqrt(flops / 120)
    tokens = flops / (6 * params)
    loss = true_loss(params, tokens) * np.exp(NOISE * rng.normal(size=24))
    loss[5] *= 1.2
    frame = pd.DataFrame({"params": params, "tokens": tokens, "flops": flops, "loss": loss})
    frame["run"] = [f"run {i}" for i in range(24)]
    frame["kind"] = np.where(np.arange(24) % 2, "odd", "even")
    return Table.from_runs(frame, name="sweep")


@pytest.fixture(scope="module")
def chinchilla(sweep: Table) -> Fit:
    return bs.fit("chinchilla", sweep, drift="none", **SHORT)


@pytest.fixture(scope="module")
def pooled() -> Fit:
    """One input; two corpora with their own amplitude."""
    rng = np.random.default_rng(2)
    size = np.tile(np.geomspace(1e7, 1e10, 8), 2)
    corpus = np.repeat(["books", "web"], 8)
    amplitude = np.where(corpus == "web", 40.0, 60.0)
    loss = amplitude * size**-0.15 * np.exp(NOISE * rng.normal(size=16))
    table = Table.from_runs(pd.DataFrame({"size": size, "corpus": corpus, "loss": loss}))
    return bs.fit("power", table, pool={"A": "corpus"}, inputs={"x": "size"}, drift="none", **SHORT)


@pytest.fixture(scope="module")
def corpora() -> Fit:
    """Size and data; two corpora with their own amplitude."""
    rng = np.random.default_rng(3)
    params, tokens = (
        np.ravel(x) for x in np.meshgrid(np.geomspace(1e8, 1e10, 4), [2e9, 2e10, 2e11])
    )
    runs = pd.DataFrame({"params": np.tile(params, 2), "tokens": np.tile(tokens, 2)})
    runs["corpus"] = np.repeat(["books", "web"], len(params))
    loss = true_loss(runs["params"] * np.where(runs["corpus"] == "web", 2, 1), runs["tokens"])
    table = Table.from_runs(runs.assign(loss=loss * np.exp(NOISE * rng.normal(size=len(runs)))))
    return bs.fit("chinchilla", table, pool={"A": "corpus"}, drift="none", **SHORT)


def at_posterior(fit: Fit, params: float, tokens: float) -> Any:
    """The paper's formula under the paper's coefficients, which the pictures do not use."""
    c = law_draws(fit, None, "paper")
    return c["E"] + c["A"] * params ** -c["alpha"] + c["B"] * tokens ** -c["beta"]


# What a surface is made of


def test_two_compute_quantities_tell_the_others() -> None:
    true = {"params": 2e9, "tokens": 6e10, "flops": 6 * 2e9 * 6e10, "multiplier": 30.0}
    names = list(true)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            found = completed({first: true[first], second: true[second]})
            assert found == pytest.approx(true)
    assert completed({"params": 1.0, "lr": 2.0}) == {"params": 1.0, "lr": 2.0}


@pytest.mark.parametrize(
    ("low", "high"), [(1e7, 1e12), (2e18, 9e22), (30, 500), (1.7, 5), (2.1, 2.9), (2.41, 2.44)]
)
def test_ticks_are_few_and_inside(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert low <= ticks[0] < ticks[-1] <= high
    assert all(float(f"{tick:.4g}") == pytest.approx(tick) for tick in ticks)


def test_values_of_inputs_are_short() -> None:
    assert [input_text("params", 7e9), input_text("tokens", 1e12)] == ["7B", "1T"]
    assert [input_text("flops", 1e21), input_text("flops", 2.9e20)] == ["1e21", "2.9e20"]
    assert input_text("lr", 0.003) == "0.003"


# Contours


def test_the_surface_is_the_law_at_the_posterior(chinchilla: Fit) -> None:
    frame = plot_contours_frame(chinchilla)
    surface = frame[frame["part"] == "surface"]
    for row in surface.iloc[[0, 1234, -1]].itertuples():
        draws = at_posterior(chinchilla, row.params, row.tokens)
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
        assert row.expected_median == pytest.approx(middle, rel=1e-6)
        named = surface.loc[row.Index, ["expected_lower_0.9", "expected_upper_0.9"]]
        assert list(named) == pytest.approx([low, high], rel=1e-6)


def test_the_best_path_is_the_closed_form(chinchilla: Fit) -> None:
    frame = plot_contours_frame(chinchilla)
    path = frame[frame["part"] == "optimum"]
    c = law_draws(chinchilla, None, "paper")
    a = c["beta"] / (c["alpha"] + c["beta"])
    g = (c["alpha"] * c["A"] / (c["beta"] * c["B"])) ** (1 / (c["alpha"] + c["beta"]))
    for quantile in (0.05, 0.5, 0.95):
        rows = path[path["quantile"] == quantile]
        assert len(rows) == 40
        best = g[:, None] * (rows["flops"].to_numpy() / 6) ** a[:, None]
        np.testing.assert_allclose(rows["params"], np.quantile(best, quantile, axis=0), rtol=1e-5)
        np.testing.assert_allclose(6 * rows["params"] * rows["tokens"], rows["flops"])


@pytest.mark.parametrize("of", [None, pytest.param(("corpus", "web"), marks=pytest.mark.slow)])
def test_the_best_path_is_what_allocate_answers(
    of: tuple[str, str] | None, request: pytest.FixtureRequest
) -> None:
    fit: Fit = request.getfixturevalue("chinchilla" if of is None else "corpora")
    given = {} if of is None else dict([of])
    path = plot_contours_frame(fit, of=of).query("part == 'optimum'")
    slices = plot_isoflops_frame(fit, [float(path["flops"].iloc[20])], of=of)
    [minimum] = slices[slices["part"] == "minimum"].to_dict("records")
    answer = fit.allocate(float(path["flops"].iloc[20]), **given)
    draws = dict(zip(answer.frame["quantity"], answer.draws.T, strict=True))
    for quantile, rows in path.groupby("quantile"):
        expected = np.quantile(draws["params"], quantile)
        assert rows["params"].iloc[20] == pytest.approx(expected, rel=1e-6)
    assert minimum["params"] == pytest.approx(np.median(draws["params"]), rel=1e-6)
    assert minimum["expected_median"] == pytest.approx(np.median(draws["loss"]), rel=1e-9)


def test_lines_of_equal_compute_keep_it(chinchilla: Fit) -> None:
    lines = plot_contours_frame(chinchilla).query("part == 'isoflops'")
    np.testing.assert_allclose(6 * lines["params"] * lines["tokens"], lines["flops"])
    assert {1e19, 1e20, 1e21, 1e22} <= set(lines["flops"].round(-10))


def test_axes_of_contours_may_be_any_two_compute_quantities(chinchilla: Fit) -> None:
    frame = plot_contours_frame(chinchilla, "flops", "multiplier")
    row = frame[frame["part"] == "surface"].iloc[777]
    params = np.sqrt(row["flops"] / 6 / row["multiplier"])
    draws = at_posterior(chinchilla, params, params * row["multiplier"])
    assert row["expected_median"] == pytest.approx(np.median(draws), rel=1e-6)
    seen = frame[frame["part"] == "observed"]
    np.testing.assert_allclose(seen["multiplier"].iloc[0], 500)


def test_axes_that_tell_no_compute_have_no_path(sweep: Table) -> None:
    runs = sweep.runs.assign(unique_tokens=sweep.runs["tokens"] / np.tile([1, 4], 12))
    table = Table.from_runs(runs.assign(loss=sweep.scores["score"].to_numpy()))
    model = on_table(customise(bs.load_model("data-constrained"), drift="none"), table)
    sites = {
        c.name: (("chain", "draw"), np.full((1, 3), c.prior.location))
        for c in model.law.coefficients
    }
    never_sampled = Fit(model, table, xr.Dataset(sites), xr.Dataset(), seed=0)
    frame = plot_contours_frame(never_sampled, "params", "unique_tokens")
    assert set(frame["part"]) == {"surface", "observed"}
    assert bs.plot_contours(never_sampled, "params", "unique_tokens").get_ylabel() == (
        "unique tokens (tokens)"
    )
    # Tokens are those of the reference run, or those that were asked for.
    row = frame[frame["part"] == "surface"].iloc[100]
    medians = {c.name: c.prior.median for c in model.law.coefficients}
    tokens = {"reference": model.reference["tokens"], "asked": 1e11}
    for name, value in tokens.items():
        at = {"tokens": value} if name == "asked" else None
        found = plot_contours_frame(never_sampled, "params", "unique_tokens", at=at)
        scale = model.reference["tokens"]
        inputs = (row["params"] / model.reference["params"], value / scale)
        loss = model.law(*inputs, row["unique_tokens"] / scale, **medians)
        surface = found[found["part"] == "surface"]
        assert surface.iloc[100]["expected_median"] == pytest.approx(float(loss), rel=1e-5)


def test_points_and_path_are_drawn_from_the_frame(chinchilla: Fit, sweep: Table) -> None:
    axes = Figure().subplots()
    assert bs.plot_contours(chinchilla, ax=axes) is axes
    assert axes.figure.legends == []
    offsets = next(c for c in axes.collections if len(c.get_offsets()) == 24).get_offsets()
    np.testing.assert_allclose(offsets, sweep.runs[["params", "tokens"]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("parameters", "training tokens")
    assert axes.xaxis.get_major_formatter()(1e9) == "1B"


# isoFLOP slices


def test_budgets_are_those_of_the_table_and_their_points_too(chinchilla: Fit) -> None:
    frame = plot_isoflops_frame(chinchilla)
    assert sorted(set(frame["budget"])) == pytest.approx([1e19, 1e20, 1e21, 1e22])
    assert (frame[frame["part"] == "observed"].groupby("budget").size() == 6).all()


def test_a_slice_and_its_minimum_agree_with_the_law(chinchilla: Fit) -> None:
    frame = plot_isoflops_frame(chinchilla, [3e20])
    for row in frame[frame["part"] == "curve"].iloc[[0, 30, 59]].itertuples():
        draws = at_posterior(chinchilla, row.params, 3e20 / 6 / row.params)
        assert row.expected_median == pytest.approx(np.median(draws), rel=1e-6)
    [minimum] = frame[frame["part"] == "minimum"].to_dict("records")
    best = (TRUTH["alpha"] * TRUTH["A"] / (TRUTH["beta"] * TRUTH["B"])) ** (1 / 0.72)
    best *= (3e20 / 6) ** (TRUTH["beta"] / 0.72)
    assert minimum["params_lower_0.9"] < best < minimum["params_upper_0.9"]
    curve = frame[frame["part"] == "curve"]
    assert minimum["expected_median"] == pytest.approx(curve["expected_median"].min(), rel=1e-3)
    assert frame[frame["part"] == "observed"].empty  # the table has no such budget


@pytest.mark.parametrize("budgets", [[], [-1.0], [np.inf], list(range(1, 9))])
def test_budgets_that_make_no_slices_are_refused(chinchilla: Fit, budgets: list[float]) -> None:
    with pytest.raises(PredictError, match="budgets must be 1 to 6 positive numbers of FLOPs"):
        bs.plot_isoflops(chinchilla, budgets)


# Forests


@pytest.mark.parametrize("units", ["reference", "paper"])
def test_a_forest_has_the_intervals_of_members(pooled: Fit, units: str) -> None:
    frame = plot_forest_frame(pooled, "A", units=units)
    assert list(frame["of"]) == ["population", "books", "web"]
    for row in frame.to_dict("records"):
        place = None if row["of"] == "population" else ("corpus", row["of"])
        draws = law_draws(pooled, place, units)["A"]
        ends = [row[f"{end}_{level}"] for level in (0.5, 0.9) for end in ("lower", "upper")]
        assert ends == pytest.approx(list(np.quantile(draws, [0.25, 0.75, 0.05, 0.95])))
        assert row["median"] == pytest.approx(np.median(draws))
    books, web = frame.set_index("of").loc[["books", "web"], "median"]
    assert books > web


def test_the_band_of_a_forest_is_the_prior(pooled: Fit) -> None:
    declared = {c.name: c.prior.interval() for c in pooled.model.coefficients}
    frame = plot_forest_frame(pooled)
    for row in frame.to_dict("records"):
        ends = (row["prior_lower_0.9"], row["prior_upper_0.9"])
        assert ends == pytest.approx(declared[row["coefficient"]])
    # An exponent is the same in the paper; its prior is turned into the paper's units by draws.
    paper = plot_forest_frame(pooled, "alpha", units="paper").iloc[0]
    ends = (paper["prior_lower_0.9"], paper["prior_upper_0.9"])
    assert ends == pytest.approx(declared["alpha"], rel=0.1)
    assert list(frame[frame["coefficient"] == "alpha"]["of"]) == ["population"]


def test_a_forest_has_a_panel_for_each_coefficient(pooled: Fit) -> None:
    grid = bs.plot_forest(pooled, ["alpha", "A"])
    assert [axes.get_title() for axes in grid] == ["alpha", "A"]
    assert isinstance(bs.plot_forest(pooled, "A"), Axes)
    with pytest.raises(ValueError, match="2 panels to draw, 1 axes given"):
        bs.plot_forest(pooled, ["alpha", "A"], ax=Figure().subplots())


def test_rows_of_a_forest_are_of_nearly_equal_length(chinchilla: Fit) -> None:
    grid = bs.plot_forest(chinchilla)
    assert len(grid) == 5
    assert grid[0].get_gridspec().get_geometry() == (2, 3)
    assert all(len([t for t in axes.get_xticks() if within(axes, t)]) >= 3 for axes in grid)


def within(axes: Axes, tick: float) -> bool:
    low, high = axes.get_xlim()
    return low <= tick <= high


# Residuals


def test_residuals_are_logs_of_measured_over_expected(chinchilla: Fit, sweep: Table) -> None:
    frame = plot_residuals_frame(chinchilla, "tokens").query("part == 'observed'")
    first = frame.iloc[0]
    run = sweep.runs.loc[first["run"]]
    mean = at_posterior(chinchilla, run["params"], run["tokens"]).mean()
    assert first["expected"] == pytest.approx(mean, rel=1e-6)
    np.testing.assert_allclose(frame["residual"], np.log(frame["observed"] / frame["expected"]))
    assert list(frame.loc[frame["outlier"].astype(bool), "run"]) == ["run 5"]


def test_windows_hold_the_median_and_the_noise(chinchilla: Fit) -> None:
    frame = plot_residuals_frame(chinchilla, "kind", by="kind")
    points, windows = (frame[frame["part"] == part] for part in ("observed", "window"))
    assert list(windows["kind"]) == ["even", "odd"]
    medians = points.groupby("kind")["residual"].median()
    np.testing.assert_allclose(windows["residual_median"].astype(float), medians)
    assert (windows["noise_lower_0.9"] < 0).all()
    assert (windows["noise_upper_0.9"] > 0).all()


def test_an_outlier_is_named(chinchilla: Fit) -> None:
    axes = bs.plot_residuals(chinchilla)
    assert [text.get_text() for text in axes.texts] == ["run 5"]
    assert "log(measured / expected)" in axes.get_ylabel()


# Curves


def test_a_curve_of_a_member_is_its_law(pooled: Fit) -> None:
    frame = plot_curve_frame(pooled)
    assert set(frame["of"]) == {"books", "web"}
    curve = frame.query("part == 'curve' and of == 'web'")
    assert curve["size"].iloc[-1] == pytest.approx(1e11)
    np.testing.assert_array_equal(curve["extrapolated"], curve["size"] > 1e10)
    c = law_draws(pooled, ("corpus", "web"), "paper")
    for row in curve.iloc[[0, 40, 63]].to_dict("records"):
        middle = np.median(c["A"] * row["size"] ** -c["alpha"])
        assert row["expected_median"] == pytest.approx(middle, rel=1e-6)
    # Measurements scatter about the law: by the noise where the law is known, more beyond.
    wide = np.log(curve["measured_upper_0.9"] / curve["measured_lower_0.9"])
    narrow = np.log(curve["expected_upper_0.9"] / curve["expected_lower_0.9"])
    inside = ~curve["extrapolated"].astype(bool)
    assert (wide[inside] > narrow[inside]).all()


def test_a_member_has_one_colour_in_the_pictures_of_a_fit(pooled: Fit) -> None:
    runs = pooled.table.runs
    fewer = pooled.table.select(runs=runs.index[2:])  # most runs are of the last by name
    looks = []
    for draw in (bs.plot_curve, bs.plot_residuals):
        handles = draw(replace(pooled, table=fewer)).figure.legends[0].legend_handles
        looks.append({h.get_label(): h.get_color() for h in handles if h.get_label() in TEXTS})
    assert looks[0] == looks[1]
    assert set(looks[0]) == TEXTS


def test_members_of_a_curve_can_be_chosen(pooled: Fit) -> None:
    frame = plot_curve_frame(pooled, members=["books"])
    assert set(frame["of"]) == {"books"}
    assert len(frame[frame["part"] == "observed"]) == 8


# Priors


@pytest.fixture(scope="module")
def prior(sweep: Table) -> pd.DataFrame:
    return plot_prior_frame("chinchilla", sweep)


def test_a_prior_does_not_look_at_what_was_measured(prior: pd.DataFrame, sweep: Table) -> None:
    frame = prior
    scores = sweep.scores.assign(score=sweep.scores["score"] * 3)
    other = Table.from_long(scores, sweep.runs.reset_index(), sweep.benchmarks.reset_index())
    again = plot_prior_frame("chinchilla", other)
    for part in ("draw", "simulated"):
        pd.testing.assert_frame_equal(frame[frame["part"] == part], again[again["part"] == part])
    seen = frame[frame["part"] == "observed"]
    np.testing.assert_array_equal(seen["measured"], sweep.scores["score"])
    assert (frame.groupby("part").size()["simulated"]) == 400 * 24


def test_each_draw_of_the_prior_falls_with_size_and_draws_differ(prior: pd.DataFrame) -> None:
    frame = prior[prior["part"] == "draw"]
    wide = frame.pivot(index="draw", columns="params", values="expected")
    assert (np.diff(wide.to_numpy(), axis=1) < 0).all()
    assert wide.iloc[:, 0].nunique() == 400


def test_nothing_is_fitted_for_a_prior(sweep: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(sys.modules["bayescale.inference.run"], "sample", never)
    grid = bs.plot_prior("chinchilla", sweep)
    share = grid[1].get_title()
    assert share.endswith("lie in the range of the measured")
    assert grid[0].get_ylabel() == grid[1].get_xlabel() == "loss (nats/token)"


# All of them


DRAWN: list[Callable[[Fit, Fit], Any]] = [
    lambda two, _: bs.plot_contours(two),
    lambda two, _: bs.plot_contours(two, "flops", "params"),
    lambda two, _: bs.plot_isoflops(two),
    lambda two, _: bs.plot_forest(two)[0],
    lambda _, one: bs.plot_forest(one, "A", units="paper"),
    lambda two, _: bs.plot_residuals(two, by="kind"),
    lambda _, one: bs.plot_residuals(one, "corpus"),
    lambda _, one: bs.plot_curve(one),
    lambda two, _: bs.plot_curve(two, "tokens", at={"params": 1e9}),
    lambda two, _: bs.plot_prior("chinchilla", two.table, "tokens")[0],
]


@pytest.mark.parametrize("number", range(len(DRAWN)))
def test_legends_and_titles_cover_nothing(number: int, chinchilla: Fit, pooled: Fit) -> None:
    figure = DRAWN[number](chinchilla, pooled).figure
    figure.draw_without_rendering()
    [legend] = figure.legends
    box = legend.get_window_extent()
    assert not any(axes.get_tightbbox().overlaps(box) for axes in figure.axes)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text()]
            shown = [b for b in boxes if b.width and figure.bbox.contains(b.x0, b.y0)]
            assert not any(a.overlaps(b) for a, b in pairwise(shown))


@pytest.mark.parametrize(
    "draw",
    [
        bs.plot_contours,
        bs.plot_curve,
        bs.plot_forest,
        bs.plot_isoflops,
        bs.plot_residuals,
        lambda fit: bs.plot_prior(fit.model, fit.table),
    ],
)
def test_a_leaderboard_is_refused(draw: Callable[[Fit], Any], tiny_table: Table) -> None:
    never_sampled = Fit(bs.load_model("skills"), tiny_table, xr.Dataset(), xr.Dataset(), seed=0)
    with pytest.raises(PredictError, match="skills is a model of a leaderboard"):
        draw(never_sampled)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda f: bs.plot_contours(f), 'power has no input "params", "tokens"'),
        (lambda f: bs.plot_isoflops(f), 'no input "params", "flops"; it has "size"'),
        (lambda f: bs.plot_curve(f, "sise"), r'no input "sise" \(did you mean "size"\?\)'),
        (lambda f: bs.plot_curve(f, members=["webb"]), r'no member \'webb\' \(did you mean "web"'),
        (lambda f: bs.plot_curve(f, members=[]), "choose 1 to 6 members"),
        (lambda f: bs.plot_curve(f, by="family"), "no coefficient varies over 'family'"),
        (lambda f: bs.plot_curve(f, at={"lr": 1.0}), "no input 'lr'"),
        (lambda f: bs.plot_forest(f, "B"), 'no coefficient "B"; it has: "A", "alpha"'),
        (lambda f: bs.plot_forest(f, []), "no coefficient"),
        (lambda f: bs.plot_forest(f, by="task"), "no coefficient varies over 'task'"),
        (lambda f: bs.plot_forest(f, units="SI"), "units must be one of reference, paper"),
        (lambda f: bs.plot_residuals(f, "sise"), "no column 'sise' .did you mean \"size\""),
        (lambda f: bs.plot_residuals(f, by="size"), "by must be a group"),
        (lambda f: bs.plot_residuals(f, of=("corpus", "webb")), "no member 'webb'"),
    ],
)
def test_what_a_fit_does_not_know_is_refused(
    draw: Callable[[Fit], Any], said: str, pooled: Fit
) -> None:
    with pytest.raises(PredictError, match=said):
        draw(pooled)


def test_points_off_a_curves_slice_are_told(chinchilla: Fit, sweep: Table) -> None:
    frame = plot_curve_frame(chinchilla, "tokens", at={"params": 1e9})
    points = frame[frame["part"] == "observed"].set_index("run")
    params = sweep.runs.loc[points.index, "params"]
    expected = (params - 1e9).abs() <= 2e8
    assert 0 < expected.sum() < len(expected)
    pd.testing.assert_series_equal(points["near"].astype(bool), expected, check_names=False)
    axes = plot_curve(chinchilla, "tokens", at={"params": 1e9})
    assert axes.get_xlabel() == "training tokens, at params 1B"


def test_an_axis_is_not_held(chinchilla: Fit) -> None:
    for draw in (plot_contours, plot_curve):
        with pytest.raises(PredictError, match='"params" is an axis of this picture'):
            draw(chinchilla, "params", at={"params": 1e9})


def test_a_law_has_no_fans_of_scores(chinchilla: Fit) -> None:
    with pytest.raises(PredictError, match="plot_curve draws a law along an input"):
        plot_fans(chinchilla)


def test_inputs_of_two_axes_differ(chinchilla: Fit) -> None:
    with pytest.raises(PredictError, match="must differ"):
        bs.plot_contours(chinchilla, "params", "params")
    with pytest.raises(PredictError, match="has 2 inputs"):
        bs.plot_curve(chinchilla)
    with pytest.raises(PredictError, match="no coefficient varies over 'corpus'"):
        bs.plot_contours(chinchilla, of=("corpus", "c4"))


def test_a_prior_of_a_table_without_the_inputs_is_refused(pooled: Fit, sweep: Table) -> None:
    with pytest.raises(ModelError, match='in a column "params"'):
        bs.plot_prior("chinchilla", pooled.table)
    with pytest.raises(PredictError, match='no input "size"'):
        bs.plot_prior("chinchilla", sweep, "size")


def test_separate_members_have_to_be_named(pooled: Fit) -> None:
    rules = {"A": "corpus:separate"}
    fit = bs.fit("power", pooled.table, pool=rules, inputs={"x": "size"}, drift="none", **SHORT)
    with pytest.raises(PredictError, match=r"say which with of=\('corpus', 'books'\)"):
        surface.few_draws(fit, None)
    assert set(plot_curve_frame(fit)["of"]) == {"books", "web"}
    for units in ("reference", "paper"):
        assert list(plot_forest_frame(fit, "A", units=units)["of"]) == ["books", "web"]


# Commands


@pytest.mark.parametrize(
    "words",
    [
        ["contours", "--x", "flops"],
        ["isoflops", "--budget", "1e20"],
        ["forest", "--coefficient", "alpha", "--units", "paper"],
        ["residuals", "--against", "tokens", "--by", "kind"],
        ["curve", "--x", "params", "--at", "tokens=20B"],
    ],
)
def test_a_command_writes_its_picture(
    words: list[str], chinchilla: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.png"
    # The same fit, so that what is compiled for it serves again.
    monkeypatch.setattr(bs, "load_fit", lambda _, **__: chinchilla)
    result = CliRunner().invoke(app, ["plot", words[0], "x.nc", *words[1:], "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 5_000


def test_the_command_of_a_prior_needs_no_fit(sweep: Table, tmp_path: Path) -> None:
    sweep.to_csv(tmp_path / "runs")
    out = tmp_path / "x.svg"
    words = ["plot", "prior", "chinchilla", "--table", str(tmp_path / "runs"), "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "<svg" in out.read_text()


@pytest.mark.parametrize("of", ["corpus", "=c4", "corpus="])
def test_a_member_is_written_with_its_group(of: str, tmp_path: Path) -> None:
    words = ["plot", "contours", "x.nc", "--of", of, "--out", str(tmp_path / "x.png")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "--of" in result.output
