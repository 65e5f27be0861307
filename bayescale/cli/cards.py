"""What `bayescale backtest --json` wrote, as other commands read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bayescale.base.errors import BacktestError

WRITE = "`bayescale backtest MODEL --by size --json card.json` writes such a file"


def read_backtest(path: Path) -> dict[str, Any]:
    """Read the dictionary of a `Backtest`; one scorecard is taken for a backtest of one model.

    Raises
    ------
    BacktestError
        There is no such file, or it holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BacktestError(f"cannot read {path}: {error.strerror}; {WRITE}") from None
    except ValueError as error:
        raise BacktestError(f"{path} is not JSON ({error}); {WRITE}") from None
    if isinstance(found, dict) and "coverage" in found:
        found = {"cards": [found]}
    cards = found.get("cards") if isinstance(found, dict) else None
    if not (
        isinstance(cards, list) and all(isinstance(card, dict) and "crps" in card for card in cards)
    ):
        raise BacktestError(f"{path} holds no scorecards of a backtest; {WRITE}")
    result: dict[str, Any] = {"baselines": [], "verdicts": {}, "decisions": {}, **found}
    return result
