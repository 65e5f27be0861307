"""What every picture must keep to."""

from __future__ import annotations

from itertools import pairwise

from matplotlib.axes import Axes


def check_layout(axes: Axes) -> None:
    """No legend covers a panel, no tick label another, and no text leaves the figure."""
    axes.figure.draw_without_rendering()
    for legend in axes.figure.legends:
        assert not axes.get_tightbbox().overlaps(legend.get_window_extent())
    for axis in (axes.xaxis, axes.yaxis):
        boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text()]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    inside = axes.figure.bbox
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title, *axes.texts):
        box = text.get_window_extent()
        if text.get_text():
            assert inside.x0 <= box.x0 <= box.x1 <= inside.x1, text
            assert inside.y0 <= box.y0 <= box.y1 <= inside.y1, text
