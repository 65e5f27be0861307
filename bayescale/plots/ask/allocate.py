"""Picture of `allocate`: the best inputs against the budget, and their tokens per parameter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.ask.answer import Answer
from bayescale.ask.kit.curve import RATIO
from bayescale.base.words import told
from bayescale.plots.marks import BAND, band, ends, guide, panels_for, put_legend
from bayescale.plots.scales import input_text, input_words, log_input
from bayescale.plots.style import COLOURS, GREY, INK, AxesGrid, tidy

COUNTED = ("params", "params_active", "vocabulary_params", "tokens")
FAR = 30.0  # times the medians: further than this, a band may leave the picture


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw a panel of sizes and data, one for each other input, and one of the ratio."""
    names = [str(name) for name in answer.frame["quantity"]][:-1]  # the last is the loss there
    others = [[name] for name in names if name not in (*COUNTED, RATIO)]
    together = [[name for name in names if name in COUNTED], *others, [RATIO]]
    grid = panels_for(ax, len(together), 2 if len(together) in (2, 4) else 3, (4.6, 4.2))
    handles: list[Line2D | Patch] = []
    for axes, group in zip(grid, together, strict=True):
        for name, colour in zip(group, COLOURS, strict=False):
            own = _quantity(answer, name)
            band(axes, "budget", own, answer.interval, colour)
            if len(group) > 1:
                handles.append(Line2D([], [], color=colour, linewidth=1.8, label=input_words(name)))
            _mark(axes, answer, name, colour)
        guide(axes, "x", float(answer.about["budget"]), linestyle=":")
        _scale(axes, answer, group)
    words = f"{answer.interval:.0%} interval"
    handles.append(Patch(color=GREY, alpha=BAND, linewidth=0, label=words))
    asked = f"budget asked for: {input_text('flops', float(answer.about['budget']))} FLOPs"
    handles.append(Line2D([], [], color=GREY, linestyle=":", label=asked))
    if "rival" in answer.about:
        line = "--" if RATIO in answer.about["rival"] else ""
        look: dict[str, Any] = {"linestyle": line, "marker": "D", "mfc": "white"}
        handles.append(Line2D([], [], color=INK, **look, label=_rival(answer)))
    put_legend(grid, handles, ax, 3)
    return grid


def _quantity(answer: Answer, name: str) -> pd.DataFrame:
    assert answer.picture is not None
    return answer.picture[answer.picture["quantity"] == name]


def _mark(axes: Axes, answer: Answer, name: str, colour: str) -> None:
    """Mark the rival: its ratio holds at every budget, its sizes at the one that was asked for."""
    if "rival" not in answer.frame:
        return
    value = float(answer.frame.set_index("quantity").loc[name, "rival"])
    if not np.isfinite(value):
        return
    if name == RATIO and RATIO in answer.about["rival"]:
        guide(axes, "y", value, color=INK, linewidth=1.4)
    else:
        look: dict[str, Any] = {
            "markersize": 6,
            "mfc": "white",
            "mec": INK if name == RATIO else colour,
        }
        axes.plot(answer.about["budget"], value, "D", zorder=4, **look)


def _rival(answer: Answer) -> str:
    ratio = answer.frame.set_index("quantity").loc[RATIO, "rival"]
    return f"rival, {told(float(ratio))} tokens per parameter"


def _scale(axes: Axes, answer: Answer, group: list[str]) -> None:
    rows = pd.concat([_quantity(answer, name) for name in group])
    low, high = ends(rows, answer.interval)
    middle = rows["median"]
    axes.set_xlim(rows["budget"].min(), rows["budget"].max())
    bottom = max(float(low.min()), float(middle.min()) / FAR)
    top = min(float(high.max()), float(middle.max()) * FAR)
    if "rival" in answer.frame:
        beside = answer.frame.set_index("quantity")["rival"].reindex(group).dropna()
        bottom, top = min([bottom, *beside]), max([top, *beside])
    axes.set_ylim(bottom / 1.3, top * 1.3)
    log_input(axes, "x", "flops")
    log_input(axes, "y", group[0])
    axes.set_xlabel("budget (FLOPs)")
    words = input_words(group[0]) if len(group) == 1 else "best size and data"
    axes.set_ylabel(words if len(group) > 1 else f"best {words}")
    tidy(axes)
