"""Two curves with their bands along an input: what pictures of `crossing` and `gain` begin with."""

from __future__ import annotations

from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.ask.answer import Answer
from bayescale.plots.marks import BAND, band, ends, panels_for, put_legend
from bayescale.plots.scales import input_words, log_input, log_response
from bayescale.plots.style import COLOURS, GREY, AxesGrid, tidy

FOOT = 0.16  # share of the panel that is left free below the curves, for marks on the axis


def draw_pair(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw both curves; scores on a plain axis, losses on a log one."""
    assert answer.picture is not None
    picture, along = answer.picture, str(answer.about["along"])
    grid = panels_for(ax, 1, 1, (6.8, 5.0))
    axes = grid[0]
    handles: list[Line2D | Patch] = []
    for (name, rows), colour in zip(picture.groupby("of", sort=False), COLOURS, strict=False):
        band(axes, along, rows, answer.interval, colour)
        handles.append(Line2D([], [], color=colour, linewidth=1.8, label=str(name)))
    words = f"{answer.interval:.0%} interval of the expected value"
    handles.append(Patch(color=GREY, alpha=BAND, linewidth=0, label=words))
    axes.set_xlim(picture[along].min(), picture[along].max())
    low, high = ends(picture, answer.interval)
    bottom, top = float(low.min()), float(high.max())
    if bottom > 0 and top > 1:
        axes.set_ylim(bottom * (bottom / top) ** FOOT, top * (top / bottom) ** 0.04)
        log_response(axes)
    else:
        axes.set_ylim(bottom - FOOT * (top - bottom), top + 0.04 * (top - bottom))
    log_input(axes, "x", along)
    axes.set_xlabel(input_words(along))
    axes.set_ylabel(f"expected {answer.about['benchmark']}".replace("_", " "))
    tidy(axes)
    put_legend(grid, handles, ax, 3)
    return grid
