"""Pictures show what their frames say, in the axes given, and nothing is sampled to draw them.

Over 400 lines, since all pictures share the made-up fits at its top.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure

import bayescale as bs
from bayescale.backtesting.scorecard import LEVELS, score_rows, scorecard
from bayescale.base.errors import FitError, ModelError, PredictError
from bayescale.fits import Fit
from bayescale.models.cards import load_model
from bayescale.plots.coverage import plot_coverage_frame
from bayescale.plots.diagnostics import plot_rank_frame, plot_trace_frame
from bayescale.plots.fans import plot_fans_frame
from bayescale.plots.loadings import plot_loadings_frame
from bayescale.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAINS, DRAWS = 2, 200


@pytest.fixture(autouse=True)
def _pyplot_knows_of_no_figure() -> Iterator[None]:
    yield
    assert plt.get_fignums() == []


def new_axes(count: int = 1) -> Any:
    return Figure().subplots(1, count)


def made_table() -> Table:
    """Three families: growing tokens; a mixture of experts; tokens not known."""
    runs = pd.DataFrame(
        [
            ("a-1b", "a", 1e9, 1e11, np.nan),
            ("a-4b", "a", 4e9, 4e11, np.nan),
            ("a-16b", "a", 16e9, 4e11, np.nan),
            ("moe", "moe", 8e9, 1e12, 2e9),
            ("dark-7b", "dark", 7e9, np.nan, np.nan),
        ],
        columns=["run", "family", "params", "tokens", "params_active"],
    )
    scores = runs[["run"]].merge(pd.DataFrame({"benchmark": ["MMLU", "HellaSwag"]}), how="cross")
    scores["score"] = np.linspace(0.3, 0.8, len(scores))
    marks = pd.DataFrame({"benchmark": ["MMLU", "HellaSwag"], "chance": [0.25, 0.0]})
    return Table.from_long(scores, runs, marks)


class Straight:
    """Stands for a fit: draws spread evenly by 0.1 around a line in log params."""

    def __init__(self) -> None:
        self.model = load_model("skills")
        self.table = made_table()
        self.asked: list[pd.DataFrame] = []

    def predict(self, *, rows: pd.DataFrame, benchmark: list[str], **_: Any) -> SimpleNamespace:
        self.asked.append(rows)
        centre = line(rows["params"]).to_numpy().repeat(len(benchmark))
        return SimpleNamespace(draws=centre + np.linspace(-0.1, 0.1, 1001)[:, None])


def line(params: pd.Series) -> pd.Series:
    return 0.4 + 0.1 * np.log10(params / 1e9)


@pytest.fixture
def straight() -> Any:
    return Straight()


def curve_of(frame: pd.DataFrame, family: str) -> pd.DataFrame:
    return frame[(frame["part"] == "curve") & (frame["family"] == family)]


# Fans


def test_a_curve_follows_the_family_to_ten_times_its_largest_run(straight: Any) -> None:
    curve = curve_of(plot_fans_frame(straight, ["a"], ["MMLU"]), "a")
    assert curve["params"].iloc[0] == pytest.approx(1e9)
    assert curve["params"].iloc[-1] == pytest.approx(160e9)
    np.testing.assert_array_equal(curve["extrapolated"], curve["params"] > 16e9)
    # Tokens 1e11 at 1B and 4e11 at 4B are a hundred a parameter between, and constant beyond.
    np.testing.assert_allclose(curve["tokens"], np.minimum(100 * curve["params"], 4e11))
    np.testing.assert_allclose(curve["flops"], 6 * curve["params"] * curve["tokens"])


def test_a_mixture_of_experts_keeps_its_active_share(straight: Any) -> None:
    curve = curve_of(plot_fans_frame(straight, ["moe"], ["MMLU"]), "moe")
    np.testing.assert_allclose(curve["flops"], 6 * curve["params"] / 4 * 1e12)
    np.testing.assert_allclose(straight.asked[0]["params_active"], curve["params"] / 4)


def test_unknown_tokens_are_asked_as_unknown_and_drawn_at_the_median(straight: Any) -> None:
    curve = curve_of(plot_fans_frame(straight, ["dark"], ["MMLU"]), "dark")
    assert straight.asked[0]["tokens"].isna().all()
    assert curve["tokens"].isna().all()
    np.testing.assert_allclose(curve["flops"], 6 * curve["params"] * 4e11)


def test_fans_are_the_quantiles_of_the_draws(straight: Any) -> None:
    curve = curve_of(plot_fans_frame(straight, ["a"], ["MMLU"], kind="mean"), "a")
    middle = line(curve["params"])
    # Smoothing leaves a straight edge as it is.
    expected = {"median": 0.0, "lower_0.5": -0.05, "upper_0.5": 0.05}
    expected |= {"lower_0.9": -0.09, "upper_0.9": 0.09}
    for name, shift in expected.items():
        np.testing.assert_allclose(curve[f"mean_{name}"], middle + shift, atol=1e-9)


def test_points_are_the_scores_of_the_table(straight: Any) -> None:
    frame = plot_fans_frame(straight, ["a", "dark"], ["HellaSwag"])
    points = frame[frame["part"] == "observed"].set_index("run")
    table = straight.table.to_frame().query("benchmark == 'HellaSwag'").set_index("run")
    assert list(points.index) == ["a-1b", "a-4b", "a-16b", "dark-7b"]
    for column in ("score", "flops", "params", "tokens"):
        np.testing.assert_array_equal(points[column], table.loc[points.index, column])


def test_one_prediction_serves_all_families_and_benchmarks(straight: Any) -> None:
    frame = plot_fans_frame(straight)
    assert len(straight.asked) == 1
    assert set(frame["family"]) == {"a", "moe", "dark"}
    assert set(frame["benchmark"]) == {"MMLU", "HellaSwag"}


def test_the_family_with_most_runs_is_shown_by_default(straight: Any) -> None:
    straight.table = bs.load_table("sloth-2024")
    shown = plot_fans_frame(straight, benchmarks=["MMLU"])["family"].unique()
    counts = straight.table.runs["family"].value_counts()
    assert len(shown) == 3
    assert counts[shown].min() >= counts.drop(shown).max()


@pytest.mark.parametrize("kind", ["score", "mean"])
def test_what_is_drawn_is_the_frame(straight: Any, kind: str) -> None:
    axes = bs.plot_fans(straight, ["a", "moe"], ["MMLU"], kind=kind)
    assert isinstance(axes, Axes)
    frame = plot_fans_frame(straight, ["a", "moe"], ["MMLU"], kind=kind)
    solid, dashed, *_ = axes.lines
    a = curve_of(frame, "a")
    inside = a[~a["extrapolated"].astype(bool)]
    np.testing.assert_array_equal(solid.get_xdata(), inside["flops"])
    np.testing.assert_array_equal(solid.get_ydata(), inside[f"{kind}_median"])
    assert dashed.get_linestyle() == "--"
    np.testing.assert_array_equal(dashed.get_xdata(), a["flops"].iloc[len(inside) - 1 :])
    points = [c for c in axes.collections if isinstance(c, PathCollection)]
    seen = frame[(frame["part"] == "observed") & (frame["family"] == "a")]
    np.testing.assert_array_equal(points[0].get_offsets(), seen[["flops", "score"]])
    fans = [c for c in axes.collections if isinstance(c, PolyCollection) and c.get_paths()]
    edges = fans[1].get_paths()[0].vertices  # the 90% fan of the first family
    corners = a[["flops", f"{kind}_upper_0.9"]].to_numpy()
    for corner in corners:
        assert np.isclose(edges, corner).all(axis=1).any()


def test_fans_are_labelled_in_plain_numbers(straight: Any) -> None:
    axes = bs.plot_fans(straight, ["a", "moe"], ["MMLU"])
    assert axes.get_xscale() == "log"
    assert "FLOPs" in axes.get_xlabel()
    assert axes.get_title() == "MMLU"
    assert axes.xaxis.get_major_formatter()(1e21) == "1e21"
    assert axes.yaxis.get_major_formatter()(0.4) == "40%"
    [legend] = axes.figure.legends
    texts = {text.get_text() for text in legend.get_texts()}
    assert {"a", "moe", "guessing", "90% interval of a measured score"} <= texts
    assert "guessing" not in [
        t.get_text()
        for t in bs.plot_fans(straight, ["a"], ["HellaSwag"]).figure.legends[0].get_texts()
    ]  # its chance is zero


def test_the_legend_covers_no_panel(straight: Any) -> None:
    grid = bs.plot_fans(straight)
    figure = grid[0].figure
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert not any(axes.get_tightbbox().overlaps(box) for axes in grid)


def test_fans_go_into_the_axes_given(straight: Any) -> None:
    one, two = new_axes(), new_axes(2)
    assert bs.plot_fans(straight, ["a"], ["MMLU"], ax=one) is one
    assert one.figure.legends == []
    grid = bs.plot_fans(straight, ["a"], ax=two)
    assert list(grid) == list(two)
    assert [axes.get_title() for axes in two] == ["MMLU", "HellaSwag"]
    with pytest.raises(ValueError, match="2 panels to draw, 1 axes given"):
        bs.plot_fans(straight, ["a"], ax=one)


def test_families_that_cannot_be_shown_are_refused(straight: Any) -> None:
    with pytest.raises(PredictError, match=r"no family 'dork' \(did you mean \"dark\"\?\)"):
        bs.plot_fans(straight, ["dork"])
    with pytest.raises(PredictError, match="choose 1 to 6 families"):
        bs.plot_fans(straight, [])
    straight.table = bs.load_table("sloth-2024")
    with pytest.raises(PredictError, match="given: 7"):
        bs.plot_fans(straight, straight.table.families[:7])


def test_a_real_fit_can_be_drawn(small_fit: Fit) -> None:
    with pytest.raises(PredictError, match="no benchmark 'MMLO'"):
        bs.plot_fans(small_fit, ["llama-2"], ["MMLO"])
    with pytest.raises(PredictError, match="kind must be"):
        bs.plot_fans(small_fit, ["llama-2"], ["MMLU"], kind="latent")
    frame = plot_fans_frame(small_fit, ["llama-2", "pythia"], ["MMLU"])
    curves = frame[frame["part"] == "curve"]
    columns = [f"score_{q}" for q in ("lower_0.9", "lower_0.5", "median", "upper_0.5", "upper_0.9")]
    assert (curves[columns].diff(axis=1).iloc[:, 1:] >= 0).all().all()
    assert curves[columns].min().min() >= 0
    assert curves[columns].max().max() <= 1
    large = curves.groupby("family")["score_median"].last()
    assert large["llama-2"] > large["pythia"]


# Coverage


def made_card() -> Any:
    """A scorecard whose intervals hold each score with known frequency."""
    rng = np.random.default_rng(0)
    n = 60
    observed = pd.DataFrame(
        {
            "fold": 0,
            "run": [f"r{i}" for i in range(n)],
            "family": [f"f{i % 6}" for i in range(n)],
            "benchmark": "MMLU",
            "score": rng.uniform(0.4, 0.6, n),
        }
    )
    draws = np.linspace(0.3, 0.7, 400)[:, None] * np.ones(n)
    rows = score_rows(draws, draws, observed, np.zeros((400, n)))
    folds = pd.DataFrame(
        {"fold": [0], "n": [n], "seconds": [1.0], "max_r_hat": [1.0], "divergences": [0]}
    )
    return scorecard("made", rows, folds)


def test_coverage_is_that_of_the_scorecard() -> None:
    card = made_card()
    frame = plot_coverage_frame(card)
    assert list(frame["level"]) == list(LEVELS)
    assert list(frame["coverage"]) == list(card.coverage.values())
    assert list(frame["coverage_se"]) == list(card.coverage_se.values())
    pd.testing.assert_frame_equal(frame, plot_coverage_frame(card.to_dict()))


def test_the_line_and_its_band_are_the_frame() -> None:
    card = made_card()
    frame = plot_coverage_frame(card)
    axes = bs.plot_coverage(card)
    diagonal, drawn = axes.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())
    np.testing.assert_array_equal(drawn.get_xdata(), frame["level"])
    np.testing.assert_array_equal(drawn.get_ydata(), frame["coverage"])
    [band] = axes.collections
    top = (frame["coverage"] + 2 * frame["coverage_se"]).clip(0, 1)
    vertices = band.get_paths()[0].vertices
    for corner in zip(frame["level"], top, strict=True):
        assert np.isclose(vertices, corner).all(axis=1).any()
    assert drawn.get_label() == "made (60 held-out scores)"
    assert "nominal" in axes.get_xlabel()


def test_two_models_share_one_diagonal_and_an_unknown_error_has_no_band() -> None:
    card = made_card()
    plain = {**card.to_dict(), "model": "other", "coverage_se": dict.fromkeys(card.coverage)}
    axes = new_axes()
    assert bs.plot_coverage(card, ax=axes) is axes
    bs.plot_coverage(plain, ax=axes, color="black")
    assert len(axes.lines) == 3
    assert len(axes.collections) == 1
    assert [text.get_text()[:5] for text in axes.get_legend().get_texts()] == ["made ", "other"]


def test_coverage_of_a_fit_counts_the_scores_it_saw(
    made_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = made_fit.table.to_wide()[list(made_fit.table.benchmarks.index)].to_numpy()
    # Every score lies at the 7.5% point of its draws: outside 50% and 80%, inside 90% and 95%.
    draws = wide.reshape(1, -1) + np.linspace(-0.015, 0.185, 1001)[:, None]
    monkeypatch.setattr(Fit, "predict", lambda *_, **__: SimpleNamespace(draws=draws))
    frame = plot_coverage_frame(made_fit)
    assert list(frame["coverage"]) == [0.0, 0.0, 1.0, 1.0]
    assert set(frame["n"]) == {made_fit.table.n_rows}
    assert "scores that the fit saw" in bs.plot_coverage(made_fit).lines[1].get_label()


# Loadings, traces and ranks of draws made by hand


@pytest.fixture
def made_fit() -> Fit:
    """Draws that nobody sampled: chain 1 of `degrees` is shifted, the rest agree."""
    table = bs.load_table("sloth-2024").select(benchmarks=["MMLU", "HellaSwag", "GSM8K", "ARC"])
    runs = list(table.to_wide().dropna(subset=["MMLU", "HellaSwag", "GSM8K", "ARC"]).index)
    table = table.select(runs=runs[:20])
    rng = np.random.default_rng(1)

    def normal(*shape: int) -> Any:
        return rng.normal(size=(CHAINS, DRAWS, *shape))

    degrees = normal()
    degrees[1] += 1.0
    loading = normal(1, 3) + np.array([5.0, 0.5, -5.0])
    corr = np.broadcast_to(np.eye(3), (CHAINS, DRAWS, 3, 3))
    skills = ["knowledge", "common sense", "mathematics"]
    posterior = xr.Dataset(
        {
            "degrees": (("chain", "draw"), degrees),
            "loading": (("chain", "draw", "other", "skill"), loading),
            "shape": (("chain", "draw", "benchmark"), normal(4)),
            "ceiling": (("chain", "draw", "benchmark"), normal(4)),
            "spread": (("chain", "draw", "benchmark"), normal(4)),
            "intercept_family_corr": (("chain", "draw", "skill", "skill_2"), corr),
            "intercept_run": (("chain", "draw", "run", "skill"), normal(20, 3)),
        },
        {
            "other": ["ARC"],
            "skill": skills,
            "skill_2": skills,
            "benchmark": list(table.benchmarks.index),
            "run": list(table.runs.index),
        },
    )
    stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((CHAINS, DRAWS), bool))})
    return Fit(load_model("skills"), table, posterior, stats, seed=0)


def test_loadings_are_quantiles_and_anchors_are_fixed(made_fit: Fit) -> None:
    frame = plot_loadings_frame(made_fit).set_index(["benchmark", "skill"])
    draws = made_fit.posterior["loading"].sel(other="ARC", skill="common sense").to_numpy()
    row = frame.loc[("ARC", "common sense")]
    assert row["loading_median"] == np.median(draws)
    np.testing.assert_allclose(
        row[["loading_lower_0.9", "loading_upper_0.9"]].to_numpy(float),
        np.quantile(draws, [0.05, 0.95]),
    )
    assert list(frame.loc["ARC", "excludes_zero"]) == [True, False, True]
    assert not frame.loc["ARC", "fixed"].any()
    anchors = frame[frame["fixed"]]["loading_median"].unstack()
    assert anchors.loc["MMLU", "knowledge"] == 1
    assert anchors.loc["HellaSwag", "common sense"] == 1
    assert anchors.loc["GSM8K", "mathematics"] == 1
    assert anchors.sum().sum() == 3


def test_the_heat_map_shows_the_frame(made_fit: Fit) -> None:
    axes = new_axes()
    assert bs.plot_loadings(made_fit, ax=axes) is axes
    frame = plot_loadings_frame(made_fit)
    [image] = axes.images
    shown = np.asarray(image.get_array())
    np.testing.assert_allclose(shown.ravel(), frame["loading_median"])
    low, high = image.get_clim()
    assert low == -high
    assert high == np.abs(shown).max()
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("1 (anchor)") == 3
    assert [text[-1] == "*" for text in texts] == [
        row.excludes_zero and not row.fixed for row in frame.itertuples()
    ]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == list(made_fit.table.benchmarks.index)


def test_a_model_without_skills_has_no_loadings(made_fit: Fit) -> None:
    with pytest.raises(ModelError, match="'compute' has no skills"):
        bs.plot_loadings(replace(made_fit, model=load_model("compute")))


def test_the_worst_population_unknowns_come_first_and_constants_never(made_fit: Fit) -> None:
    frame = plot_trace_frame(made_fit)
    shown = list(frame["unknown"].unique())
    assert shown[0] == "degrees"
    assert len(shown) == 12
    assert not [name for name in shown if name.startswith(("intercept_run", "intercept_family"))]
    one = frame[(frame["unknown"] == "degrees") & (frame["chain"] == 1)]
    np.testing.assert_array_equal(one["value"], made_fit.posterior["degrees"].sel(chain=1))


def test_traces_are_the_draws(made_fit: Fit) -> None:
    axes = new_axes(3)
    grid = bs.plot_trace(made_fit, sites=["loading"], axes=axes)
    assert list(grid) == list(axes)
    frame = plot_trace_frame(made_fit, ["loading"])
    for panel, (name, values) in zip(grid, frame.groupby("unknown", sort=False), strict=True):
        assert panel.get_title().replace("\n", "") == name
        assert len(panel.lines) == CHAINS
        for chain, drawn in enumerate(panel.lines):
            own = values[values["chain"] == chain]
            np.testing.assert_array_equal(drawn.get_ydata(), own["value"])


def test_ranks_of_a_chain_that_differs_leave_the_band(made_fit: Fit) -> None:
    frame = plot_rank_frame(made_fit, ["degrees", "shape"])
    assert frame["rank"].between(0, 1).all()
    panels = bs.plot_rank(made_fit, sites=["degrees", "shape"])
    assert len(panels) == 5
    for panel, (name, values) in zip(panels, frame.groupby("unknown", sort=False), strict=True):
        [band] = [c for c in panel.collections if isinstance(c, PolyCollection)]
        widest = np.abs(band.get_paths()[0].vertices[:, 1]).max()
        farthest = 0.0
        for chain, drawn in enumerate(panel.lines):
            own = np.sort(values.loc[values["chain"] == chain, "rank"])
            x, y = np.asarray(drawn.get_xdata()), np.asarray(drawn.get_ydata())
            share = np.searchsorted(own, x, side="right") / len(own)
            np.testing.assert_allclose(y, share - x, atol=6 / DRAWS)
            farthest = max(farthest, np.abs(y).max())
        assert (farthest > widest) == (name == "degrees")


def test_sites_that_are_not_there_are_refused(made_fit: Fit) -> None:
    with pytest.raises(FitError, match=r"no population-level site 'loadin' \(did you mean"):
        bs.plot_trace(made_fit, sites=["loadin"])
    with pytest.raises(FitError, match="intercept_run"):
        bs.plot_rank(made_fit, sites=["intercept_run"])
    with pytest.raises(ValueError, match="3 panels to draw, 1 axes given"):
        bs.plot_rank(made_fit, sites=["loading"], axes=new_axes())
