"""Picture of `exceed`: how probable it is that the plan beats each rival, on each benchmark."""

from __future__ import annotations

from typing import Any

from bayescale.ask.answer import Answer
from bayescale.ask.exceed import ALL
from bayescale.base.words import percent
from bayescale.plots.marks import ROW, guide, name_rows_once, panels_for, probability_axis, rows_of
from bayescale.plots.style import COLOURS, INK, AxesGrid, tidy

COLUMNS = 3


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw a panel for each benchmark, with a bar for each rival; one panel where one rival is."""
    assert answer.picture is not None
    picture = answer.picture
    alone = picture["rival"].nunique() == 1
    by, within = ("rival", "benchmark") if alone else ("benchmark", "rival")
    groups = list(picture.groupby(by, sort=False))
    most = max(len(rows) for _, rows in groups)
    grid = panels_for(ax, len(groups), COLUMNS, (5.6 if len(groups) == 1 else 3.9, 1 + ROW * most))
    for axes, (name, rows) in zip(grid, groups, strict=True):
        places = rows_of(axes, [_words(str(value)) for value in rows[within]])
        whole = (rows["rival"] == ALL).tolist()
        colours = [COLOURS[1] if every else COLOURS[0] for every in whole]
        axes.barh(places, rows["probability"], 0.68, color=colours)
        for place, share in zip(places, rows["probability"], strict=True):
            words = percent(float(share))
            axes.text(share + 0.02, place, words, va="center", color=INK, fontsize="small")
        if any(whole):
            axes.axhline(places[whole.index(True)] + 0.5, color=INK, linewidth=0.8)
        axes.set_xlim(0, 1.3)
        probability_axis(axes, "x")
        guide(axes, "x", 0.5, linestyle=":")
        said = f"against {_words(str(name))}" if alone else str(name).replace("_", " ")
        axes.set_title(said, color=INK, fontsize="medium")
        what = "expected value" if answer.about.get("kind") == "mean" else "measured score"
        axes.set_xlabel(f"probability that the plan's {what} is better")
        tidy(axes)
        axes.grid(visible=False, axis="y")
    if ax is None and len(grid) > 1:
        name_rows_once(grid, min(COLUMNS, len(grid)), grid[0].get_xlabel())
    return grid


def _words(name: str) -> str:
    """Say that a rival is a value, where it is no run."""
    try:
        float(name)
    except ValueError:
        return name
    return f"a value of {name}"
