"""`plot_curve`: a law along one input, with bands of the expected and of the measured value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.signal import savgol_filter

from bayescale.base.errors import PredictError
from bayescale.base.intervals import Floats, intervals, quantiles
from bayescale.base.words import quoted, suggest
from bayescale.inference.estimates import places
from bayescale.plots.scales import input_label, input_text, log_input, log_response, response_label
from bayescale.plots.style import COLOURS, GREY, MARKERS, legend_below, panels, tidy
from bayescale.predict.surface import (
    INTERVAL,
    TAILS,
    Of,
    check_axes,
    check_not_held,
    check_quantity,
    expected,
    few_draws,
    first_group,
    number_columns,
    observed,
    response_of,
    usual,
)

if TYPE_CHECKING:
    from bayescale.fits import Fit

POINTS = 64  # of a curve; a power of two, as predictions are laid out
REACH = 10.0  # how far a curve goes beyond the data, as a factor
SMOOTHING = (11, 2)  # window and degree that take the Monte Carlo noise out of a band's edges
NEAR = 0.2  # how far the other inputs of a point may be from those of the curve
MEMBERS = 4  # shown when none is chosen: more bands cover each other


def plot_curve_frame(
    fit: Fit,
    x: str | None = None,
    *,
    by: str | None = None,
    members: Iterable[str] | None = None,
    at: Mapping[str, float] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the curves and points that `plot_curve` draws.

    Parameters
    ----------
    fit, x, by, members, at, seed
        See `plot_curve`.

    Returns
    -------
    DataFrame
        `part` is "curve" or "observed"; both have `of` (a member, or "all") and the column of the
        input. A curve has `extrapolated` (beyond the data), and `expected_median`,
        `expected_lower_0.9`, `expected_upper_0.9`, `measured_lower_0.9`, `measured_upper_0.9`; an
        observation `run`, `observed`, and `near`: whether its other inputs are those of the curve,
        within a fifth.

    Raises
    ------
    PredictError
        See `plot_curve`.

    Examples
    --------
    >>> plot_curve_frame(fit, "examples")    # doctest: +SKIP
    """
    x, chosen = _input(fit, x), _members(fit, by, members)
    check_not_held(at, x)
    parts = []
    for of in chosen:
        points = observed(fit, of)
        low, high = points[x].min(), points[x].max()
        along = np.geomspace(low, high * REACH, POINTS)
        draws = expected(fit, few_draws(fit, of), {x: along}, at)
        name = "all" if of is None else of[1]
        curve = pd.DataFrame({"part": "curve", "of": name, x: along, "extrapolated": along > high})
        ends = intervals(draws, INTERVAL, "expected")
        curve = curve.assign(**ends, **_measured(fit, of, x, along, at, seed))
        points = points.assign(part="observed", of=name, near=_near(points, held(fit, x, at)))
        parts += [curve, points[["run", x, "observed", "near", "part", "of"]]]
    return pd.concat(parts, ignore_index=True)


def plot_curve(
    fit: Fit,
    x: str | None = None,
    ax: Axes | None = None,
    *,
    by: str | None = None,
    members: Iterable[str] | None = None,
    at: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Axes:
    """Draw a law along one input on log scales, from the data to a decade beyond them.

    The line is the posterior median of the expected value and the dark band its 90% interval; the
    light band is a 90% interval of a measurement, at a new member of every group that is not
    shown. Dashed where beyond the data.

    Parameters
    ----------
    fit
        A fit of a law of a quantity.
    x
        The input; by default the only one that the law has. Points with other values of the other
        inputs than the curve, by more than a fifth, are hollow.
    ax
        Axes to draw into; by default a new figure, with a legend below.
    by
        A group with a curve for each member; by default the first that the law is pooled over.
    members
        Members to show, six at most; by default the four with most runs.
    at
        Values of the other inputs; by default those of the reference run.
    seed
        Seed of the measurements.

    Returns
    -------
    Axes
        Its data: `plot_curve_frame`.

    Raises
    ------
    PredictError
        The fit is of a leaderboard, or has several responses; the law has several inputs and none
        is named; or there is no such input, group or member.

    Examples
    --------
    >>> plot_curve(fit, by="task").figure.savefig("curve.png")    # doctest: +SKIP
    """
    frame = plot_curve_frame(fit, x, by=by, members=members, at=at, seed=seed)
    x = _input(fit, x)
    axes = panels(1, 1, (7.2, 5.0))[0] if ax is None else ax
    handles = []
    for i, (name, own) in enumerate(frame.groupby("of", sort=False)):
        _draw(axes, own, x, COLOURS[i], MARKERS[i])
        label = "measured, and posterior median" if name == "all" else str(name)
        handles.append(Line2D([], [], color=COLOURS[i], marker=MARKERS[i], label=label))
    points = frame[frame["part"] == "observed"]
    if (points["observed"] > 0).all() and (_lowest(frame) > 0):
        log_response(axes)
    log_input(axes, "x", x)
    others = [f"{name} {input_text(name, value)}" for name, value in held(fit, x, at).items()]
    at_others = f", at {', '.join(others)}" if others else ""
    axes.set_xlabel(f"{input_label(fit.model, x)}{at_others}")
    axes.set_ylabel(response_label(fit.table, response_of(fit, _members(fit, by, members)[0])))
    tidy(axes)
    if ax is None:
        told: list[Any] = [
            Line2D([], [], color=GREY, linestyle="--", label="beyond the data"),
            Patch(color=GREY, alpha=0.6, linewidth=0, label="90% interval of the expected value"),
            Patch(color=GREY, alpha=0.25, linewidth=0, label="90% interval of a measurement"),
        ]
        if others:
            hollow = Line2D([], [], color=GREY, marker="o", linestyle="", markerfacecolor="none")
            hollow.set_label("measured at other values of the rest")
            told.append(hollow)
        legend_below(np.array([axes]), [*handles, *told], 2 if len(handles) < 3 else 3)
    return axes


def _input(fit: Fit, x: str | None) -> str:
    check_quantity(fit.model)
    columns = number_columns(fit.model)
    numbers = [name for name, column in columns.items() if column.kind == "number"]
    if x is None and len(numbers) != 1:
        raise PredictError(
            f"{fit.model.law.name} has {len(numbers)} inputs: {quoted(numbers)}; say along which "
            "with x (command line: --x), and what the others are with at (--at)"
        )
    name = numbers[0] if x is None else x
    check_axes(fit.model, name)
    return name


def _members(fit: Fit, by: str | None, members: Iterable[str] | None) -> list[Of]:
    """List what has a curve: members of a group, or the population."""
    by = by or first_group(fit)
    if by is None:
        if members is not None:
            raise PredictError(f"{fit.model.name} is not pooled over a group that has members")
        return [None]
    places(fit, by)  # a group that no coefficient varies over is refused
    column = fit.table.scores["benchmark"] if by == "benchmark" else fit.table.runs.get(by)
    known = [] if column is None else [str(name) for name in column.value_counts().index]
    # In one order everywhere, so that a member has the same colour in the pictures of a fit.
    chosen = sorted(known[:MEMBERS]) if members is None else list(dict.fromkeys(members))
    for name in chosen:
        if name not in known:
            raise PredictError(
                f"{by} has no member {name!r}{suggest(name, known)}; it has: {quoted(known)}"
            )
    if not 0 < len(chosen) <= len(COLOURS):
        raise PredictError(
            f"choose 1 to {len(COLOURS)} members: more bands cover each other; given: {len(chosen)}"
        )
    return [(by, name) for name in chosen]


def held(fit: Fit, x: str, at: Mapping[str, float] | None) -> dict[str, float]:
    """Give the values that the other inputs have along a curve."""
    others = [name for name in number_columns(fit.model) if name != x]
    return {name: usual(fit.model, fit.table, name) for name in others} | dict(at or {})


def _near(points: pd.DataFrame, others: Mapping[str, float]) -> pd.Series:
    """Tell the points whose other inputs are those of the curve."""
    near = pd.Series(True, index=points.index)
    for name, value in others.items():
        near &= (points[name] - value).abs() <= NEAR * abs(value)
    return near


def _measured(
    fit: Fit,
    of: Of,
    x: str,
    along: Floats,
    at: Mapping[str, float] | None,
    seed: int,
) -> dict[str, Floats]:
    """Predict measurements along the input; edges are smoothed on the scale that is drawn."""
    rows = pd.DataFrame({**held(fit, x, at), x: along})
    if of is not None and of[0] != "benchmark":
        rows[of[0]] = of[1]
    found = fit.predict(rows=rows, benchmark=response_of(fit, of), kind="score", seed=seed)
    low, _, high = quantiles(found.draws, TAILS)
    positive = bool(low.min() > 0)
    ends = {}
    for name, edge in (("lower", low), ("upper", high)):
        scaled = savgol_filter(np.log(edge) if positive else edge, *SMOOTHING)
        ends[f"measured_{name}_{INTERVAL:g}"] = np.exp(scaled) if positive else scaled
    return ends


def _lowest(frame: pd.DataFrame) -> float:
    return float(frame[f"measured_lower_{INTERVAL:g}"].min())


def _draw(axes: Axes, own: pd.DataFrame, x: str, colour: str, marker: str) -> None:
    curve, points = (own[own["part"] == part] for part in ("curve", "observed"))
    for what, alpha in (("measured", 0.14), ("expected", 0.35)):
        low, high = (curve[f"{what}_{end}_{INTERVAL:g}"] for end in ("lower", "upper"))
        axes.fill_between(curve[x], low, high, color=colour, alpha=alpha, linewidth=0)
    inside = curve[~curve["extrapolated"].astype(bool)]
    beyond = curve.iloc[len(inside) - 1 :]  # joined to the solid part
    axes.plot(inside[x], inside["expected_median"], color=colour, linewidth=1.6)
    axes.plot(beyond[x], beyond["expected_median"], color=colour, linewidth=1.6, linestyle="--")
    near = points["near"].astype(bool)
    away = points[~near]
    axes.scatter(
        points.loc[near, x],
        points.loc[near, "observed"],
        color=colour,
        marker=marker,
        s=24,
        edgecolor="white",
        linewidth=0.4,
        zorder=3,
    )
    axes.scatter(
        away[x],
        away["observed"],
        marker=marker,
        s=18,
        facecolor="none",
        edgecolor=colour,
        linewidth=0.7,
        alpha=0.5,
        zorder=2,
    )
