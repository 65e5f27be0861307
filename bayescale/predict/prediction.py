"""`Prediction`: predicted values with their draws and doubts; what every prediction checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescale.base.counts import format_count
from bayescale.base.errors import PredictError
from bayescale.base.intervals import Floats, check_interval
from bayescale.base.words import suggest

if TYPE_CHECKING:
    from bayescale.fits import Fit

KINDS = ("score", "mean")
PREDICTABLE = "predictable"
COUNTS = ("params", "params_active", "tokens", "flops")


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted scores.

    Parameters
    ----------
    frame
        One row per query and benchmark: `run`, `family`, `family_status` (seen, new, not named),
        `params`, `tokens`, `benchmark`, then `<kind>_median`, `<kind>_lower_<interval>`,
        `<kind>_upper_<interval>`.
    draws
        Draws behind it, shape (draw, row), in the order of `frame`.
    kind, interval
        What the interval is about, and its probability.
    doubts
        Sentences to read with the numbers.
    parts
        Of a stack: what each fit predicts, its weight and its share of the variance.
    """

    frame: pd.DataFrame
    draws: Floats
    kind: str
    interval: float
    doubts: tuple[str, ...]
    parts: pd.DataFrame | None = None

    def to_frame(self) -> pd.DataFrame:
        """Copy of `frame`."""
        return self.frame.copy()

    def beside(self, verdicts: pd.DataFrame) -> Prediction:
        """Set what a backtest says of each benchmark beside the predictions of it.

        Parameters
        ----------
        verdicts
            Of the model, from `Backtest.verdicts`.

        Returns
        -------
        Prediction
            With a column `verdict` after `benchmark`, and a doubt for each that is not predictable.
        """
        said = self.frame["benchmark"].map(verdicts["verdict"]).fillna("not backtested")
        frame = self.frame.copy()
        frame.insert(list(frame).index("benchmark") + 1, "verdict", said)
        doubts = []
        for name in dict.fromkeys(frame["benchmark"][said != PREDICTABLE]):
            if name not in verdicts.index:
                doubts.append(f"{name} was not backtested")
                continue
            row = verdicts.loc[name]
            told = f"90% intervals held {row['coverage_0.9']:.0%} of {row['n']:.0f} held-out scores"
            if np.isfinite(row["explained"]):
                told += f", medians explained {row['explained']:.0%} of their variance"
            doubts.append(f"{name} was {row['verdict']} in the backtest: {told}")
        return replace(self, frame=frame, doubts=(*self.doubts, *doubts))

    def __str__(self) -> str:
        counts = {name: format_count for name in COUNTS if name in self.frame}
        shown = self.frame.round(4).to_string(index=False, formatters=counts)
        return "\n".join([shown, *(f"note: {doubt}" for doubt in self.doubts)])


def check_kind(kind: str, interval: float) -> None:
    """Refuse what is neither kind of interval, and a probability that is none."""
    if kind not in KINDS:
        raise PredictError(f"kind must be one of {', '.join(KINDS)}; given: {kind!r}")
    check_interval(interval)


def chosen_benchmarks(fit: Fit, benchmark: str | Sequence[str] | None) -> list[str]:
    """Give the benchmarks that were asked for; all of the fit by default."""
    known = list(fit.table.benchmarks.index)
    if benchmark is None:
        return known
    asked = [benchmark] if isinstance(benchmark, str) else list(benchmark)
    for name in asked:
        if name not in known:
            raise PredictError(
                f"the fit has no benchmark {name!r}{suggest(name, known)}; it has: "
                f"{', '.join(known)}. A new benchmark needs a few scores: add them to the table "
                "and fit again"
            )
    return asked
