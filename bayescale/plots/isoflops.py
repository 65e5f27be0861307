"""`plot_isoflops`: the law along sizes at fixed compute, with the best size of each budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.ask.kit.best import best_sizes, has_best_size
from bayescale.base.errors import PredictError
from bayescale.base.intervals import Floats, intervals, quantiles
from bayescale.plots.scales import (
    input_label,
    input_text,
    log_input,
    log_response,
    response_label,
)
from bayescale.plots.style import GREY, INK, MARKERS, legend_below, panels, tidy
from bayescale.predict.surface import (
    INTERVAL,
    TAILS,
    Of,
    check_axes,
    check_held,
    expected,
    few_draws,
    observed,
    response_of,
)

if TYPE_CHECKING:
    from bayescale.fits import Fit

POINTS = 60  # of a curve
NEAR = 1.1  # factor of FLOPs within which a run belongs to a budget
LEAST_SIZES = 4  # that make a budget worth a curve
APART = 2.0  # least factor between budgets that are chosen for the reader
MOST = 6
MARGIN = 1.3  # how far a curve goes beyond its points, as a factor
AROUND = 2.5  # and beyond its best size


def plot_isoflops_frame(
    fit: Fit,
    budgets: Iterable[float] | None = None,
    *,
    of: Of = None,
    at: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Give the curves, points and minima that `plot_isoflops` draws.

    Parameters
    ----------
    fit, budgets, of, at
        See `plot_isoflops`.

    Returns
    -------
    DataFrame
        `part` is "curve", "observed" or "minimum"; all have `budget` in FLOPs and `params`. A
        curve has `expected_median`, `expected_lower_0.9`, `expected_upper_0.9`; an observation
        `run`, `flops` and `observed`; a minimum, whose `params` are the median best size, has
        `params_lower_0.9`, `params_upper_0.9` and the `expected_median` there. A budget at which
        the law has no best size has no minimum.

    Raises
    ------
    PredictError
        See `plot_isoflops`.

    Examples
    --------
    >>> plot_isoflops_frame(fit).query("part == 'minimum'")    # doctest: +SKIP
    """
    response_of(fit, of)
    check_axes(fit.model, "params", "flops")
    check_held(fit.model, at)
    draws = few_draws(fit, of)
    points = observed(fit, of)
    chosen = _budgets(points, budgets)
    sizes, least = best_sizes(fit, draws, chosen, at)
    parts = []
    for i, budget in enumerate(chosen):
        near = points[np.abs(np.log(points["flops"] / budget)) <= np.log(NEAR)]
        parts.append(near[["run", "params", "flops", "observed"]].assign(part="observed"))
        ends = list(near["params"])
        if has_best_size(sizes[:, i], budget):
            low, middle, high = quantiles(sizes[:, i], TAILS)
            ends += [middle / AROUND, middle * AROUND]
            minimum = {"part": "minimum", "params": middle, "params_lower_0.9": low}
            minimum |= {"params_upper_0.9": high, "expected_median": quantiles(least[:, i], 0.5)}
            parts.append(pd.DataFrame([minimum]))
        ends = ends or [float(points["params"].min()), float(points["params"].max())]
        across = np.geomspace(min(ends) / MARGIN, max(ends) * MARGIN, POINTS)
        at_budget = {"params": across, "flops": np.full(POINTS, budget)}
        curve = pd.DataFrame({"part": "curve", "params": across})
        parts.append(
            curve.assign(**intervals(expected(fit, draws, at_budget, at), INTERVAL, "expected"))
        )
        for part in parts:
            if "budget" not in part:
                part["budget"] = budget
    return pd.concat(parts, ignore_index=True)


def plot_isoflops(
    fit: Fit,
    budgets: Iterable[float] | None = None,
    ax: Axes | None = None,
    *,
    of: Of = None,
    at: Mapping[str, float] | None = None,
) -> Axes:
    """Draw a law against size at fixed compute, and the best size of each budget.

    A curve is the posterior median of the expected value, its band a 90% interval; points are the
    runs whose FLOPs are within a tenth of the budget. The minimum is marked with the 90% interval
    of the size that it is at.

    Parameters
    ----------
    fit
        A fit of a law of two of params, tokens, flops and multiplier.
    budgets
        FLOPs; by default those at which the table has runs of four sizes or more, six at most, and
        where there are none, decades.
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
        Its data: `plot_isoflops_frame`.

    Raises
    ------
    PredictError
        The fit is of a leaderboard; the law has no params and FLOPs; a budget is not positive, or
        there are too many; there is no such group or member; or one has to be named and is not.

    Examples
    --------
    >>> plot_isoflops(fit, [1e19, 1e20, 1e21]).figure.savefig("isoflops.png")    # doctest: +SKIP
    """
    frame = plot_isoflops_frame(fit, budgets, of=of, at=at)
    axes = panels(1, 1, (7.2, 5.2))[0] if ax is None else ax
    name, chosen = response_of(fit, of), list(dict.fromkeys(frame["budget"]))
    colours = colormaps["viridis"](np.linspace(0.0, 0.8, len(chosen)))
    handles = []
    for budget, colour, marker in zip(chosen, colours, MARKERS, strict=False):
        own = frame[frame["budget"] == budget]
        curve, points, minima = (
            own[own["part"] == part] for part in ("curve", "observed", "minimum")
        )
        low, high = curve["expected_lower_0.9"], curve["expected_upper_0.9"]
        axes.fill_between(curve["params"], low, high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(curve["params"], curve["expected_median"], color=colour, linewidth=1.6)
        look = {"color": colour, "marker": marker, "edgecolor": "white", "linewidth": 0.4}
        axes.scatter(points["params"], points["observed"], s=32, zorder=3, **look)
        for row in minima.itertuples(index=False):
            ends = minima[["params_lower_0.9", "params_upper_0.9"]].iloc[0]
            axes.plot(ends, [row.expected_median] * 2, color=INK, linewidth=2.0, zorder=4)
            axes.plot(row.params, row.expected_median, "x", color=INK, markersize=8, zorder=5)
        label = f"{input_text('flops', budget)} FLOPs"
        handles.append(Line2D([], [], color=colour, marker=marker, label=label))
    log_input(axes, "x", "params")
    log_response(axes)
    axes.set_xlabel(input_label(fit.model, "params"))
    axes.set_ylabel(response_label(fit.table, name))
    tidy(axes)
    if of is not None:
        axes.set_title(of[1], color=INK)
    if ax is None:
        told: list[Line2D | Patch] = [
            Patch(color=GREY, alpha=0.3, linewidth=0, label="90% interval of the expected value"),
            Line2D([], [], color=INK, marker="x", label="best size, with its 90% interval"),
        ]
        legend_below(np.array([axes]), [*handles, *told], 3)
    return axes


def _budgets(points: pd.DataFrame, asked: Iterable[float] | None) -> Floats:
    """Check the budgets that were asked for, or choose those that the table has most sizes at."""
    if asked is not None:
        given = np.array(sorted(set(map(float, asked))))
        if not 0 < len(given) <= MOST or not (np.isfinite(given) & (given > 0)).all():
            raise PredictError(
                f"budgets must be 1 to {MOST} positive numbers of FLOPs; given: {given.tolist()}"
            )
        return given
    logs = np.log(points["flops"].to_numpy(float))
    chosen: list[float] = []
    while len(chosen) < MOST:
        free = [v for v in logs if all(abs(v - c) >= np.log(APART) for c in chosen)]
        counts = [points["params"][np.abs(logs - v) <= np.log(NEAR)].nunique() for v in free]
        if not counts or max(counts) < LEAST_SIZES:
            break
        best = free[int(np.argmax(counts))]
        chosen.append(float(np.median(logs[np.abs(logs - best) <= np.log(NEAR)])))
    if not chosen:
        ends = np.log10(np.exp([logs.min(), logs.max()]))
        decades = np.arange(np.ceil(ends[0]), np.floor(ends[1]) + 1)
        return np.asarray(10.0 ** (decades[:: -(-len(decades) // MOST)] if len(decades) else ends))
    return np.array(sorted(float(f"{np.exp(value):.1e}") for value in chosen))
