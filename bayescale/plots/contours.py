"""`plot_contours`: a law over two inputs, with the data, lines of compute and the best path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from bayescale.ask.kit.best import best_sizes, has_best_size
from bayescale.base.intervals import intervals, quantiles
from bayescale.plots.scales import input_label, input_text, log_input, response_label
from bayescale.plots.style import COLOURS, INK, legend_below, panels
from bayescale.predict.surface import (
    INTERVAL,
    TAILS,
    Of,
    check_axes,
    check_not_held,
    expected,
    few_draws,
    first_group,
    observed,
    response_of,
)
from bayescale.tables.compute import COMPUTE, completed

if TYPE_CHECKING:
    from bayescale.fits import Fit

POINTS = 60  # of the grid, along each axis
BUDGETS = 40  # along the best path
MARGIN = 2.0  # how far the picture goes beyond the data, as a factor
LEVELS = 11
SHORT = 0.1  # lines of equal compute across less than this share of the picture have no label
# Ordered, and read alike by colour-blind readers; without the dark end, where no ink shows.
MAP = ListedColormap(colormaps["viridis_r"](np.linspace(0.0, 0.72, 256)))
PATH = COLOURS[1]


def plot_contours_frame(
    fit: Fit,
    x: str = "params",
    y: str = "tokens",
    *,
    of: Of = None,
    at: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Give the surface, points and lines that `plot_contours` draws.

    Parameters
    ----------
    fit, x, y, of, at
        See `plot_contours`.

    Returns
    -------
    DataFrame
        `part` is "surface", "observed", "isoflops" or "optimum"; all have the columns `x` and `y`
        name. The surface has `expected_median`, `expected_lower_0.9`, `expected_upper_0.9`; an
        observation `run` and `observed`; the lines `flops`, and the best path `quantile`: of the
        best size at these FLOPs.

    Raises
    ------
    PredictError
        See `plot_contours`.

    Examples
    --------
    >>> plot_contours_frame(fit).query("part == 'optimum'")    # doctest: +SKIP
    """
    response_of(fit, of)
    check_not_held(at, x, y)
    check_axes(fit.model, x, y)
    draws = few_draws(fit, of)
    points = observed(fit, of)
    ends = {name: (points[name].min() / MARGIN, points[name].max() * MARGIN) for name in (x, y)}
    across, up = (np.geomspace(*ends[name], POINTS) for name in (x, y))
    grid = {x: np.tile(across, POINTS), y: up.repeat(POINTS)}
    surface = pd.DataFrame({"part": "surface", **grid})
    surface = surface.assign(**intervals(expected(fit, draws, grid, at), INTERVAL, "expected"))
    parts = [surface, points[["run", x, y, "observed"]].assign(part="observed")]
    if {x, y} <= set(COMPUTE):
        parts += [_isoflops(ends, x, y), _path(fit, draws, ends, x, y, at)]
    return pd.concat(parts, ignore_index=True)


def plot_contours(
    fit: Fit,
    x: str = "params",
    y: str = "tokens",
    ax: Axes | None = None,
    *,
    of: Of = None,
    at: Mapping[str, float] | None = None,
) -> Axes:
    """Draw a law over two inputs as contours of its posterior median, beside what was measured.

    Points have the colour of what was measured, on the scale of the contours: a point that stands
    out is off the law. With two of params, tokens, flops and multiplier as axes, lines of equal
    compute, C = 6 N D, and the sizes that the law is least at for a budget, with a 90% interval.

    Parameters
    ----------
    fit
        A fit of a law of a quantity.
    x, y
        Inputs of the law. A law of two of params, tokens, flops and multiplier can be drawn over
        any two of them.
    ax
        Axes to draw into; by default a new figure, with a legend below.
    of
        A group and its member, as in ("corpus", "c4"), whose law and points to draw; by default
        the population's, with all points.
    at
        Values of the other inputs; by default those of the reference run.

    Returns
    -------
    Axes
        Its data: `plot_contours_frame`.

    Raises
    ------
    PredictError
        The fit is of a leaderboard; the law has no such inputs; there is no such group or member;
        or one has to be named and is not.

    Examples
    --------
    >>> plot_contours(fit, of=("corpus", "c4")).figure.savefig("contours.png")  # doctest: +SKIP
    """
    frame = plot_contours_frame(fit, x, y, of=of, at=at)
    axes = panels(1, 1, (7.2, 5.6))[0] if ax is None else ax
    name = response_of(fit, of)
    surface, points = (frame[frame["part"] == part] for part in ("surface", "observed"))
    seen = pd.concat([surface["expected_median"], points["observed"]])
    norm = LogNorm(seen.min(), seen.max())
    levels = _levels(seen)
    across, up = surface[x].unique(), surface[y].unique()
    heights = surface["expected_median"].to_numpy().reshape(len(up), len(across))
    axes.contourf(across, up, heights, levels=levels, norm=norm, cmap=MAP, extend="both")
    axes.contour(across, up, heights, levels=levels, colors="white", linewidths=0.5)
    marks = axes.scatter(
        points[x],
        points[y],
        c=points["observed"],
        norm=norm,
        cmap=MAP,
        s=22,
        edgecolor=INK,
        linewidth=0.5,
        zorder=4,
    )
    axes.set_xlim(across[0], across[-1])
    axes.set_ylim(up[0], up[-1])
    log_input(axes, "x", x)
    log_input(axes, "y", y)
    axes.set_xlabel(input_label(fit.model, x))
    axes.set_ylabel(input_label(fit.model, y))
    axes.spines[["top", "right"]].set_visible(False)
    _draw_isoflops(axes, frame[frame["part"] == "isoflops"], x, y)
    _draw_path(axes, frame[frame["part"] == "optimum"], x, y)
    bar = axes.figure.colorbar(marks, ax=axes, label=response_label(fit.table, name), ticks=levels)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:#.3g}".rstrip(".")))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    group = first_group(fit)
    if of is not None or group is not None:
        axes.set_title(of[1] if of is not None else f"all, pooled over {group}", color=INK)
    if ax is None:
        legend_below(np.array([axes]), _handles(frame), 2)
    return axes


def _levels(seen: pd.Series) -> list[float]:
    """Choose levels that are even on a log scale and short to write."""
    levels = np.geomspace(seen.min(), seen.max(), LEVELS)
    return sorted({float(f"{level:.3g}") for level in levels})


def _isoflops(ends: Mapping[str, tuple[float, float]], x: str, y: str) -> pd.DataFrame:
    """Lay lines of equal compute through every decade that the picture shows."""
    corners = completed({x: np.array(ends[x])[[0, 0, 1, 1]], y: np.array(ends[y])[[0, 1, 0, 1]]})
    low, high = np.log10(corners["flops"].min()), np.log10(corners["flops"].max())
    parts = []
    for budget in 10.0 ** np.arange(np.ceil(low), np.floor(high) + 1):
        if "flops" in (x, y):
            continue  # its own axis shows it
        sizes = np.geomspace(*ends[x], POINTS)
        along = completed({x: sizes, "flops": np.full(POINTS, budget)})
        parts.append(pd.DataFrame({"part": "isoflops", x: along[x], y: along[y], "flops": budget}))
    return pd.concat(parts) if parts else pd.DataFrame({"part": [], "flops": []})


def _path(
    fit: Fit,
    draws: Mapping[str, Any],
    ends: Mapping[str, tuple[float, float]],
    x: str,
    y: str,
    at: Mapping[str, float] | None,
) -> pd.DataFrame:
    """Follow the best size over budgets: its median and its 90% interval."""
    corners = completed({x: np.array(ends[x]), y: np.array(ends[y])})["flops"]
    budgets = np.geomspace(corners.min(), corners.max(), BUDGETS)
    sizes, _ = best_sizes(fit, draws, budgets, at)
    kept = np.array([has_best_size(s, c) for s, c in zip(sizes.T, budgets, strict=True)])
    parts = []
    for quantile, params in zip(TAILS, quantiles(sizes, TAILS), strict=True):
        along = completed({"params": params[kept], "flops": budgets[kept]})
        of = {"part": "optimum", "quantile": quantile, "flops": budgets[kept]}
        parts.append(pd.DataFrame({x: along[x], y: along[y], **of}))
    return pd.concat(parts)


def _draw_isoflops(axes: Axes, lines: pd.DataFrame, x: str, y: str) -> None:
    if lines.empty:
        return  # the axes are no two of the compute quantities
    for budget, line in lines.groupby("flops"):
        axes.plot(line[x], line[y], color=INK, linewidth=0.8, linestyle=":", zorder=3)
        inside = line[line[y].between(*axes.get_ylim())]
        if len(inside) < SHORT * POINTS:
            continue  # its label would lie on the frame
        end = inside.iloc[0]
        axes.annotate(
            input_text("flops", float(str(budget))),
            (end[x], end[y]),
            xytext=(4, -2),
            textcoords="offset points",
            color=INK,
            fontsize="x-small",
            va="top",
            path_effects=[withStroke(linewidth=2, foreground="white", alpha=0.7)],
        )


def _draw_path(axes: Axes, path: pd.DataFrame, x: str, y: str) -> None:
    if path.empty:
        return
    low, middle, high = (path[path["quantile"] == q] for q in TAILS)
    around = np.concatenate([low[[x, y]].to_numpy(), high[[x, y]].to_numpy()[::-1]])
    axes.fill(*around.T, color=PATH, alpha=0.3, linewidth=0, zorder=3)
    for edge in (low, high):  # where the fill is of nearly the colour of the contours
        axes.plot(edge[x], edge[y], color=PATH, linewidth=0.7, zorder=3)
    axes.plot(middle[x], middle[y], color=PATH, linewidth=2.0, zorder=5)


def _handles(frame: pd.DataFrame) -> list[Any]:
    dot = Line2D([], [], linestyle="", marker="o", markeredgecolor=INK, color="#73D055")
    dot.set_label("measured, on the scale of the contours")
    found: list[Any] = [dot]
    parts = set(frame["part"])
    if "isoflops" in parts:
        found.append(Line2D([], [], color=INK, linestyle=":", label="equal compute, 6ND FLOPs"))
    if "optimum" in parts:
        found.append(Line2D([], [], color=PATH, linewidth=2, label="best size for the compute"))
        found.append(Patch(color=PATH, alpha=0.3, linewidth=0, label="its 90% interval"))
    return found
