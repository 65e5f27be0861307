"""`Answer`: what a question to a fit gives: a frame, the draws behind it, a sentence, doubts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.base.counts import format_count
from bayescale.base.errors import AskError

if TYPE_CHECKING:
    from bayescale.fits import Fit

Floats = NDArray[np.float64]
LARGEST_WORD = 1e15  # counts up to here are written with a letter
NEVER = "never"


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """The answer to a question, mapped over the draws of a fit.

    Parameters
    ----------
    question
        Its name, such as "required".
    frame
        A row for each quantity that was asked for.
    draws
        Draws behind the frame, shape (draw, row), in the order of the fit's draws; infinite where a
        draw says never.
    sentence
        The answer in words.
    doubts
        Sentences to read with it.
    interval
        Probability of its intervals.
    picture
        The frame behind its picture, see `plot_answer`.
    about
        What was asked, in plain values.
    fit
        A fit that knows more, where the question was to learn something.
    """

    question: str
    frame: pd.DataFrame
    draws: Floats
    sentence: str
    doubts: tuple[str, ...] = ()
    interval: float = 0.9
    picture: pd.DataFrame | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    fit: Fit | None = None

    def to_frame(self) -> pd.DataFrame:
        """Copy of `frame`."""
        return self.frame.copy()

    def __str__(self) -> str:
        shown = shown_frame(self.frame).to_string(index=False)
        return "\n".join([self.sentence, "", shown, *(f"note: {d}" for d in self.doubts)])


def number(name: str, value: Any) -> float:
    """Check that an argument is one number, of whatever size.

    Raises
    ------
    AskError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise AskError(f"{name} must be one number, such as 0.9 or 1e22; given: {value!r}")
    return float(value)


def check_interval(interval: float, what: str = "interval") -> None:
    """Refuse a probability that is none.

    Raises
    ------
    AskError
        It does not lie strictly between 0 and 1.
    """
    number(what, interval)
    if not 0 < interval < 1:
        raise AskError(f"{what} must lie strictly between 0 and 1, such as 0.9; given: {interval}")


def quantiles(draws: Any, interval: float) -> dict[str, Floats]:
    """Give median and central interval of draws (draw, ...); infinite draws are the largest.

    Quantiles are order statistics: between a number and infinity nothing is interpolated.
    """
    check_interval(interval)
    tail = (1 - interval) / 2
    low, middle, high = np.quantile(
        np.asarray(draws, float), [tail, 0.5, 1 - tail], axis=0, method="inverted_cdf"
    )
    return {"median": middle, f"lower_{interval:g}": low, f"upper_{interval:g}": high}


def told(value: float) -> str:
    """Write a quantity as people do: 7B, 1.5T, 3.2e25, 0.42, never."""
    if np.isposinf(value):
        return NEVER
    if not np.isfinite(value):
        return "nothing" if np.isneginf(value) else "not known"
    if value >= LARGEST_WORD or 0 < abs(value) < 1e-3:
        digits, _, power = f"{value:.2e}".partition("e")
        return f"{float(digits):g}e{int(power)}"
    return format_count(float(f"{value:.3g}")) if value >= 1000 else f"{value:.3g}"


def percent(probability: float) -> str:
    """Write a probability in percent; draws cannot tell those near zero and one from these."""
    if probability < 0.01:
        return "under 1%"
    if probability > 0.99:
        return "over 99%"
    return f"{probability:.0%}"


def shown_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame as it is shown: counts with letters, probabilities in percent."""

    def shown(name: str) -> Callable[[Any], str]:
        if name.startswith("share"):  # of a covariance, which may be negative
            return lambda v: "" if pd.isna(v) else f"{v:.0%}"
        if name.startswith(("probability", NEVER)):
            return lambda v: "" if pd.isna(v) else percent(float(v))
        return lambda v: "" if pd.isna(v) else told(float(v))

    flags = [str(c) for c in frame if pd.api.types.is_bool_dtype(frame[c])]
    frame = frame.assign(**{name: frame[name].map({True: "yes", False: "no"}) for name in flags})
    numbers = [str(c) for c in frame if pd.api.types.is_numeric_dtype(frame[c])]
    words = [str(c) for c in frame if c not in numbers]
    return frame.assign(
        **{name: frame[name].map(shown(name)) for name in numbers},
        **{name: frame[name].astype(object).where(frame[name].notna(), "") for name in words},
    )
