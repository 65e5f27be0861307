"""Pictures of answers show what the answers say, and nothing covers anything."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import bayescale as bs
from bayescale.ask.answer import Answer
from bayescale.base.errors import AskError
from bayescale.plots import ask
from bayescale.plots.answer import questions_drawn
from bayescale.plots.marks import LABELS
from bayescale.plots.style import COLOURS, GREY
from tests.kit.answers_by_hand import (
    ALONG,
    EXAMPLES,
    HIGH,
    LOW,
    allocate,
    contributions,
    crossing,
    curves,
    elasticity,
    exceed,
    gain,
    next_run,
    place,
    required,
    update,
)
from tests.kit.plot_checks import check_layout


def drawn(answer: Answer) -> list[Axes]:
    found: Any = bs.plot_answer(answer)
    return list(np.atleast_1d(np.asarray(found, dtype=object)))


@cache
def example(name: str) -> list[Axes]:
    """Panels of an example, for tests that only look at them."""
    return drawn(EXAMPLES[name])


def told(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def legend_texts(axes: Axes) -> list[str]:
    figure: Any = axes.figure
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line_at(axes: Axes, x: Any, y: Any) -> bool:
    """Whether some line of a panel runs through just these points."""
    return any(
        np.shape(line.get_xdata()) == np.shape(x)
        and np.allclose(np.asarray(line.get_xdata(), float), x)
        and np.allclose(np.asarray(line.get_ydata(), float), y)
        for line in axes.lines
    )


def ticks(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def test_every_question_with_a_picture_is_tried_here() -> None:
    assert {answer.question for answer in EXAMPLES.values()} == set(questions_drawn())
    files = {path.stem for path in Path(ask.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == set(questions_drawn())


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_covers_anything(name: str) -> None:
    panels = example(name)
    for axes in panels:
        check_layout(axes)
        inside = axes.get_window_extent()
        boxes = [t.get_window_extent() for t in axes.texts if t.get_text()]
        assert all(box.x0 >= inside.x0 - 1 and box.x1 <= inside.x1 + 1 for box in boxes)
        boxes.sort(key=lambda box: -box.y0)
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    for axes, other in pairwise(panels):
        assert not axes.get_tightbbox().overlaps(other.get_tightbbox())


@pytest.mark.parametrize("name", EXAMPLES)
def test_given_axes_are_used(name: str) -> None:
    own = example(name)
    given = Figure(figsize=(9, 9), layout="constrained").subplots(len(own), squeeze=False).ravel()
    used: Any = bs.plot_answer(EXAMPLES[name], ax=given if len(own) > 1 else given[0])
    assert list(np.atleast_1d(np.asarray(used, dtype=object))) == list(given)
    assert all(axes.has_data() for axes in given)
    assert not given[0].figure.legends, "the figure is the user's"
    if (legend := given[0].get_legend()) is not None and len(given) == 1:
        given[0].figure.draw_without_rendering()
        assert not legend.get_window_extent().overlaps(given[0].get_window_extent())
    with pytest.raises(ValueError, match="axes given"):
        bs.plot_answer(EXAMPLES[name], ax=[*given, given[0]])


def test_what_cannot_be_drawn_is_refused() -> None:
    wrong: Any = pd.DataFrame()
    with pytest.raises(AskError, match=r"not an answer but DataFrame: .*fit\.required"):
        bs.plot_answer(wrong)
    with pytest.raises(AskError, match=r"checklist has no picture: print it.*allocate, .*update"):
        bs.plot_answer(replace(required(), question="checklist"))
    for bare in (None, pd.DataFrame({"params": []})):
        with pytest.raises(AskError, match="no picture frame"):
            bs.plot_answer(replace(required(), picture=bare))


def test_required_marks_what_is_enough_and_says_never() -> None:
    answer = required()
    assert answer.picture is not None
    [axes] = drawn(answer)
    assert line_at(axes, answer.picture["params"], answer.picture["probability"])
    assert line_at(axes, [4e10], [0.6])
    assert line_at(axes, [0, 1], [0.6, 0.6])
    assert told(axes) == ["20%: never, whatever the amount"]
    axes.figure.draw_without_rendering()
    whole = axes.transData.transform((1e9, 1.0))[1]
    assert axes.texts[0].get_window_extent().y0 > whole, "the words cover no curve"
    band = next(p for p in axes.patches if to_hex(p.get_facecolor()) == GREY.lower())
    assert band.get_window_extent().y0 == pytest.approx(axes.transData.transform((1e9, 0.8))[1])
    assert axes.get_xlabel() == "parameters"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1B", "10B", "100B"]
    legend = legend_texts(axes)
    assert {"90% interval: 3B to never", "asked for: 60%", "enough: 40B"} < set(legend)


def test_required_says_so_where_no_amount_is_enough_or_never_does_not_happen() -> None:
    [axes] = drawn(required(asked=0.9, enough=np.inf))
    assert "asked for: 90%, which no amount reaches" in legend_texts(axes)
    assert not any("enough:" in text for text in legend_texts(axes))
    assert told(drawn(required(never=0.0))[0]) == []


def test_required_shows_an_amount_beyond_its_curve() -> None:
    [axes] = drawn(required(enough=5e12))
    assert axes.get_xlim()[1] > 5e12


def test_exceed_has_a_bar_and_a_number_for_each_rival() -> None:
    answer = exceed()
    panels = drawn(answer)
    assert [axes.get_title() for axes in panels] == ["mark 0", "mark 1"]
    for axes, (_, rows) in zip(panels, answer.frame.groupby("benchmark"), strict=True):
        assert [bar.get_width() for bar in axes.patches] == list(rows["probability"])
        places = [bar.get_y() for bar in axes.patches]
        assert places == sorted(places, reverse=True)
        colours = [to_hex(bar.get_facecolor()) for bar in axes.patches]
        assert colours[-1] not in colours[:-1], "all of them stands apart"
    assert told(panels[0]) == ["over 99%", "80%", "60%"]
    assert told(panels[1])[-1] == "under 1%"
    assert ticks(panels[0]) == ["a-7b", "a value of 0.5", "all of them"]


def test_exceed_of_one_rival_has_a_row_for_each_benchmark() -> None:
    [axes] = drawn(exceed(5, ("a-7b",)))
    assert ticks(axes) == [f"mark_{i}" for i in range(5)]
    assert axes.get_title() == "against a-7b"
    assert "measured score" in axes.get_xlabel()
    mean = replace(exceed(5, ("a-7b",)), about={"kind": "mean"})
    assert "expected value" in drawn(mean)[0].get_xlabel()


def test_allocate_draws_each_input_and_the_ratio() -> None:
    answer = allocate({"tokens_per_param": 80.0})
    assert answer.picture is not None
    sizes, ratio = drawn(answer)
    for axes, names in ((sizes, ("params", "tokens")), (ratio, ("tokens_per_param",))):
        for name in names:
            own = answer.picture[answer.picture["quantity"] == name]
            assert line_at(axes, own["budget"], own["median"])
        assert len(axes.collections) == len(names)
        assert line_at(axes, [1e22, 1e22], [0, 1])
    assert line_at(ratio, [0, 1], [80.0, 80.0])
    assert line_at(sizes, [1e22], [5e9])
    assert line_at(sizes, [1e22], [4e11])
    assert "rival, 80 tokens per parameter" in legend_texts(sizes)
    assert ratio.get_ylabel() == "best tokens per parameter"


def test_allocate_holds_a_ratio_at_one_budget_where_the_rival_is_a_size() -> None:
    *_, ratio = drawn(allocate({"params": 5e9}))
    assert line_at(ratio, [1e22], [80.0])
    assert not line_at(ratio, [0, 1], [80.0, 80.0])


def test_allocate_gives_other_inputs_a_panel_each_and_needs_no_rival() -> None:
    labels = [axes.get_ylabel() for axes in drawn(allocate(more=("learning_rate", "batch")))]
    assert labels[1:3] == ["best learning rate", "best batch"]
    assert not any("rival" in text for text in legend_texts(drawn(allocate())[0]))


def test_crossing_marks_where_on_the_axis() -> None:
    [axes] = drawn(crossing())
    for _, rows in curves().groupby("of"):
        assert line_at(axes, rows["flops"], rows["median"])
    assert line_at(axes, [1e19, 1e22], [0.035, 0.035])
    assert line_at(axes, [1e20], [0.035])
    assert told(axes) == ["crossing: 1e20 (1e19 to 1e22)"]
    assert axes.get_title() == "3%: they never cross between 1e18 and 1e28 FLOPs"
    assert axes.get_ylabel() == "expected loss"
    assert axes.get_yscale() == "log"


def test_crossing_that_may_never_be_runs_off_the_right() -> None:
    [axes] = drawn(crossing(np.inf, np.inf, 0.8))
    right = ALONG[-1]
    assert line_at(axes, [1e19, right], [0.035, 0.035])
    assert [line.get_marker() for line in axes.lines if line_at_right(line, right)] == [">"]
    assert told(axes) == ["crossing: never (1e19 to never)"]
    nowhere = crossing(np.inf, np.inf, 1.0)
    frame = nowhere.frame.assign(**{LOW: np.inf})
    [axes] = drawn(replace(nowhere, frame=frame))
    assert told(axes) == []
    assert axes.get_title().startswith("over 99%: they never cross")


def line_at_right(line: Any, right: float) -> bool:
    return len(line.get_xdata()) == 1 and bool(np.isclose(line.get_xdata()[0], right))


def test_scores_are_drawn_on_a_plain_axis() -> None:
    low = curves().assign(**{name: lambda f, n=name: f[n] / 10 for name in ("median", LOW, HIGH)})
    assert drawn(replace(crossing(), picture=low))[0].get_yscale() == "linear"


def test_gain_goes_from_one_curve_to_the_other() -> None:
    [axes] = drawn(gain())
    level = np.interp(np.log(1e22), np.log(ALONG), curves().query("of == 'web'")["median"])
    assert line_at(axes, [1e22], [level])
    assert line_at(axes, [1e22, 1e22], [0, 1])
    arrow = next(text for text in axes.texts if getattr(text, "arrow_patch", None) is not None)
    assert arrow.xy == (pytest.approx(1e23), pytest.approx(level))  # type: ignore[attr-defined]
    assert line_at(axes, [2e22, 1e24], [0.035, 0.035])
    words = axes.get_title().replace("\n", " ")
    assert "1e22 FLOPs of web are worth 10 times as many of code" in words
    assert "never" not in words
    words = drawn(gain(np.inf, np.inf, 0.7))[0].get_title().replace("\n", " ")
    assert "70%: it never gets there" in words


def test_elasticity_has_dots_bars_and_a_line_at_zero() -> None:
    answer = elasticity()
    [axes] = drawn(answer)
    assert line_at(axes, [0, 0], [0, 1])
    assert line_at(axes, answer.frame["change_median"], [2, 1, 0])
    [bars] = axes.collections
    spans = [(path.vertices[0, 0], path.vertices[1, 0]) for path in bars.get_paths()]
    expected = answer.frame[[f"change_{LOW}", f"change_{HIGH}"]].to_numpy()
    np.testing.assert_allclose(spans, expected)
    assert told(axes) == ["+0.02", "+0.05", "+0.08"]
    assert "when doubled" in axes.get_xlabel()
    assert "when multiplied by 10" in drawn(elasticity(factor=10.0))[0].get_xlabel()
    many = drawn(elasticity(5, -1.0))
    assert len({axes.get_xlim() for axes in many}) == 1
    assert all(axes.get_xlim()[1] > 0 for axes in many)


def test_contributions_walk_from_the_population_to_the_total() -> None:
    walk, shares = drawn(contributions())
    assert [(bar.get_x(), bar.get_width()) for bar in walk.patches] == [
        (pytest.approx(0.5), pytest.approx(0.2)),
        (pytest.approx(0.7), pytest.approx(-0.05)),
        (pytest.approx(0.65), 0.0),
    ]
    assert line_at(walk, [0.5, 0.64], [4, 0])  # dots: the total is where it is
    assert told(walk) == ["0.500", "+0.200", "-0.050", "+0.000", "0.640"]
    assert [bar.get_width() for bar in shares.patches] == [0.3, 0.9, -0.3, 0.1, 1.0]
    assert told(shares) == ["30%", "90%", "-30%", "10%", "100%"]
    assert shares.get_xlim()[0] < -0.3
    assert "below 0" in shares.get_xlabel()


def test_update_draws_before_after_and_what_was_observed() -> None:
    answer = update()
    assert answer.picture is not None
    [axes] = drawn(answer)
    assert ticks(axes) == [f"mark-{i}" for i in range(4)]
    places = np.array([3.0, 2.0, 1.0, 0.0])
    for when, shift in (("before", 0.17), ("after", -0.17)):
        own = answer.picture[answer.picture["when"] == when]
        assert line_at(axes, own["median"], places + shift)
    assert line_at(axes, answer.frame["observed"], [3, 1])
    assert legend_texts(axes) == ["before the new scores", "after the new scores", "observed"]
    [axes] = drawn(update(9, 1))
    assert ticks(axes) == [f"run-{i}" for i in range(9)]
    assert axes.get_xlabel() == "measured mark-0 (90% interval)"
    assert len(drawn(update(2, 5))) == 2


def test_place_orders_runs_and_thins_their_names() -> None:
    answer = place()
    [axes] = drawn(answer)
    assert ticks(axes) == [f"run-{i}" for i in range(11, -1, -1)]
    assert line_at(axes, answer.frame["median"][::-1], np.arange(12)[::-1])
    crosses = next(line for line in axes.lines if line.get_marker() == "x")
    assert np.isfinite(np.asarray(crosses.get_xdata(), float)).sum() == 3
    assert crosses.get_color() == COLOURS[1]
    assert axes.get_xlabel() == "score on new mark"
    [axes] = drawn(place(150))
    assert len(ticks(axes)) <= LABELS
    assert ticks(axes)[0] == "run-149"
    assert axes.get_ylabel().startswith("150 runs")


def test_next_run_numbers_those_that_are_chosen() -> None:
    answer = next_run()
    [axes] = drawn(answer)
    assert axes.get_xscale() == "log"
    rest, chosen = (np.asarray(dots.get_offsets()) for dots in axes.collections)
    np.testing.assert_allclose(rest, answer.frame.loc[[0, 2], ["cost", "reduction"]])
    np.testing.assert_allclose(chosen, answer.frame.loc[[3, 1], ["cost", "reduction"]])
    assert told(axes) == ["1", "2"]
    assert legend_texts(axes) == [
        "1: 10B params, 100B tokens, web",
        "2: 1B params, 100B tokens, web",
        "not chosen: 2",
    ]
    assert axes.get_xlabel() == "cost (FLOPs)"
    assert legend_texts(drawn(next_run((0, 0, 0, 0)))[0]) == ["not chosen: 4"]
