"""Picture of `gain`: both curves, and the way from one to the other at the same height."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescale.ask.answer import Answer
from bayescale.ask.gain import NEGLIGIBLE
from bayescale.base.words import percent, told
from bayescale.plots.marks import amount, ends, guide, mark_span, title
from bayescale.plots.style import INK, AxesGrid
from bayescale.plots.two_curves import draw_pair


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw the curves, where `a` is asked at, and the median and interval of what `b` needs."""
    assert answer.picture is not None
    grid = draw_pair(answer, ax)
    axes, row, along = grid[0], answer.frame.iloc[0], str(answer.about["along"])
    at, middle = float(row["at"]), float(row["gain_median"])
    low, high = map(float, ends(row, answer.interval, "gain_"))
    left, right = axes.get_xlim()
    guide(axes, "x", at, linestyle=":")
    own = answer.picture[answer.picture["of"] == row["a"]]
    level = float(np.interp(np.log(at), np.log(own[along]), own["median"]))
    axes.plot(at, level, "o", color=INK, markersize=6, zorder=4)
    there = float(np.clip(middle * at, left, right))
    axes.annotate(
        "", (there, level), (at, level), arrowprops={"arrowstyle": "->", "color": INK, "lw": 1.4}
    )
    words = f"{amount(along, at)} of {row['a']} are worth {_times(middle)} times as many of"
    words += f" {row['b']} ({answer.interval:.0%} interval {_times(low)} to {_times(high)})"
    if row["never"] > 0:
        words += f"; {percent(float(row['never']))}: it never gets there"
    title(axes, words)
    mark_span(axes, low * at, middle * at, high * at, f"what {row['b']} needs")
    return grid


def _times(value: float) -> str:
    if value < NEGLIGIBLE:
        return "almost 0"
    return told(value) if np.isfinite(value) else "any number of"
