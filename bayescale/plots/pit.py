"""`plot_pit`: where held-out values fall in their predictive distributions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy.stats import binom

from bayescale.plots.scorecards import Source, chosen
from bayescale.plots.style import COLOURS, GREY, INK, panels, tidy

BINS = 20
LEVEL = 0.99  # that all bins of a uniform histogram lie in the band
ROOM = 1.55  # above the highest bar, for the sentence
MEANING = (
    "U shape: predictions are too sure. Hump: not sure enough.\n"
    "More on the left: predictions are too high. On the right: too low."
)


def plot_pit_frame(source: Source, model: str | None = None) -> pd.DataFrame:
    """Give the histogram that `plot_pit` draws.

    Parameters
    ----------
    source, model
        See `plot_pit`.

    Returns
    -------
    DataFrame
        One row per bin: `model`, `lower` and `upper` (its ends), `count`, `uniform` (the count that
        a uniform histogram has on average), `band_lower_0.99`, `band_upper_0.99`, `outside`.

    Raises
    ------
    BacktestError
        See `plot_pit`.

    Examples
    --------
    >>> plot_pit_frame(found, "skills")    # doctest: +SKIP
    """
    card = chosen(source, model)
    pit = card.need("pit")["pit"].to_numpy(float)
    edges = np.arange(BINS + 1) / BINS
    count, _ = np.histogram(pit, bins=edges)
    n = int(count.sum())
    # Bonferroni: each bin leaves its own band with a 20th of the probability that any may.
    tail = (1 - LEVEL) / BINS / 2
    low, high = binom.ppf([tail, 1 - tail], n, 1 / BINS)
    frame = pd.DataFrame({"model": card.model, "lower": edges[:-1], "upper": edges[1:]})
    frame["count"], frame["uniform"] = count, n / BINS
    frame[f"band_lower_{LEVEL:g}"], frame[f"band_upper_{LEVEL:g}"] = low, high
    return frame.assign(outside=(count < low) | (count > high))


def plot_pit(source: Source, model: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the histogram of probability integral transforms of held-out values.

    The transform of a value is the share of predictive draws below it. Where predictions are
    calibrated the histogram is flat; the band holds all bars of a flat one with 99% probability, if
    rows were independent. Rows of one family share what is wrong about it, so a bar or two
    outside it are less than a proof.

    Parameters
    ----------
    source
        A backtest, a scorecard, or the dictionary of either as read from JSON.
    model
        Name of a model or a baseline; by default the only model.
    ax
        Axes to draw into; by default a new figure, which has room to say how to read it.

    Returns
    -------
    Axes
        Its data: `plot_pit_frame`.

    Raises
    ------
    BacktestError
        There is no such model, several and none is named, or rows were written without transforms.

    Examples
    --------
    >>> plot_pit(found, "skills").figure.savefig("pit.png")    # doctest: +SKIP
    """
    frame, card = plot_pit_frame(source, model), chosen(source, model)
    axes = panels(1, 1, (5.8, 4.2))[0] if ax is None else ax
    first = frame.iloc[0]
    low, high = first[f"band_lower_{LEVEL:g}"], first[f"band_upper_{LEVEL:g}"]
    axes.axhspan(low, high, color=GREY, alpha=0.25, linewidth=0, zorder=0)
    axes.axhline(first["uniform"], color=GREY, linewidth=1.0, linestyle="--", zorder=0.5)
    colours = np.where(frame["outside"], COLOURS[1], COLOURS[0])
    width = 1 / BINS
    axes.bar(frame["lower"], frame["count"], width, align="edge", color=colours, edgecolor="white")
    tidy(axes)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, ROOM * max(high, frame["count"].max()))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel(f"share of predictive draws below the held-out {card.what.removesuffix('s')}")
    axes.set_ylabel(f"held-out {card.what}")
    n, out = int(frame["count"].sum()), int(frame["outside"].sum())
    axes.set_title(f"{first['model']} ({n} held-out {card.what})", color=INK, fontsize="medium")
    band = f"Band: where {LEVEL:.0%} of flat histograms of {n} stay; {out} of {BINS} bars leave it."
    if ax is not None:  # beside others there is no room for words
        return axes
    axes.text(
        0.02,
        0.98,
        f"{MEANING}\n{band}",
        transform=axes.transAxes,
        va="top",
        color=INK,
        fontsize="small",
        linespacing=1.4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
    )
    return axes
