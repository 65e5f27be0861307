"""`Evidence`: what a fit was conditioned on after it was fitted, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Evidence:
    """Scores that came later.

    Parameters
    ----------
    runs
        Names of the runs that have them.
    scores
        How many scores.
    how
        "reweighted": the draws were weighted by what these scores say; "refitted": the model was
        fitted again with them.
    why
        Why it was fitted again, or what speaks against the weights.
    pareto_k
        Tail of the weights: below 0.7 they can be relied on.
    effective
        How many draws the weights leave.
    """

    runs: tuple[str, ...]
    scores: int
    how: Literal["reweighted", "refitted"]
    why: str = ""
    pareto_k: float | None = None
    effective: float | None = None

    def __str__(self) -> str:
        names = ", ".join(self.runs[:3]) + (
            f" and {len(self.runs) - 3} more" if self.runs[3:] else ""
        )
        what = f"{self.scores} scores of {names}"
        if self.how == "reweighted":
            text = (
                f"Conditioned on {what} by weighting the draws, without a refit: Pareto k "
                f"{self.pareto_k:.2f}, as good as {self.effective:.0f} draws."
            )
            return text + (f" Do not rely on it: {self.why}." if self.why else "")
        return f"Fitted again with {what}: {self.why}."


def to_json(evidence: tuple[Evidence, ...]) -> list[dict[str, Any]]:
    """Give plain values for a file."""
    return [asdict(one) for one in evidence]


def from_json(records: list[Mapping[str, Any]]) -> tuple[Evidence, ...]:
    """Read what `to_json` gave."""
    return tuple(Evidence(**{**record, "runs": tuple(record["runs"])}) for record in records)
