"""`plot_weights`: how much each fit counts in a stack or a comparison."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from bayescale.base.errors import CompareError
from bayescale.comparison.comparison import Comparison
from bayescale.comparison.stacking import Stack
from bayescale.plots.comparison import column_of
from bayescale.plots.style import COLOURS, INK, panels, tidy

# Columns of a comparison that hold weights, and what they are called.
KINDS = {
    "stacking_weight": "stacking",
    "pseudo_bma": "pseudo-BMA",
}
THICK = 0.76  # of the room between fits, that all bars of one take


def plot_weights_frame(source: Stack | Comparison) -> pd.DataFrame:
    """Give the weights that `plot_weights` draws.

    Parameters
    ----------
    source
        See `plot_weights`.

    Returns
    -------
    DataFrame
        One row per kind of weight and fit: `fit`, `kind`, `weight`, `about` (which held-out rows,
        or which prediction task, it comes from).

    Raises
    ------
    CompareError
        It is neither a stack nor a comparison, or it has no weights.

    Examples
    --------
    >>> plot_weights_frame(stack(fits, "size"))    # doctest: +SKIP
    """
    if isinstance(source, Stack):
        given, about = {"stacking": source.weights.astype(float)}, source.validation
    elif isinstance(source, Comparison):
        columns = [(kind, column_of(source, name)) for name, kind in KINDS.items()]
        given = {kind: column for kind, column in columns if column is not None}
        about = source.task
    else:
        raise CompareError(
            f"neither a stack nor a comparison but {type(source).__name__}: give what "
            "bayescale.stack or bayescale.comparison.comparison returns"
        )
    if not given:
        raise CompareError("the comparison has no column of weights")
    rows = [
        {"fit": str(name), "kind": kind, "weight": weight, "about": about}
        for kind, weights in given.items()
        for name, weight in weights.items()
    ]
    return pd.DataFrame(rows)


def plot_weights(source: Stack | Comparison, ax: Axes | None = None) -> Axes:
    """Draw the weights of fits as bars.

    Those of a stack come from held-out rows. Those of a comparison are about one more row like
    those seen, and are no weights for extrapolation.

    Parameters
    ----------
    source
        From `stack` or `compare`.
    ax
        Axes to draw into; by default a new figure.

    Returns
    -------
    Axes
        Its data: `plot_weights_frame`.

    Raises
    ------
    CompareError
        It is neither a stack nor a comparison, or it has no weights.

    Examples
    --------
    >>> plot_weights(stack(fits, "size")).figure.savefig("weights.png")    # doctest: +SKIP
    """
    frame = plot_weights_frame(source)
    names, kinds = list(dict.fromkeys(frame["fit"])), list(dict.fromkeys(frame["kind"]))
    height = 1.3 + (0.32 + 0.12 * len(kinds)) * len(names)
    axes = panels(1, 1, (6.0, height))[0] if ax is None else ax
    for i, kind in enumerate(kinds):
        rows = frame[frame["kind"] == kind].set_index("fit").loc[names]
        shift = ((len(kinds) - 1) / 2 - i) * THICK / len(kinds)
        places = [len(names) - 1 - place + shift for place in range(len(names))]
        color = COLOURS[i % len(COLOURS)]
        axes.barh(places, rows["weight"], THICK / len(kinds), color=color, label=kind)
        for place, weight in zip(places, rows["weight"], strict=True):
            axes.text(
                weight + 0.01, place, f"{weight:.2f}", va="center", color=INK, fontsize="small"
            )
    axes.set_xlim(0, 1.08)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "0.25", "0.5", "0.75", "1"])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(range(len(names)), names[::-1])
    origin = (
        "held-out log scores" if isinstance(source, Stack) else "what each left-out score tells"
    )
    about = frame["about"].iloc[0]
    words = f"{kinds[0]} weight" if len(kinds) == 1 else "weight"
    axes.set_xlabel(f"{words}, from {origin}\n({about})")
    if len(kinds) > 1:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, ncols=len(kinds))
    tidy(axes)
    axes.grid(visible=False, axis="y")
    return axes
