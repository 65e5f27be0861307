"""`Backtest`: models and baselines on the same held-out rows, in words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.backtesting.refit import R_HAT_LIMIT
from bayescale.backtesting.scorecard import Scorecard, scale_of
from bayescale.backtesting.splits import Split
from bayescale.backtesting.verdicts import RULES
from bayescale.base.files import plain, write_json

SCORES = ["mae", "crps", "interval_score"]
COVERED = ["coverage_0.9", "coverage_0.9_se"]
SHOWN = ["n", *SCORES, *COVERED]


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """Models and baselines on the same held-out rows.

    Parameters
    ----------
    table, split
        Name of the table; what was held out.
    cards
        For each model its scorecard; `backtest["skills"]` is short for one.
    baselines
        For each baseline its scorecard.
    verdicts
        For each model a frame of benchmarks: predictable, flat at chance, saturated or erratic.
    decisions
        How well each model, and a ranking by the largest small run, tells which of two families of
        equal size scores higher: `n`, `accuracy`, `brier`, with standard errors over families.
        Empty where no two held-out runs match.
    models
        For each model its card as it was fitted.
    seed
        The seed.
    """

    table: str
    split: Split
    cards: dict[str, Scorecard]
    baselines: dict[str, Scorecard]
    verdicts: dict[str, pd.DataFrame]
    decisions: pd.DataFrame
    models: dict[str, str] = field(default_factory=dict)
    seed: int = 0

    def __getitem__(self, model: str) -> Scorecard:
        return self.cards[model]

    def to_frame(self) -> pd.DataFrame:
        """One row for each model, then for each baseline: every score and its standard error."""
        cards = [*self.cards.values(), *self.baselines.values()]
        return pd.concat([card.to_frame() for card in cards])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values.

        Returns
        -------
        dict
            `table`, `models` (the cards as text), `seed`, `split`, `cards` and `baselines` (lists
            of scorecards), `verdicts` (by model and benchmark), `decisions` (by forecast).
        """
        result: dict[str, Any] = plain(
            {
                "table": self.table,
                "models": self.models,
                "seed": self.seed,
                "split": str(self.split).splitlines(),
                "cards": [card.to_dict() for card in self.cards.values()],
                "baselines": [card.to_dict() for card in self.baselines.values()],
                "verdicts": {name: of.to_dict("index") for name, of in self.verdicts.items()},
                "decisions": self.decisions.to_dict("index"),
            }
        )
        return result

    def to_json(self, path: str | Path) -> Path:
        """Write `to_dict()` to a file, whole or not at all.

        Raises
        ------
        BayescaleError
            The file cannot be written there.
        """
        path = Path(path)
        write_json(path, self.to_dict())
        return path

    def __str__(self) -> str:
        first = next(iter(self.cards.values()))
        factor, digits, unit = scale_of(first.unit)
        frame = self.to_frame()
        shown = ["mae", "crps", "interval_score", "mean_width_0.9"]
        table = (factor * frame[shown]).round(digits).assign(log_score=frame["log_score"].round(3))
        for level in ("0.5", "0.8", "0.9", "0.95"):
            covered = frame[[f"coverage_{level}", f"coverage_{level}_se"]].to_numpy()
            table[f"{float(level):.0%} hold"] = [
                f"{100 * a:.1f} ({100 * b:.1f})" for a, b in covered
            ]
        text = [str(self.split), f"scores in {unit}; coverage in percent (standard error)"]
        text.append(table.to_string())
        for card in self.cards.values():
            text.append(f"{card.model}: by how much it beats the baselines (standard error)")
            text.append(_told_gains(card, factor, digits).to_string())
            if len(card.by_distance):
                text.append(
                    f"{card.model} by distance: decades of compute beyond the most of the family "
                    "in training"
                )
                scaled = card.by_distance[SHOWN].copy()
                scaled[SCORES] = (factor * scaled[SCORES]).round(digits)
                scaled[COVERED] = (100 * scaled[COVERED]).round(1)
                named = dict(zip(COVERED, ("90% hold", "se"), strict=True))
                text.append(scaled.rename(columns=named).to_string())
            if card.max_r_hat > R_HAT_LIMIT:
                worse = int((card.folds["max_r_hat"] > R_HAT_LIMIT).sum())
                text.append(
                    f"{card.model}: chains disagree in {worse} of {len(card.folds)} folds (R-hat "
                    f"up to {card.max_r_hat:.2f}), so its numbers are rough; give more draws"
                )
            text.append(f"{card.model} by benchmark (shares, not percent)")
            text.append(self.verdicts[card.model].round(3).to_string())
        text.append(RULES)
        if len(self.decisions):
            text.append("which of two held-out runs of equal size, of two families, has more")
            text.append(self.decisions.round(3).to_string())
        return "\n\n".join(text)

    __repr__ = __str__


def _told_gains(card: Scorecard, factor: float, digits: int) -> pd.DataFrame:
    told = {}
    for name, by, size in (
        ("CRPS", "crps", factor),
        ("interval score", "interval_score", factor),
        ("log score", "log_score", 1.0),
    ):
        pairs = size * card.against[[f"{by}_gain", f"{by}_gain_se"]].to_numpy()
        told[name] = [f"{a:.{digits}f} ({b:.{digits}f})" for a, b in pairs]
    return pd.DataFrame(told, index=card.against.index)
