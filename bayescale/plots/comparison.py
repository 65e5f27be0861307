"""`plot_comparison`: how far fits are behind the best, in expected log predictive density."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bayescale.base.errors import CompareError
from bayescale.comparison.comparison import Comparison
from bayescale.plots.style import COLOURS, GREY, INK, panels, tidy

ERRORS = 2  # standard errors to each side


def column_of(comparison: Comparison, name: str) -> pd.Series | None:
    """Give a column of a comparison whatever task stands behind its name; None if there is none."""
    frame = comparison.frame
    own = [c for c in frame.columns if c == name or str(c).startswith(f"{name} (")]
    return frame[own[0]].astype(float) if own else None


def check_comparison(source: object) -> None:
    """Refuse what is no comparison."""
    if not isinstance(source, Comparison):
        raise CompareError(
            f"not a comparison but {type(source).__name__}: give what bayescale.compare returns"
        )


def plot_comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """Give the differences that `plot_comparison` draws.

    Parameters
    ----------
    comparison
        See `plot_comparison`.

    Returns
    -------
    DataFrame
        One row per fit, best first: `model`, `elpd_diff` (nats), `se` (the larger of the standard
        errors over rows and over families), `lower` and `upper` (two of them to each side),
        `stacking_weight`, `task` (which prediction all of it is about).

    Raises
    ------
    CompareError
        It is no comparison.

    Examples
    --------
    >>> plot_comparison_frame(compare(fits))    # doctest: +SKIP
    """
    check_comparison(comparison)
    difference = column_of(comparison, "elpd_diff")
    errors = [column_of(comparison, name) for name in ("se_diff", "se_diff_over_families")]
    weight = column_of(comparison, "stacking_weight")
    if difference is None or errors[0] is None:
        raise CompareError("the comparison has no columns elpd_diff and se_diff")
    known = pd.concat([error for error in errors if error is not None], axis=1)
    frame = pd.DataFrame({"model": [str(name) for name in difference.index]})
    frame["elpd_diff"], frame["se"] = difference.to_numpy(), known.max(axis=1).to_numpy()
    reach = ERRORS * frame["se"].fillna(0.0)
    frame["lower"], frame["upper"] = frame["elpd_diff"] - reach, frame["elpd_diff"] + reach
    frame["stacking_weight"] = np.nan if weight is None else weight.to_numpy()
    return frame.assign(task=comparison.task)


def plot_comparison(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw how far fits are behind the best, with two standard errors to each side.

    The larger of the errors over rows and over families is drawn. Stacking weights stand beside.
    The doubts of a comparison must be read with its picture.

    Parameters
    ----------
    comparison
        From `compare`.
    ax
        Axes to draw into; by default a new figure.

    Returns
    -------
    Axes
        Its data: `plot_comparison_frame`.

    Raises
    ------
    CompareError
        It is no comparison.

    Examples
    --------
    >>> plot_comparison(compare(fits)).figure.savefig("comparison.png")    # doctest: +SKIP
    """
    frame = plot_comparison_frame(comparison)
    count = len(frame)
    axes = panels(1, 1, (6.6, 1.5 + 0.38 * count))[0] if ax is None else ax
    axes.axvline(0.0, color=GREY, linewidth=1.0, linestyle="--")
    for place, row in enumerate(frame.to_dict("records")):
        height = count - 1 - place
        color = INK if place == 0 else COLOURS[0]
        axes.plot([row["lower"], row["upper"]], [height, height], color=color, linewidth=1.6)
        axes.plot(row["elpd_diff"], height, "o", color=color, markeredgecolor="white", markersize=8)
        if np.isfinite(row["stacking_weight"]):
            _beside(axes, height, f"{row['stacking_weight']:.2f}")
    if frame["stacking_weight"].notna().any():
        _beside(axes, count - 0.25, "stacking\nweight", va="bottom")
    axes.set_ylim(-0.6, count - 0.4)
    axes.set_yticks(range(count), list(frame["model"])[::-1])
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(
        "difference in elpd to the best fit (nats), with two standard errors\n"
        f"for {comparison.task}"
    )
    tidy(axes)
    axes.grid(visible=False, axis="y")
    return axes


def _beside(axes: Axes, height: float, text: str, va: str = "center") -> None:
    """Write at the right of the axes."""
    place = axes.get_yaxis_transform()
    axes.text(1.07, height, text, transform=place, ha="center", va=va, color=INK, fontsize="small")
