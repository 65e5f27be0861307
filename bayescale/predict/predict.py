"""Predictions: queries of any fit, laid out, run forward under its draws, and summarised."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayescale.base.errors import PredictError
from bayescale.base.intervals import intervals
from bayescale.inference.posterior import Posterior
from bayescale.predict.of_law import ask_law
from bayescale.predict.of_leaderboard import ask_leaderboard
from bayescale.predict.prediction import Prediction, check_kind, chosen_benchmarks
from bayescale.predict.queries import Asked
from bayescale.tables.validation import Sourced


def ask(
    fit: Posterior, rows: pd.DataFrame | Sourced | None, *, one: Mapping[str, Any], seed: int
) -> Asked:
    """Check queries and lay them out; `predict` documents the arguments.

    Raises
    ------
    PredictError
        See `predict`.
    """
    given = {name: value for name, value in one.items() if value is not None}
    if (rows is None) == (not given):
        raise PredictError(
            "give rows, or one query (such as family=, params=, tokens= or run=), not both"
        )
    if rows is None:
        rows = every_combination(given)
    frame, source = (rows.frame, rows.source) if isinstance(rows, Sourced) else (rows, None)
    asked = ask_leaderboard if fit.model.of_leaderboard else ask_law
    return asked(fit, frame, seed=seed, source=source)


def predict(
    fit: Posterior,
    rows: pd.DataFrame | Sourced | None = None,
    *,
    family: str | None = None,
    params: float | None = None,
    params_active: float | None = None,
    tokens: float | None = None,
    run: str | None = None,
    benchmark: str | Sequence[str] | None = None,
    kind: str = "score",
    interval: float = 0.9,
    seed: int = 0,
    **given: Any,
) -> Prediction:
    """Predict scores of models that nobody has tested, with credible intervals.

    Parameters
    ----------
    rows
        A frame with a row per query: `params`, and optionally `family`, `params_active`,
        `tokens`; or `run` alone.
    family, params, params_active, tokens
        One query. A family of the fit, a new one, or None: one of the known, not said which.
        Active parameters are those of a mixture of experts. Unknown tokens are drawn from
        their prior.
    run
        A run of the fit, on benchmarks that it may lack; its own facts count.
    benchmark
        Name or names; all benchmarks of the fit by default.
    kind
        "score": interval of a measured score, in [0, 1]; "mean": of the expected score.
    interval
        Probability of the central interval.
    seed
        Seed.
    given
        Other inputs of the law, and members of groups.

    Returns
    -------
    Prediction
        `.frame`, one row per query and benchmark; `.draws`, shape (draw, row); `.doubts`.

    Raises
    ------
    PredictError
        An unknown benchmark, run, column, kind or interval; a count that is missing, no number
        or too small; `run` together with facts of its own.

    Examples
    --------
    >>> fit.predict(family="qwen2", params=72e9, tokens=7e12).frame  # doctest: +SKIP
    """
    one = {
        "family": family,
        "params": params,
        "params_active": params_active,
        "tokens": tokens,
        "run": run,
        **given,
    }
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
