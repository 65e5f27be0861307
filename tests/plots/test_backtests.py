"""Pictures of how far to trust forecasts: frames in closed form, and what is drawn is the frame."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.stats import binom
from typer.testing import CliRunner

import bayescale as bs
from bayescale.backtesting import scores
from bayescale.backtesting.run import Backtest
from bayescale.backtesting.scorecard import UNSEEN
from bayescale.base.errors import BacktestError
from bayescale.cli.app import app
from bayescale.cli.plot_backtest import Score
from bayescale.plots.coverage import plot_coverage_frame
from bayescale.plots.pit import plot_pit_frame
from bayescale.plots.predicted import plot_predicted_frame
from bayescale.plots.scorecards import chosen, read_cards
from bayescale.plots.skill import SCORES, plot_skill_frame
from tests.kit.plot_checks import BASELINES, FORECASTS, check_layout, made_backtest


@pytest.fixture(autouse=True)
def _pyplot_knows_of_no_figure() -> Any:
    yield
    assert plt.get_fignums() == []


@pytest.fixture(scope="module")
def found() -> Backtest:
    return made_backtest()


@pytest.fixture(scope="module")
def losses() -> Backtest:
    return made_backtest("nats/token")


@pytest.fixture(scope="module")
def card_file(found: Backtest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found.to_json(tmp_path_factory.mktemp("cards") / "card.json")


# Cards


def test_objects_and_their_json_give_the_same_pictures(found: Backtest) -> None:
    read = json.loads(json.dumps(found.to_dict()))
    for frame in (
        plot_coverage_frame,
        plot_skill_frame,
        lambda source: plot_pit_frame(source, "wide"),
        lambda source: plot_predicted_frame(source, "one rule"),
    ):
        pd.testing.assert_frame_equal(frame(found), frame(read), check_exact=False)
    one = found["sharp"]
    pd.testing.assert_frame_equal(
        plot_pit_frame(one), plot_pit_frame(found, "sharp"), check_exact=False
    )
    pd.testing.assert_frame_equal(
        plot_skill_frame(one), plot_skill_frame(one.to_dict()), check_exact=False
    )


def test_an_impossible_value_stays_impossible_in_json(found: Backtest) -> None:
    rows = found["sharp"].rows.copy()
    rows.loc[0, "log_score"] = -np.inf
    card = replace(found["sharp"], rows=rows)
    frame = plot_skill_frame(json.loads(json.dumps(card.to_dict())), score="log_score")
    assert np.isneginf(frame["mean"]).sum() == 1
    assert isinstance(bs.plot_skill(card, score="log_score"), Axes)


def test_the_only_model_needs_no_name_and_several_do(found: Backtest) -> None:
    alone = replace(found, cards={"sharp": found["sharp"]})
    assert chosen(alone, None).model == "sharp"
    assert chosen(found, "one rule").baseline
    with pytest.raises(BacktestError, match=r'there are 2 models.*"sharp", "wide".*--model'):
        chosen(found, None)
    with pytest.raises(BacktestError, match=r"no model 'sharpe' \(did you mean \"sharp\"\?\)"):
        chosen(found, "sharpe")


@pytest.mark.parametrize("source", [{}, {"model": "m"}, {"cards": [1]}, {"cards": [{"n": 1}]}])
def test_a_dictionary_that_is_no_card_is_refused(source: Any) -> None:
    with pytest.raises(BacktestError, match="write one with `bayescale backtest MODEL"):
        read_cards(source)


def test_what_is_no_card_at_all_is_refused() -> None:
    source: Any = 3
    for draw in (bs.plot_coverage, bs.plot_pit, bs.plot_predicted, bs.plot_skill):
        with pytest.raises(BacktestError, match="neither a backtest nor a scorecard: int"):
            draw(source)


def test_rows_of_an_older_version_are_told(found: Backtest) -> None:
    old = found["sharp"].to_dict()
    for row in old["rows"]:
        del row["pit"], row["distance"]
    assert isinstance(bs.plot_predicted(old), Axes)
    with pytest.raises(BacktestError, match='have no "pit"'):
        bs.plot_pit(old)
    with pytest.raises(BacktestError, match='have no "distance"'):
        bs.plot_skill(old)


# Coverage


def test_a_backtest_has_a_line_for_each_model_and_baseline(found: Backtest) -> None:
    frame = plot_coverage_frame(found)
    for name, card in {**found.cards, **found.baselines}.items():
        rows = frame[frame["model"] == name]
        assert list(rows["coverage"]) == list(card.coverage.values())
        assert list(rows["coverage_se"]) == list(card.coverage_se.values())
        assert set(rows["baseline"]) == {name in found.baselines}
    axes = bs.plot_coverage(found)
    lines = {line.get_label(): line for line in axes.lines[1:]}
    assert list(lines) == [*FORECASTS, *BASELINES]
    looks = {name: (line.get_color(), line.get_linestyle()) for name, line in lines.items()}
    assert {looks[name] for name in BASELINES} == {("#8A8A8A", "--")}
    assert looks["sharp"] != looks["wide"]
    assert len(axes.collections) == 2  # bands of models alone
    np.testing.assert_array_equal(
        lines["wide"].get_ydata(), frame.loc[frame["model"] == "wide", "coverage"]
    )


def test_a_law_has_values_and_no_scores(losses: Backtest) -> None:
    assert set(plot_coverage_frame(losses)["scores"]) == {"held-out values"}
    drawn = [
        bs.plot_coverage(losses),
        bs.plot_coverage(losses["sharp"]),
        bs.plot_pit(losses, "sharp"),
        bs.plot_predicted(losses, "sharp"),
        bs.plot_skill(losses, score="mae"),
    ]
    for axes in drawn:
        labels = [axes.get_xlabel(), axes.get_ylabel(), axes.get_title()]
        labels += [text.get_text() for text in axes.texts]
        labels += axes.get_legend_handles_labels()[1]
        assert not [label for label in labels if "score" in label]
    assert drawn[3].get_xlabel() == "observed value (nats/token)"
    assert drawn[4].get_ylabel() == "mean absolute error (nats/token; lower is better)"


# PIT


def test_bins_and_band_of_the_pit_are_closed_forms(found: Backtest) -> None:
    frame = plot_pit_frame(found, "sharp")
    pit = found["sharp"].rows["pit"]
    n = len(pit)
    assert len(frame) == 20
    assert frame["count"].sum() == n
    for row in frame.to_dict("records")[:3]:
        assert row["count"] == ((pit >= row["lower"]) & (pit < row["upper"])).sum()
    assert (frame["uniform"] == n / 20).all()
    low, high = frame["band_lower_0.99"].iloc[0], frame["band_upper_0.99"].iloc[0]
    assert binom.cdf(low - 1, n, 0.05) < 0.01 / 40 <= binom.cdf(low, n, 0.05)
    assert binom.cdf(high - 1, n, 0.05) < 1 - 0.01 / 40 <= binom.cdf(high, n, 0.05)
    assert not frame["outside"].any()
    assert plot_pit_frame(found, "one rule")["outside"].iloc[0]


def test_the_band_holds_all_bins_of_flat_histograms() -> None:
    n, times = 500, 2000
    counts = np.random.default_rng(0).multinomial(n, np.full(20, 1 / 20), size=times)
    low, high = binom.ppf([0.01 / 40, 1 - 0.01 / 40], n, 1 / 20)
    assert ((counts >= low) & (counts <= high)).all(axis=1).mean() >= 0.985


def test_the_histogram_is_drawn_with_its_meaning(found: Backtest) -> None:
    frame = plot_pit_frame(found, "one rule")
    axes = Figure().subplots()
    assert bs.plot_pit(found, "one rule", ax=axes) is axes
    bars = [patch for patch in axes.patches if np.isclose(patch.get_width(), 0.05)]
    assert [bar.get_height() for bar in bars] == list(frame["count"])
    colours = pd.Series([bar.get_facecolor() for bar in bars])
    assert colours[frame["outside"]].nunique() == colours[~frame["outside"]].nunique() == 1
    assert not axes.texts  # beside others there is no room
    [text] = bs.plot_pit(found, "one rule").texts
    for word in ("U shape", "Hump", "too high", "too low", "99%"):
        assert word in text.get_text()


# Predicted


def test_predictions_are_the_rows(found: Backtest) -> None:
    frame = plot_predicted_frame(found, "one rule")
    rows = found.baselines["one rule"].rows
    columns = ["run", "benchmark", "score", "mean_median", "score_lower_0.9", "score_upper_0.9"]
    pd.testing.assert_frame_equal(frame[columns], rows[columns])
    np.testing.assert_array_equal(frame["outside"], rows["covered_0.9"] == 0)
    assert 0 < frame["outside"].sum() < len(frame)


def test_points_intervals_and_rings_are_drawn(found: Backtest) -> None:
    frame = plot_predicted_frame(found, "one rule")
    axes = bs.plot_predicted(found, "one rule")
    mmlu, math, rings, diagonal = axes.lines
    for line, name in ((mmlu, "MMLU"), (math, "MATH")):
        rows = frame[frame["benchmark"] == name]
        np.testing.assert_array_equal(line.get_xydata(), rows[["score", "mean_median"]])
    assert mmlu.get_color() != math.get_color()
    out = frame[frame["outside"]]
    np.testing.assert_array_equal(rings.get_xydata(), out[["score", "mean_median"]])
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())
    intervals = [c for c in axes.collections if isinstance(c, LineCollection)]
    first = intervals[0].get_segments()[0]
    row = frame[frame["benchmark"] == "MMLU"].iloc[0]
    np.testing.assert_allclose(first[:, 1], row[["score_lower_0.9", "score_upper_0.9"]].tolist())
    assert axes.xaxis.get_major_formatter()(0.5) == "50%"
    told = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert told[:2] == ["MMLU", "MATH"]
    assert told[2].startswith(f"outside its interval ({len(out)} of {len(frame)}, ")


def test_many_benchmarks_share_a_colour(found: Backtest) -> None:
    card = found["sharp"].to_dict()
    for i, row in enumerate(card["rows"]):
        row["benchmark"] = f"b{i % 7}"
    axes = bs.plot_predicted(card)
    assert len(axes.lines) == 3
    assert axes.figure.legends[0].get_texts()[0].get_text() == "7 benchmarks"


def test_values_over_decades_are_drawn_in_logs(losses: Backtest) -> None:
    card = losses["sharp"].to_dict()
    for i, row in enumerate(card["rows"]):
        for name in ("score", "mean_median", "score_lower_0.9", "score_upper_0.9"):
            row[name] *= 10 ** (i % 4)
    assert bs.plot_predicted(card).get_xscale() == "log"
    assert bs.plot_predicted(losses, "sharp").get_xscale() == "linear"


# Skill


@pytest.mark.parametrize("score", list(SCORES))
def test_skill_is_the_mean_of_each_fifth(found: Backtest, score: str) -> None:
    frame = plot_skill_frame(found, score=score)
    column = SCORES[score][0]
    for name, card in {**found.cards, **found.baselines}.items():
        own = frame[frame["model"] == name].reset_index(drop=True)
        assert own["n"].sum() == card.n
        # Three distances and nothing between: fifths that are alike are one.
        np.testing.assert_allclose(own["factor"], [2, 10, 100, np.nan])
        assert list(own["distance"]) == ["× 2 to × 2", "× 10 to × 10", "× 100 to × 100", UNSEEN]
        rows = card.rows[card.rows["distance"].round(6) == 1.0]
        mean, se = scores.cluster_bootstrap(rows[column], rows["family"], seed=0)
        assert own.loc[1, "mean"] == pytest.approx(mean)
        assert own.loc[1, "mean_se"] == pytest.approx(se)
        assert own.loc[1, "families"] == 9
        assert np.isnan(own.loc[3, "mean_se"])  # one family alone


def test_fifths_hold_a_fifth_each(found: Backtest) -> None:
    card = found["sharp"].to_dict()
    for i, row in enumerate(card["rows"]):
        row["distance"] = i / 10
    frame = plot_skill_frame(card)
    assert len(frame) == 5
    assert frame["n"].max() - frame["n"].min() <= 1
    every = np.arange(card["n"]) / 10
    middle = np.median(every[every <= np.quantile(every, 0.2)])
    assert frame["factor"].iloc[0] == pytest.approx(10**middle)


def test_skill_is_drawn_in_points_and_plain_factors(found: Backtest) -> None:
    frame = plot_skill_frame(found)
    axes = bs.plot_skill(found)
    assert axes.get_ylabel() == "CRPS (points; lower is better)"
    assert bs.plot_skill(found, score="log_score").get_ylabel().startswith("log score (nats; high")
    own = frame[frame["model"] == "sharp"]
    joined, apart = axes.containers[:2]
    np.testing.assert_allclose(joined.lines[0].get_ydata(), 100 * own["mean"].iloc[:3])
    np.testing.assert_allclose(apart.lines[0].get_ydata(), 100 * own["mean"].iloc[3:])
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == [*(f"× {n}" for n in (2, 5, 10, 20, 50, 100)), "family not\nin training"]
    told = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert told == [*FORECASTS, *BASELINES]


@pytest.mark.parametrize("distance", [None, 0.0, 0.3, -1.2])
def test_distances_may_be_alike_or_unknown(found: Backtest, distance: float | None) -> None:
    card = found["sharp"].to_dict()
    for row in card["rows"]:
        row["distance"] = distance
    assert len(plot_skill_frame(card)) == 1
    axes = bs.plot_skill(card)
    low, high = axes.get_xlim()
    [place] = axes.containers[distance is None].lines[0].get_xdata()
    assert low < place < high
    axes.figure.draw_without_rendering()


def test_scores_that_nobody_knows_are_refused(found: Backtest) -> None:
    with pytest.raises(BacktestError, match=r"no score 'crsp' \(did you mean \"crps\"\?\)"):
        bs.plot_skill(found, score="crsp")
    assert list(Score) == list(SCORES)


# All of them


@pytest.mark.parametrize("name", ["coverage", "pit", "predicted", "skill"])
def test_nothing_covers_anything(name: str, found: Backtest) -> None:
    draw = {
        "coverage": lambda ax: bs.plot_coverage(found, ax=ax),
        "pit": lambda ax: bs.plot_pit(found, "wide", ax=ax),
        "predicted": lambda ax: bs.plot_predicted(found, "wide", ax=ax),
        "skill": lambda ax: bs.plot_skill(found, ax=ax),
    }[name]
    given = Figure().subplots()
    assert draw(given) is given
    assert given.figure.legends == []
    check_layout(draw(None))


# Commands


@pytest.mark.parametrize(
    "words",
    [
        ["coverage"],
        ["pit", "--model", "sharp"],
        ["predicted", "--model", "one rule"],
        ["skill", "--score", "mae"],
    ],
    ids=lambda words: words[0],
)
def test_a_command_writes_its_picture(words: list[str], card_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.png"
    line = ["plot", words[0], str(card_file), *words[1:], "--out", str(out)]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 5_000


@pytest.mark.parametrize("kind", ["coverage", "pit", "predicted", "skill"])
@pytest.mark.parametrize("text", [None, "{", "[1]", '{"cards": [{}]}', '{"comparison": []}'])
def test_a_wrong_file_is_told_with_the_command_that_writes_a_right_one(
    kind: str, text: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    out = tmp_path / "x.png"
    result = CliRunner().invoke(app, ["plot", kind, str(path), "--out", str(out)])
    assert result.exit_code == 1
    assert "bayescale backtest MODEL --by size --json card.json" in result.stderr
    assert not out.exists()


def test_a_fit_is_no_card(tmp_path: Path) -> None:
    path = tmp_path / "skills.nc"
    path.write_bytes(b"\x89HDF\r\n")
    result = CliRunner().invoke(app, ["plot", "pit", str(path), "--out", str(tmp_path / "x.png")])
    assert result.exit_code == 1
    assert "is not JSON" in result.stderr
