"""`plot_prior`: what a model's priors say of measurements, beside a table; nothing is fitted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from bayescale.base.errors import ModelError
from bayescale.base.intervals import quantiles
from bayescale.base.words import quoted
from bayescale.models.cards import load_model
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.responses import own_responses
from bayescale.plots.scales import input_label, log_input, log_response, response_label
from bayescale.plots.style import (
    COLOURS,
    INK,
    AxesGrid,
    given_panels,
    legend_below,
    panels,
    tidy,
)
from bayescale.predict.surface import check_axes, check_quantity, inputs_seen, number_columns, usual

if TYPE_CHECKING:
    from bayescale.models.model import Model
    from bayescale.tables.table import Table

POINTS = 40  # of the fan
MARGIN = 3.0  # how far the fan goes beyond the data, as a factor
LINE = "\0along "  # before names of runs that are none of the table
LEVELS = (0.5, 0.9)
LINES = 15  # draws shown one by one
MOST_RUNS = 200  # that measurements are simulated of
BINS = 50
SHOWN = 0.98  # of the simulated measurements, the farthest left out of the histogram


def plot_prior_frame(
    model: str | Path | Model,
    table: Table,
    x: str | None = None,
    *,
    draws: int = 400,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the draws and points that `plot_prior` draws.

    Parameters
    ----------
    model, table, x, draws, seed
        See `plot_prior`.

    Returns
    -------
    DataFrame
        `part` is "draw": `draw`, the input's column, and `expected`; "simulated": `draw`, `run`,
        the input's column, and `measured`; or "observed": `run`, the column, and `measured`.

    Raises
    ------
    ModelError, PredictError
        See `plot_prior`.

    Examples
    --------
    >>> plot_prior_frame("chinchilla", table).query("part == 'simulated'")    # doctest: +SKIP
    """
    prepared, x, name = _prepared(model, table, x)
    seen = inputs_seen(prepared, table)[x]
    along = np.geomspace(seen.min() / MARGIN, seen.max() * MARGIN, POINTS)
    step = -(-len(table.runs) // MOST_RUNS)
    places = pd.concat([_along(prepared, table, x, along), table.runs.iloc[::step]])
    asked = replace(table, scores=table.scores.iloc[:0], runs=places)
    drawn = prepared.prior_scores(asked, draws=draws, seed=seed)
    drawn = drawn[drawn["benchmark"] == name].rename(columns={"score": "measured"})
    on_line = drawn["run"].str.startswith(LINE)
    drawn["part"] = np.where(on_line, "draw", "simulated")
    drawn[x] = drawn["run"].map({**seen, **dict(zip(places.index, along, strict=False))})
    measured = table.scores[table.scores["benchmark"] == name].rename(columns={"score": "measured"})
    measured = measured.assign(part="observed", **{x: measured["run"].map(seen)})
    return pd.concat(
        [
            drawn.loc[on_line, ["part", "draw", x, "expected"]],
            drawn.loc[~on_line, ["part", "draw", "run", x, "measured"]],
            measured[["part", "run", x, "measured"]],
        ],
        ignore_index=True,
    )


def plot_prior(
    model: str | Path | Model,
    table: Table,
    x: str | None = None,
    ax: Any = None,
    *,
    draws: int = 400,
    seed: int = 0,
) -> AxesGrid:
    """Draw what a model says of a table before it has seen what was measured.

    On the left the law under draws of its priors along one input, the others at their reference,
    as a fan with some of its draws; on the right simulated measurements of the table's runs beside
    the range of the measured ones. Nothing is fitted: measured values are only drawn. A prior that
    covers the data and little that is absurd does its work.

    Parameters
    ----------
    model
        A card, a law or a `Model` of a quantity, as `fit` takes them.
    table
        What was measured.
    x
        The input; by default the law's first number.
    ax
        Two axes to draw into; by default a new figure, with a legend below.
    draws, seed
        Number of draws from the prior, and the seed.

    Returns
    -------
    array of Axes
        Shape (2,). Their data: `plot_prior_frame`.

    Raises
    ------
    ModelError
        There is no such model, the table lacks what it reads, or has several responses.
    PredictError
        The model is of a leaderboard, or its law has no such input.
    ValueError
        The number of axes is not two.

    Examples
    --------
    >>> plot_prior("chinchilla", table)[0].figure.savefig("prior.png")    # doctest: +SKIP
    """
    frame = plot_prior_frame(model, table, x, draws=draws, seed=seed)
    prepared, x, name = _prepared(model, table, x)
    grid = panels(2, 2, (4.8, 4.2)) if ax is None else given_panels(ax, 2, "plot_prior")
    positive = prepared.noise.positive
    _draw_fan(grid[0], frame, x)
    log_input(grid[0], "x", x)
    if positive:
        log_response(grid[0])
    label = response_label(table, name)
    grid[0].set_xlabel(input_label(prepared, x))
    grid[0].set_ylabel(label)
    _draw_histogram(grid[1], frame, positive)
    grid[1].set_xlabel(label)
    grid[1].set_ylabel("simulated measurements")
    for axes in grid:
        tidy(axes)
    if ax is None:
        bands = [
            Patch(color=COLOURS[0], alpha=alpha, linewidth=0, label=f"{level:.0%} of the prior")
            for level, alpha in zip(LEVELS, (0.45, 0.2), strict=True)
        ]
        point = Line2D([], [], color=INK, marker="o", linestyle="", label="measured")
        drawn = Line2D([], [], color=COLOURS[0], linewidth=0.6, label="draws from the prior")
        span = Patch(color=COLOURS[1], alpha=0.3, linewidth=0, label="range of the measured values")
        legend_below(grid, [*bands, drawn, point, span], 3)
    return grid


def _prepared(model: str | Path | Model, table: Table, x: str | None) -> tuple[Model, str, str]:
    """Give the model with its reference, the input to draw along, and the response."""
    prepared = load_model(model)
    check_quantity(prepared)
    lay_out(prepared, table)  # every problem of the table is told here
    prepared = on_table(prepared, table)
    own = own_responses(prepared, table)
    if len(own) > 1:
        raise ModelError(
            f"table {table.name} has {len(own)} responses: {quoted(own)}; choose one with "
            "table.select(benchmarks=[...])"
        )
    numbers = [n for n, column in number_columns(prepared).items() if column.kind == "number"]
    name = x or (numbers[0] if numbers else "number")
    check_axes(prepared, name)
    return prepared, name, own[0]


def _along(model: Model, table: Table, x: str, along: Any) -> pd.DataFrame:
    """Lay runs along one input, with the others at their reference, in one member of each group."""
    runs = table.runs.iloc[[0] * len(along)].set_axis([f"{LINE}{i}" for i in range(len(along))])
    others = {name: usual(model, table, name) for name in number_columns(model)}
    return runs.rename_axis("run").assign(**{**others, x: along})


def _draw_fan(axes: Axes, frame: pd.DataFrame, x: str) -> None:
    fan = frame[frame["part"] == "draw"].pivot(index="draw", columns=x, values="expected")
    for level, alpha in zip(reversed(LEVELS), (0.2, 0.3), strict=True):
        ends = quantiles(fan, [0.5 - level / 2, 0.5 + level / 2])
        axes.fill_between(fan.columns, *ends, color=COLOURS[0], alpha=alpha, linewidth=0)
    for _, line in fan.iloc[:LINES].iterrows():
        axes.plot(fan.columns, line, color=COLOURS[0], linewidth=0.6, alpha=0.7)
    points = frame[frame["part"] == "observed"]
    axes.scatter(points[x], points["measured"], color=INK, s=10, linewidth=0, zorder=3)


def _draw_histogram(axes: Axes, frame: pd.DataFrame, positive: bool) -> None:
    drawn = frame.loc[frame["part"] == "simulated", "measured"]
    seen = frame.loc[frame["part"] == "observed", "measured"]
    low, high = quantiles(drawn, [(1 - SHOWN) / 2, (1 + SHOWN) / 2])
    low, high = min(low, seen.min()), max(high, seen.max())
    edges = (np.geomspace if positive else np.linspace)(low, high, BINS + 1)
    share = np.full(len(drawn), 1 / len(drawn))
    axes.hist(drawn, edges.tolist(), weights=share, color=COLOURS[0], alpha=0.5)
    axes.axvspan(seen.min(), seen.max(), color=COLOURS[1], alpha=0.3, linewidth=0)
    inside = drawn.between(seen.min(), seen.max()).mean()
    axes.set_title(f"{inside:.0%} lie in the range of the measured", color=INK, fontsize="medium")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlim(low, high)
    if positive:
        log_response(axes, "x")
