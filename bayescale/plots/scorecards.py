"""What pictures of held-out predictions read: a backtest, a scorecard, or the JSON of either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.backtesting.run import Backtest
from bayescale.backtesting.scorecard import Scorecard
from bayescale.base.errors import BacktestError
from bayescale.base.words import quoted, suggest
from bayescale.tables.frames import ACCURACY

Source = Backtest | Scorecard | Mapping[str, Any]

HOW = "bayescale backtest MODEL --by size --json card.json"
WORDS = ("fold", "run", "family", "benchmark")
ASKED = ("model", "n", "coverage", "coverage_se", "rows")


@dataclass(frozen=True, eq=False)
class Shown:
    """One scorecard as pictures read it.

    `coverage` has the columns `level`, `coverage`, `coverage_se`; `rows` are those of `Scorecard`.
    """

    model: str
    baseline: bool
    n: int
    unit: str
    coverage: pd.DataFrame
    rows: pd.DataFrame

    @property
    def what(self) -> str:
        """What was held out: scores, or values of another quantity than accuracy."""
        return measured(self.unit)

    def need(self, *columns: str) -> pd.DataFrame:
        """Give the rows.

        Raises
        ------
        BacktestError
            There are none, or columns are lacking.
        """
        if missing := [name for name in columns if name not in self.rows]:
            raise BacktestError(
                f"the rows of the scorecard of {self.model} have no {quoted(missing)}: it was not "
                f"written by this version; write it anew with `{HOW}`"
            )
        return self.rows


def measured(unit: str) -> str:
    """Name what was measured: scores where the unit is that of an accuracy."""
    return "scores" if unit == ACCURACY else "values"


def read_cards(source: Source) -> list[Shown]:
    """Turn a backtest or a scorecard into frames, models before baselines.

    Parameters
    ----------
    source
        A `Backtest`, a `Scorecard`, or the dictionary of either as read from JSON.

    Returns
    -------
    list of Shown

    Raises
    ------
    BacktestError
        It is none of these.
    """
    if isinstance(source, Scorecard):
        return [_of_object(source, False)]
    if isinstance(source, Backtest):
        models = [_of_object(card, False) for card in source.cards.values()]
        return [*models, *(_of_object(card, True) for card in source.baselines.values())]
    if not isinstance(source, Mapping):
        raise BacktestError(
            f"neither a backtest nor a scorecard: {type(source).__name__}; give what "
            "bayescale.backtesting.run returns, or the dictionary that it writes as JSON"
        )
    if "cards" not in source:
        return [_of_mapping(source, False)]
    parts = (("cards", False), ("baselines", True))
    return [_of_mapping(card, base) for key, base in parts for card in source.get(key, [])]


def chosen(source: Source, model: str | None) -> Shown:
    """Give the scorecard of one model or baseline.

    Parameters
    ----------
    source
        See `read_cards`.
    model
        Its name; by default the only model.

    Raises
    ------
    BacktestError
        There is no such model, or there are several and none is named.
    """
    cards = read_cards(source)
    names = [card.model for card in cards]
    if model is None:
        models = [card for card in cards if not card.baseline]
        if len(models) != 1:
            raise BacktestError(
                f"there are {len(models)} models: say which with model=, one of {quoted(names)} "
                "(command line: --model)"
            )
        return models[0]
    if model not in names:
        raise BacktestError(f"no model {model!r}{suggest(model, names)}; there is: {quoted(names)}")
    return cards[names.index(model)]


def _of_object(card: Scorecard, baseline: bool) -> Shown:
    covered = _covered(card.coverage, card.coverage_se)
    return Shown(card.model, baseline, card.n, card.unit, covered, card.rows)


def _of_mapping(card: Any, baseline: bool) -> Shown:
    if not isinstance(card, Mapping) or any(name not in card for name in ASKED):
        raise BacktestError(f"neither a backtest nor a scorecard: write one with `{HOW}`")
    rows = pd.DataFrame(card["rows"])
    numbers = rows.columns.difference(WORDS)
    rows[numbers] = rows[numbers].astype(float)
    if "log_score" in rows:  # JSON has no infinity
        rows["log_score"] = rows["log_score"].fillna(-np.inf)
    covered = _covered(card["coverage"], card["coverage_se"])
    unit = str(card.get("unit", ACCURACY))
    return Shown(str(card["model"]), baseline, int(card["n"]), unit, covered, rows)


def _covered(coverage: Mapping[str, Any], errors: Mapping[str, Any]) -> pd.DataFrame:
    found = {
        "level": [float(level) for level in coverage],
        "coverage": list(coverage.values()),
        "coverage_se": [errors[level] for level in coverage],
    }
    return pd.DataFrame(found).astype(float)
