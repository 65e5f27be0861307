"""`Answer`: what a question to a fit gives: a frame, the draws behind it, a sentence, doubts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayescale.base.intervals import Floats
from bayescale.base.words import NEVER, percent, told

if TYPE_CHECKING:
    from bayescale.fits import Fit


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
