"""`plot_skill`: how predictions get worse with the distance of extrapolation."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator

from bayescale.backtesting.scorecard import BOOTSTRAP_SEED, UNSEEN, distance_parts, scale_of
from bayescale.backtesting.scores import cluster_bootstrap
from bayescale.base.errors import BacktestError
from bayescale.base.words import suggest
from bayescale.plots.scorecards import Shown, Source, measured, read_cards
from bayescale.plots.style import COLOURS, GREY, INK, MARKERS, legend_below, panels, tidy

# Column of the rows, how people call it, and which way is better.
SCORES = {
    "crps": ("crps", "CRPS", "lower"),
    "mae": ("absolute_error", "mean absolute error", "lower"),
    "interval_score": ("interval_score", "90% interval score", "lower"),
    "log_score": ("log_score", "log score", "higher"),
}
# Round factors within a decade, for an axis of fewer decades than this.
STEPS = ((2.5, (1.0, 2.0, 5.0)), (4.0, (1.0, 3.0)), (np.inf, (1.0,)))
EDGE = 0.04  # beside the ticks, as a share of the axis
APART = 0.012  # between models, as a share of the axis, so that error bars do not hide each other


def plot_skill_frame(source: Source, *, score: str = "crps") -> pd.DataFrame:
    """Give the means that `plot_skill` draws.

    Parameters
    ----------
    source, score
        See `plot_skill`.

    Returns
    -------
    DataFrame
        One row per model and fifth of the distance: `model`, `baseline`, `distance` (in words),
        `factor` (median of the fifth: compute over the most of the family in training; NaN where
        it has none), `n`, `families`, `mean` and `mean_se` (over families; NaN for one) in the unit
        of the scores, of a log score in nats.

    Raises
    ------
    BacktestError
        See `plot_skill`.

    Examples
    --------
    >>> plot_skill_frame(found, score="log_score")    # doctest: +SKIP
    """
    if score not in SCORES:
        raise BacktestError(f"no score {score!r}{suggest(score, SCORES)}: {', '.join(SCORES)}")
    column, found = SCORES[score][0], []
    for card in read_cards(source):
        rows = card.need(column, "distance", "family")
        fifth = distance_parts(rows["distance"].astype(float))
        found += [_row(card, rows[fifth == part], column) for part in np.unique(fifth)]
    return pd.DataFrame(found)


def _row(card: Shown, rows: pd.DataFrame, column: str) -> dict[str, object]:
    distance = rows["distance"]
    mean, se = cluster_bootstrap(rows[column], rows["family"], seed=BOOTSTRAP_SEED)
    return {
        "model": card.model,
        "baseline": card.baseline,
        "distance": UNSEEN
        if distance.isna().all()
        else f"{_times(10 ** distance.min())} to {_times(10 ** distance.max())}",
        "factor": float(10 ** distance.median()),
        "n": len(rows),
        "families": rows["family"].nunique(),
        "mean": mean,
        "mean_se": se,
    }


def plot_skill(source: Source, ax: Axes | None = None, *, score: str = "crps") -> Axes:
    """Draw the mean score of models and baselines against the distance of extrapolation.

    Held-out rows are divided into fifths of the distance: a run's compute (or size, where compute
    is not known) over the most of its family in training. Families without a run in training stand
    apart at the right. Bars are one standard error to each side, from a bootstrap over families.

    Parameters
    ----------
    source
        A backtest, a scorecard, or the dictionary of either as read from JSON.
    ax
        Axes to draw into; by default a new figure, with a legend below.
    score
        "crps", "mae", "interval_score" or "log_score".

    Returns
    -------
    Axes
        Its data: `plot_skill_frame`. A mean that is not finite is not drawn.

    Raises
    ------
    BacktestError
        There is no such score, or rows have no distances.

    Examples
    --------
    >>> plot_skill(found, score="mae").figure.savefig("skill.png")    # doctest: +SKIP
    """
    frame, cards = plot_skill_frame(source, score=score), read_cards(source)
    axes = panels(1, 1, (6.4, 4.8))[0] if ax is None else ax
    factor, _, unit = scale_of(cards[0].unit)
    if score == "log_score":
        factor, unit = 1.0, "nats"
    low, high, apart = _axis(axes, frame)
    handles = []
    for i, card in enumerate(cards):
        rows = frame[(frame["model"] == card.model) & (frame["baseline"] == card.baseline)]
        own = sum(other.baseline == card.baseline for other in cards[:i])
        color = GREY if card.baseline else COLOURS[own % len(COLOURS)]
        line = Line2D(
            [],
            [],
            color=color,
            linestyle="--" if card.baseline else "-",
            linewidth=1.1 if card.baseline else 1.8,
            marker=MARKERS[(own + card.baseline) % len(MARKERS)] if card.baseline else "o",
            markersize=5 if card.baseline else 6,
            label=card.model,
        )
        shift = (i - (len(cards) - 1) / 2) * APART * (high - low)
        for part in (rows[rows["factor"].notna()], rows[rows["factor"].isna()]):
            at = np.log10(part["factor"].to_numpy(float))
            values = factor * part["mean"].replace(-np.inf, np.nan).to_numpy(float)
            axes.errorbar(
                np.where(np.isnan(at), apart, at) + shift,
                values,
                factor * part["mean_se"].fillna(0.0).to_numpy(float),
                color=color,
                linestyle=line.get_linestyle(),
                linewidth=line.get_linewidth(),
                elinewidth=0.9,
                marker=line.get_marker(),
                markersize=line.get_markersize(),
                zorder=2 if card.baseline else 3,
            )
        handles.append(line)
    name, better = SCORES[score][1:]
    tidy(axes)
    if better == "lower":
        axes.set_ylim(bottom=0)
    axes.set_ylabel(f"{name} ({unit}; {better} is better)")
    n = int(frame.loc[frame["model"] == cards[0].model, "n"].sum())
    what = measured(cards[0].unit)
    axes.set_title(f"{n} held-out {what}, by distance", color=INK, fontsize="medium")
    if ax is None:
        legend_below(np.array([axes], dtype=object), handles, 2 if len(handles) < 5 else 3)
    else:
        axes.legend(handles=handles, frameon=False, fontsize="small")
    return axes


def _axis(axes: Axes, frame: pd.DataFrame) -> tuple[float, float, float]:
    """Put ticks of factors; give the ends of the axis and the place of unseen families."""
    at = np.log10(frame["factor"].dropna().to_numpy(float))
    ticks: list[float] = _ticks(float(at.min()), float(at.max())) if len(at) else []
    labels = [_times(10**tick) for tick in ticks]
    low, high = (ticks[0], ticks[-1]) if ticks else (0.0, 0.0)
    low, high = low - EDGE * (high - low), high + EDGE * (high - low)
    apart = high
    if frame["factor"].isna().any():
        width = 0.26 * (high - low) if ticks else 1.0
        if ticks:
            axes.axvline(high, color=GREY, linewidth=0.8, linestyle=":")
        apart, high = high + width / 2, high + width
        ticks, labels = [*ticks, apart], [*labels, "family not\nin training"]
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter(labels))
    if len(at):
        axes.set_xlabel("compute (or size) over the most of the family in training")
    return low, high, apart


def _ticks(low: float, high: float) -> list[float]:
    """Choose logs of round factors, from the last one below to the first one above."""
    steps = next(s for most, s in STEPS if high - low < most)
    decades = np.arange(np.floor(low) - 1, np.ceil(high) + 2)
    every = np.add.outer(decades, np.log10(steps)).ravel()
    first = int(np.searchsorted(every, low + 1e-9)) - 1
    last = int(np.searchsorted(every, high - 1e-9))
    return [float(tick) for tick in every[first : max(last, first + 1) + 1]]


def _times(factor: float) -> str:
    """Write a factor in plain numbers."""
    return f"× {factor:,.0f}" if factor >= 100 else f"× {factor:.2g}"
