"""What a comparison is not about: the next scale, which a backtest measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bayescale.comparison.comparable import Comparable
from bayescale.comparison.grouped import ROW

ADVICE = (
    "Every column here is about one more score of a run that was seen, given the run's other "
    "scores. For a larger model, or one of an unseen family, only a backtest that holds out whole "
    "runs measures what you want"
)
LAW_ADVICE = (
    "Every column here is about one more measurement like those seen, so about how well a law runs "
    "between them. For a larger run, or one of an unseen group, only a backtest that holds out "
    "whole runs measures what you want"
)
GROUP_ADVICE = (
    "Every column here is about {task}, no larger than those seen. For a larger one, only a "
    "backtest that holds out the larger runs measures what you want"
)


def advice(
    fits: Mapping[str, Comparable],
    by: str,
    task: str,
    of_scores: bool,
    backtests: Sequence[Mapping[str, Any]],
) -> str:
    """Say what a comparison is not about, and what backtests of these models found there."""
    known = {fit.model.name for fit in fits.values()}
    text = ADVICE if of_scores else LAW_ADVICE
    if by != ROW:
        text = GROUP_ADVICE.format(task=task)
    factor, digits, unit = (100, 2, " points") if of_scores else (1, 4, "")
    cited = [card for card in backtests if card["model"] in known]
    if not cited:
        of_others = ""
        if backtests:
            given = ", ".join(sorted({card["model"] for card in backtests}))
            of_others = f" (none of the backtests given, of {given}, is of a model compared here)"
        return f"{text}: run `bayescale backtest`{of_others}."
    found = "; ".join(
        f"the model {card['model']} has CRPS {factor * card['crps']:.{digits}f}{unit}, "
        f"MAE {factor * card['mae']:.{digits}f}{unit} and {card['coverage']['0.9']:.0%} coverage "
        f"of 90% intervals on {card['n']} scores"
        for card in sorted(cited, key=lambda card: float(card["crps"]))
    )
    return f"{text}: there, {found}."
