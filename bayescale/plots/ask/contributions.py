"""Picture of `contributions`: the walk to a prediction, and what its width is made of.

Medians of the steps need not add up to that of the total, which stands where it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bayescale.ask.answer import Answer
from bayescale.base.intervals import Floats
from bayescale.plots.marks import ROW, ends, panels_for, rows_of, whiskers
from bayescale.plots.style import COLOURS, GREY, INK, AxesGrid, tidy

UP, DOWN, SHARE = COLOURS[0], COLOURS[1], COLOURS[2]


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw the steps from the population to the total, and beside them shares of the variance."""
    assert answer.picture is not None
    rows = answer.picture
    grid = panels_for(ax, 2, 2, (4.6, 1.4 + 1.4 * ROW * len(rows)))
    names = [str(part) for part in rows["part"]]
    places = rows_of(grid[0], names)
    _walk(grid[0], rows, places, answer)
    rows_of(grid[1], names)
    _shares(grid[1], rows, places)
    if ax is None:
        grid[1].tick_params(axis="y", labelleft=False)
    return grid


def _walk(axes: Axes, rows: pd.DataFrame, places: Floats, answer: Answer) -> None:
    """Draw medians one after the other; those of first and last with their interval."""
    steps = rows["median"].to_numpy(float)[:-1]
    reached = np.cumsum(steps)
    outer = rows.iloc[[0, -1]]
    whiskers(axes, outer, places[[0, -1]], answer.interval, INK)
    low, high = ends(rows, answer.interval)
    from_to = [low.iloc[[0, -1]].min(), high.iloc[[0, -1]].max()]
    for i in range(1, len(steps)):
        colour = UP if steps[i] > 0 else DOWN
        axes.barh(places[i], steps[i], 0.6, left=reached[i - 1], color=colour)
        ends_here = reached[i - 1] + low.iloc[i], reached[i - 1] + high.iloc[i]
        axes.plot(ends_here, [places[i]] * 2, color=INK, linewidth=1.0)
        from_to += ends_here
    for i, value in enumerate(reached):
        axes.plot([value, value], [places[i], places[i + 1]], color=GREY, linewidth=0.8, zorder=1)
    left, right = min(from_to), max(from_to)
    wide = right - left or 1.0
    axes.set_xlim(left - 0.05 * wide, right + 0.3 * wide)
    before = np.array([0.0, *reached[:-1], 0.0])
    tops = before + np.maximum(high, np.array([-np.inf, *np.zeros(len(steps) - 1), -np.inf]))
    digits = max(0, 2 - int(np.floor(np.log10(wide))))
    for i, (end, value) in enumerate(zip(tops, rows["median"], strict=True)):
        sign = "+" if 0 < i < len(steps) else ""
        text = f"{round(value, digits) + 0.0:{sign}.{digits}f}"
        axes.text(end + 0.03 * wide, places[i], text, va="center", color=INK, fontsize="small")
    axes.set_xlabel(
        f"{answer.about['benchmark']}: median and {answer.interval:.0%} interval of each step"
    )
    axes.set_title("from a usual run to this one", color=INK, fontsize="medium")
    tidy(axes)
    axes.grid(visible=False, axis="y")


def _shares(axes: Axes, rows: pd.DataFrame, places: Floats) -> None:
    shares = rows["share_of_variance"].to_numpy(float)
    colours = [*(SHARE for _ in shares[:-1]), GREY]
    axes.barh(places, shares, 0.6, color=colours)
    axes.axvline(0, color=GREY, linewidth=1.2)
    left, right = min(0.0, float(shares.min())), max(1.0, float(shares.max()))
    axes.set_xlim(left - 0.28 * (left < 0) * (right - left), right + 0.2 * (right - left))
    for place, share in zip(places, shares, strict=True):
        at, side = (share + 0.02, "left") if share >= 0 else (share - 0.02, "right")
        words = f"{round(100 * share) + 0}%"
        axes.text(at, place, words, va="center", ha=side, color=INK, fontsize="small")
    ticks = [tick for tick in np.arange(-2, 3, 0.5) if left <= tick <= right]
    axes.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
    axes.set_xlabel(
        "share of the variance" + ("; below 0: it makes good another" if left < 0 else "")
    )
    axes.set_title("what its width is made of", color=INK, fontsize="medium")
    tidy(axes)
    axes.grid(visible=False, axis="y")
