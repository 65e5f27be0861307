"""Picture of `update`: what was expected of the new runs before and after, and their scores."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayescale.ask.answer import Answer
from bayescale.plots.marks import ROW, panels_for, put_legend, rows_of, whiskers
from bayescale.plots.style import COLOURS, GREY, INK, AxesGrid, tidy

LOOK = {"before": (GREY, 0.17, "s"), "after": (COLOURS[0], -0.17, "o")}
COLUMNS = 3
TALLEST = 12.0


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw a panel for each run, with a row for each benchmark; or the other way round."""
    assert answer.picture is not None
    picture = answer.picture
    few_runs = picture["run"].nunique() < picture["benchmark"].nunique()
    by, within = ("run", "benchmark") if few_runs else ("benchmark", "run")
    groups = list(picture.groupby(by, sort=False))
    most = int(picture[within].nunique())
    size = (5.6 if len(groups) == 1 else 4.4, min(1.2 + 1.4 * ROW * most, TALLEST))
    grid = panels_for(ax, len(groups), COLUMNS, size)
    for axes, (name, rows) in zip(grid, groups, strict=True):
        observed = answer.frame[answer.frame[by] == name]
        _panel(axes, rows, observed.set_index(within)["observed"], within, answer.interval)
        axes.set_title(str(name), color=INK, fontsize="medium")
        words = "measured value" if by == "run" else f"measured {name}"
        axes.set_xlabel(f"{words} ({answer.interval:.0%} interval)")
    handles = [
        Line2D([], [], color=colour, marker=marker, label=f"{when} the new scores")
        for when, (colour, _, marker) in LOOK.items()
    ]
    handles.append(Line2D([], [], color=COLOURS[1], marker="x", ls="", mew=1.8, label="observed"))
    put_legend(grid, handles, ax, 3)
    return grid


def _panel(
    axes: Axes, rows: pd.DataFrame, observed: pd.Series, within: str, interval: float
) -> None:
    names = [str(name) for name in dict.fromkeys(rows[within])]
    places = pd.Series(rows_of(axes, names), index=names)
    for when, (colour, shift, marker) in LOOK.items():
        own = rows[rows["when"] == when]
        at = places.loc[own[within].astype(str)].to_numpy() + shift
        whiskers(axes, own, at, interval, colour, marker=marker)
    at = places.reindex(observed.index.astype(str)).to_numpy()
    axes.plot(observed, at, "x", color=COLOURS[1], markersize=7, mew=1.8, zorder=5)
    tidy(axes)
