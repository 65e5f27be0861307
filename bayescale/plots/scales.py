"""Axes of inputs and responses: names, units, and counts as people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from bayescale.base.counts import format_count

if TYPE_CHECKING:
    from bayescale.models.model import Model
    from bayescale.tables.table import Table

NAMES = {
    "params": "parameters",
    "params_active": "active parameters",
    "tokens": "training tokens",
    "flops": "training compute (FLOPs)",
    "multiplier": "tokens per parameter",
    "tokens_per_param": "tokens per parameter",
}
UNTOLD = ("", "1", "of the column")
# Steps of a log axis within a decade, the coarsest that leaves ticks enough comes first.
STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
FEWEST, MOST = 3, 8


def input_label(model: Model, column: str) -> str:
    """Say what an input is, with its unit."""
    if column in NAMES:
        return NAMES[column]
    words = column.replace("_", " ")
    for declared in model.law.columns:
        if model.inputs.get(declared.name, declared.name) == column:
            unit = declared.unit
            return words if unit in (*UNTOLD, words) else f"{words} ({unit})"
    return words


def input_words(column: str) -> str:
    """Say what an input is, where no law tells its unit."""
    return NAMES.get(column, column.replace("_", " "))


def response_label(table: Table, name: str) -> str:
    """Say what was measured, with its unit."""
    unit = table.benchmarks.loc[name, "unit"]
    words = name.replace("_", " ")
    return words if unit in (*UNTOLD, words) else f"{words} ({unit})"


def input_text(column: str, value: float) -> str:
    """Write a value of an input: 7B, 1.5T, 1e21 FLOPs."""
    if column == "flops":
        return (f"{value:.0e}" if _round(value) else f"{value:.1e}").replace("e+", "e")
    if 1e3 <= value < 1e15:
        return format_count(value)
    return f"{value:.3g}"


def log_input(axes: Axes, which: str, column: str) -> None:
    """Put log ticks on the axis of an input ("x" or "y"), within the limits that it has."""
    _log(axes, which, lambda value: input_text(column, value))


def log_response(axes: Axes, which: str = "y") -> None:
    """Put log ticks on the axis of a response, within the limits that it has."""
    _log(axes, which, lambda value: f"{value:.4g}".replace("e+0", "e").replace("e+", "e"))


def _log(axes: Axes, which: str, text: Callable[[float], str]) -> None:
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    limits = axes.get_xlim() if which == "x" else axes.get_ylim()
    axis.set_major_locator(FixedLocator(log_ticks(*limits)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    (axes.set_xlim if which == "x" else axes.set_ylim)(limits)


def log_ticks(low: float, high: float) -> list[float]:
    """Choose three to eight round numbers between two positive limits."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    found: list[float] = []
    for steps in STEPS:
        ticks = np.multiply.outer(decades, steps).ravel()
        found = [float(tick) for tick in ticks if low <= tick <= high]
        if len(found) >= FEWEST:
            return found[:: -(-len(found) // MOST)]
    # Less than a third of a decade: even steps are as good.
    unit = 10.0 ** np.floor(np.log10((high - low) / FEWEST))
    for factor in (5, 2, 1):
        step = factor * unit
        found = [float(t) for t in np.arange(np.ceil(low / step), high / step + 1e-9) * step]
        if len(found) >= FEWEST:
            break
    return found[:: -(-len(found) // MOST)]


def _round(value: float) -> bool:
    return bool(np.isclose(value, float(f"{value:.0e}"), rtol=1e-9))
