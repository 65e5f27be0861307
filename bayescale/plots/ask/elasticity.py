"""Picture of `elasticity`: what multiplying each input changes, on each benchmark."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import MaxNLocator

from bayescale.ask.answer import Answer
from bayescale.plots.marks import ROW, ends, name_rows_once, panels_for, rows_of, whiskers
from bayescale.plots.style import COLOURS, GREY, INK, AxesGrid, tidy

COLUMNS = 3
ROOM = 0.4  # of the width of the data, for the number beside it


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw a panel for each benchmark, with a dot and its interval for each input."""
    assert answer.picture is not None
    groups = list(answer.picture.groupby("benchmark", sort=False))
    most = max(len(rows) for _, rows in groups)
    size = (6.0 if len(groups) == 1 else 3.9, 1.1 + 1.2 * ROW * most)
    grid = panels_for(ax, len(groups), COLUMNS, size, sharex=True)
    low, high = ends(answer.picture, answer.interval, "change_")
    left, right = min(0.0, float(low.min())), max(0.0, float(high.max()))
    wide = right - left or 1.0
    factor = float(answer.about["factor"])
    times = "doubled" if factor == 2 else f"multiplied by {factor:g}"
    ticks = [
        t
        for t in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(left, right)
        if left <= t <= right
    ]
    for axes, (name, rows) in zip(grid, groups, strict=True):
        places = rows_of(axes, [str(value) for value in rows["input"]])
        axes.set_xlim(left - 0.05 * wide, right + ROOM * wide)
        axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
        axes.axvline(0, color=GREY, linewidth=1.2)
        whiskers(axes, rows, places, answer.interval, COLOURS[0], "change_")
        last = ends(rows, answer.interval, "change_")[1].clip(lower=0.0)
        for place, end, value in zip(places, last, rows["change_median"], strict=True):
            at = end + 0.03 * wide
            axes.text(at, place, f"{value:+.2g}", va="center", color=INK, fontsize="small")
        axes.set_title(str(name).replace("_", " "), color=INK, fontsize="medium")
        words = f"change of the expected value when {times} ({answer.interval:.0%} interval)"
        axes.set_xlabel(words)
        tidy(axes)
        axes.grid(visible=False, axis="y")
    if ax is None and len(grid) > 1:
        name_rows_once(grid, min(COLUMNS, len(grid)), grid[0].get_xlabel())
    return grid
