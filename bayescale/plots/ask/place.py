"""Picture of `place`: runs by what is expected of them on a new benchmark."""

from __future__ import annotations

from typing import Any

from matplotlib.lines import Line2D

from bayescale.ask.answer import Answer
from bayescale.plots.marks import LABELS, panels_for, put_legend, rows_of, whiskers
from bayescale.plots.style import COLOURS, INK, AxesGrid, tidy

LEAST, TALLEST = 1.6, 9.0


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw runs from the best median down, with intervals, and crosses where there are scores."""
    assert answer.picture is not None
    groups = list(answer.picture.groupby("benchmark", sort=False))
    most = max(len(rows) for _, rows in groups)
    grid = panels_for(ax, len(groups), 3, (6.0, min(LEAST + 0.2 * most, TALLEST)))
    for axes, (name, rows) in zip(grid, groups, strict=True):
        ordered = rows.sort_values("median", ascending=False, kind="stable")
        places = rows_of(axes, [str(run) for run in ordered["run"]])
        axes.tick_params(axis="y", labelsize="small" if len(rows) <= 20 else "x-small")
        look = {"markersize": 2.5, "linewidth": 0.7} if len(rows) > LABELS else {"markersize": 4}
        whiskers(axes, ordered, places, answer.interval, COLOURS[0], **look)
        axes.plot(ordered["observed"], places, "x", color=COLOURS[1], ms=7, mew=1.8, zorder=5)
        axes.set_xlabel(f"score on {name}".replace("_", " "))
        tidy(axes)
        if len(rows) > LABELS:
            axes.set_ylabel(f"{len(rows)} runs, some of them named", color=INK)
    words = f"median and {answer.interval:.0%} interval of a score"
    handles = [
        Line2D([], [], color=COLOURS[0], marker="o", label=words),
        Line2D([], [], color=COLOURS[1], marker="x", ls="", mew=1.8, label="observed"),
    ]
    put_legend(grid, handles, ax, 2)
    return grid
