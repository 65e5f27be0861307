"""Picture of `required`: the probability that an amount is enough, against the amount."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.ask.answer import Answer
from bayescale.base.words import percent, told
from bayescale.plots.marks import BAND, ends, guide, panels_for, probability_axis, put_legend
from bayescale.plots.scales import input_words, log_input
from bayescale.plots.style import COLOURS, GREY, INK, AxesGrid, tidy

TOP = 1.13  # room above 100% for the words of never
SEEN = 0.001  # a share of never that is less cannot be seen


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw the curve, the probability that was asked for, and the share that never gets there."""
    assert answer.picture is not None
    picture, row, want = answer.picture, answer.frame.iloc[0], str(answer.about["want"])
    grid = panels_for(ax, 1, 1, (6.8, 4.9))
    axes = grid[0]
    enough, asked, never = (float(row[name]) for name in ("enough", "probability", "never"))
    low, high = map(float, ends(row, answer.interval))
    left, right = float(picture[want].min()), float(picture[want].max())
    if np.isfinite(enough):
        left, right = min(left, enough / 1.2), max(right, enough * 1.2)
    axes.set_xlim(left, right)
    axes.set_ylim(0, TOP)
    shade: dict[str, Any] = {"color": COLOURS[0], "alpha": 0.5 * BAND, "linewidth": 0}
    axes.axvspan(*np.clip([low, high], left, right), ymax=(1 - never) / TOP, **shade)
    axes.plot(picture[want], picture["probability"], color=COLOURS[0], linewidth=2.0)
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=COLOURS[0], linewidth=2.0, label="probability that it is enough"),
        Patch(**shade, label=f"{answer.interval:.0%} interval: {told(low)} to {told(high)}"),
    ]
    guide(axes, "y", asked)
    words = f"asked for: {100 * asked:.3g}%"
    words += "" if np.isfinite(enough) else ", which no amount reaches"
    handles.append(Line2D([], [], color=GREY, linestyle="--", label=words))
    if np.isfinite(enough):
        axes.plot([enough, enough], [0, asked], color=COLOURS[1], linewidth=1.2)
        axes.plot(enough, asked, "o", color=COLOURS[1], markersize=7, zorder=4)
        label = f"enough: {told(enough)}"
        handles.append(Line2D([], [], color=COLOURS[1], marker="o", label=label))
    if never > SEEN:
        axes.axhspan(1 - never, 1, color=GREY, alpha=BAND, linewidth=0)
        label = f"{percent(never)}: never, whatever the amount"
        look: dict[str, Any] = {"color": INK, "fontsize": "small", "ha": "right", "va": "bottom"}
        axes.text(0.99, 1.02, label, transform=axes.get_yaxis_transform(), **look)
    log_input(axes, "x", want)
    axes.set_xlabel(input_words(want))
    probability_axis(axes, "y")
    axes.set_ylabel("probability that it is enough")
    goal = f"{answer.about['benchmark']} of {answer.about['target']:g}"
    axes.set_title(f"{input_words(want)} for {goal}", color=INK, fontsize="medium")
    tidy(axes)
    put_legend(grid, handles, ax, 2)
    return grid
