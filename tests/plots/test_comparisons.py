"""Pictures of comparisons and weights show what their frames say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import bayescale as bs
from bayescale.base.errors import CompareError
from bayescale.cli.app import app
from bayescale.comparison.comparison import Comparison
from bayescale.comparison.stacking import Stack
from bayescale.plots.comparison import column_of, plot_comparison_frame
from bayescale.plots.weights import plot_weights_frame
from tests.comparison.test_comparison import fake
from tests.kit.plot_checks import check_layout


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return bs.compare({"good": fake(), "wide": fake(sd=0.14), "shifted": fake(shift=0.1)})


def test_a_comparison_has_the_larger_error(comparison: Comparison) -> None:
    frame = plot_comparison_frame(comparison)
    short = comparison.frame.rename(columns=lambda c: c.removesuffix(f" ({comparison.task})"))
    assert list(frame["model"]) == list(short.index)
    np.testing.assert_array_equal(frame["elpd_diff"], short["elpd_diff"])
    np.testing.assert_array_equal(frame["stacking_weight"], short["stacking_weight"])
    larger = short[["se_diff", "se_diff_over_families"]].max(axis=1)
    np.testing.assert_array_equal(frame["se"], larger)
    np.testing.assert_allclose(frame["upper"] - frame["elpd_diff"], 2 * larger)
    assert frame["elpd_diff"].iloc[0] == frame["se"].iloc[0] == 0.0
    assert set(frame["task"]) == {comparison.task}


def test_a_comparison_for_another_task_is_read_too(comparison: Comparison) -> None:
    other = comparison.frame.rename(columns=lambda c: c.replace(comparison.task, "a new family"))
    over = next(c for c in other if c.startswith("se_diff_over_families"))
    new = replace(comparison, frame=other.drop(columns=over), task="a new family")
    frame = plot_comparison_frame(new)
    np.testing.assert_array_equal(frame["se"], comparison.frame.iloc[:, 4])
    assert "a new family" in bs.plot_comparison(new).get_xlabel()
    without = replace(new, frame=other[["rank (a new family)"]])
    assert column_of(without, "elpd_diff") is None
    with pytest.raises(CompareError, match="no columns elpd_diff"):
        bs.plot_comparison(without)


def test_a_forest_of_fits_is_drawn_best_on_top(comparison: Comparison) -> None:
    frame = plot_comparison_frame(comparison)
    axes = bs.plot_comparison(comparison)
    assert [t.get_text() for t in axes.get_yticklabels()] == list(frame["model"])[::-1]
    bars = axes.lines[1::2]
    for i, (bar, row) in enumerate(zip(bars, frame.to_dict("records"), strict=True)):
        assert list(bar.get_xdata()) == [row["lower"], row["upper"]]
        assert set(bar.get_ydata()) == {len(frame) - 1 - i}
    told = [text.get_text() for text in axes.texts]
    assert told == [*(f"{w:.2f}" for w in frame["stacking_weight"]), "stacking\nweight"]


def test_weights_of_a_stack_and_of_a_comparison(comparison: Comparison) -> None:
    stack = Stack({}, pd.Series({"one": 0.75, "other": 0.25}), "by size")
    frame = plot_weights_frame(stack)
    assert list(frame["weight"]) == [0.75, 0.25]
    assert set(frame["about"]) == {"by size"}
    axes = bs.plot_weights(stack)
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.25]
    assert "held-out log scores" in axes.get_xlabel()

    wider = comparison.frame.assign(**{f"pseudo_bma ({comparison.task})": [0.5, 0.3, 0.2]})
    both = plot_weights_frame(replace(comparison, frame=wider))
    assert list(both["kind"]) == 3 * ["stacking"] + 3 * ["pseudo-BMA"]
    assert list(both["weight"][3:]) == [0.5, 0.3, 0.2]
    axes = bs.plot_weights(replace(comparison, frame=wider))
    assert [bar.get_width() for bar in axes.patches] == list(both["weight"])
    places = [bar.get_y() for bar in axes.patches]
    assert places[0] > places[3] > places[1]  # bars of one fit are neighbours


def test_weights_of_anything_else_are_refused(comparison: Comparison) -> None:
    wrong: Any = pd.DataFrame()
    for draw in (bs.plot_weights, bs.plot_comparison):
        with pytest.raises(CompareError, match="but DataFrame: give what"):
            draw(wrong)
    bare = replace(comparison, frame=comparison.frame.iloc[:, :3])
    with pytest.raises(CompareError, match="no column of weights"):
        bs.plot_weights(bare)


@pytest.mark.parametrize("draw", [bs.plot_comparison, bs.plot_weights])
def test_nothing_covers_anything(draw: Any, comparison: Comparison) -> None:
    given = Figure().subplots()
    assert draw(comparison, ax=given) is given
    check_layout(draw(comparison))


def test_the_command_of_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = {"good.nc": fake(), "wide.nc": fake(sd=0.14)}
    monkeypatch.setattr(bs, "load_fit", lambda path, **_: fits[path.name])
    out = tmp_path / "x.png"
    result = CliRunner().invoke(app, ["plot", "comparison", *fits, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 5_000
    for paths, said in ((["a.nc"], "two or more fits"), (["x/a.nc", "y/a.nc"], "rename one")):
        result = CliRunner().invoke(app, ["plot", "comparison", *paths, "--out", str(out)])
        assert result.exit_code == 1
        assert said in result.stderr
