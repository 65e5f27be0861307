"""Predictions: queries of any fit, laid out, run forward under its draws, and summarised."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.base.errors import PredictError
from bayescale.base.intervals import intervals
from bayescale.predict.of_law import ask_law
from bayescale.predict.of_leaderboard import ask_leaderboard
from bayescale.predict.prediction import Prediction, check_kind, chosen_benchmarks
from bayescale.predict.queries import Asked

if TYPE_CHECKING:
    from bayescale.fits import Fit


def ask(fit: Fit, rows: pd.DataFrame | None, *, one: Mapping[str, Any], seed: int) -> Asked:
    """Check queries and lay them out; `Fit.predict` documents the arguments.

    Raises
    ------
    PredictError
        See `Fit.predict`.
    """
    given = {name: value for name, value in one.items() if value is not None}
    if (rows is None) == (not given):
        raise PredictError(
            "give rows, or one query (such as family=, params=, tokens= or run=), not both"
        )
    if rows is None:
        rows = every_combination(given)
    asked = ask_leaderboard if fit.model.of_leaderboard else ask_law
    return asked(fit, rows, seed=seed)


def predict(
    fit: Fit,
    rows: pd.DataFrame | None,
    *,
    one: Mapping[str, Any],
    benchmark: str | Sequence[str] | None,
    kind: str,
    interval: float,
    seed: int,
) -> Prediction:
    """Predict scores or quantities; `Fit.predict` documents the arguments."""
    check_kind(kind, interval)
    marks = chosen_benchmarks(fit, benchmark)
    asked = ask(fit, rows, one=one, seed=seed)
    grid = asked.evaluate(seed).score if kind == "score" else asked.expected(seed)
    column = [list(fit.table.benchmarks.index).index(name) for name in marks]
    draws = grid[:, :, column].reshape(len(grid), -1)
    queries = asked.frame
    frame = queries.loc[queries.index.repeat(len(marks))].reset_index(drop=True)
    frame["benchmark"] = marks * len(queries)
    frame = frame.assign(**intervals(draws, interval, kind))
    return Prediction(frame, draws, kind, interval, asked.doubts)


def every_combination(given: Mapping[str, Any]) -> pd.DataFrame:
    """Make a row for every combination of values, of which each name has one or several."""
    values = [
        list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
        for value in given.values()
    ]
    rows = pd.DataFrame(list(itertools.product(*values)), columns=list(given))
    if rows.empty:
        empty = [name for name, value in zip(given, values, strict=True) if not value]
        raise PredictError(f"{', '.join(empty)} is empty: give a value, or several")
    return rows.replace({None: np.nan}) if rows.isna().any(axis=None) else rows
