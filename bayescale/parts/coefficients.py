"""Coefficients: a prior in natural units, and how the coefficient varies over groups.

Every coefficient has a transform to the real line (identity, log, logit) and a Normal prior there,
written as a median and a spread in natural units. One rule pools any of them: group offsets are
Normal on the real line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bayescale.base.errors import ModelError

Support = Literal["real", "positive", "fraction"]
OF_BENCHMARKS = ("benchmark", "other")
GROUPS = ("family", "run", *OF_BENCHMARKS)
USUAL_SPREAD = 0.3  # between groups, in prior standard deviations
INTERVAL = 1.6448536269514722  # half-width of the central 90% of a standard Normal


@dataclass(frozen=True)
class Prior:
    """A Normal prior on the real line, written in natural units.

    Parameters
    ----------
    support
        "real", "positive" (log scale) or "fraction" (logit scale).
    median
        Prior median, in the coefficient's unit.
    spread
        Standard deviation for "real" and (in logits) "fraction"; a factor above 1 for "positive":
        two thirds of the prior lie within median / factor and median * factor.
    """

    support: Support
    median: float
    spread: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.median) and math.isfinite(self.spread)):
            raise ModelError(f"a prior is two numbers; given: {self.median}, {self.spread}")
        lowest = 1.0 if self.support == "positive" else 0.0
        if not self.spread > lowest:
            raise ModelError(
                f"a {self.support} prior needs a spread above {lowest:g}; given: {self.spread}"
            )
        if self.support == "positive" and not self.median > 0:
            raise ModelError(f"a positive prior needs a median above 0; given: {self.median}")
        if self.support == "fraction" and not 0 < self.median < 1:
            raise ModelError(f"a fraction prior needs a median in (0, 1); given: {self.median}")

    @property
    def location(self) -> float:
        """Mean on the real line."""
        return float(_TO_REAL[self.support](self.median))

    @property
    def scale(self) -> float:
        """Standard deviation on the real line."""
        return float(np.log(self.spread)) if self.support == "positive" else self.spread

    def natural(self, value: Any) -> Any:
        """Map numbers or arrays from the real line to natural units."""
        import jax.numpy as jnp
        from jax.nn import sigmoid

        if self.support == "positive":
            return jnp.exp(value)
        return sigmoid(value) if self.support == "fraction" else value

    def interval(self) -> tuple[float, float]:
        """Central 90% of the prior, in natural units."""
        ends = (self.location - INTERVAL * self.scale, self.location + INTERVAL * self.scale)
        low, high = (float(_TO_NATURAL[self.support](end)) for end in ends)
        return low, high


_TO_REAL: dict[Support, Callable[[Any], Any]] = {
    "real": lambda x: x,
    "positive": np.log,
    "fraction": lambda x: np.log(x / (1 - x)),
}
_TO_NATURAL: dict[Support, Callable[[Any], Any]] = {
    "real": lambda x: x,
    "positive": np.exp,
    "fraction": lambda x: 1 / (1 + np.exp(-x)),
}


@dataclass(frozen=True)
class Coefficient:
    """A named coefficient of a law, a link or a noise.

    Parameters
    ----------
    name
        The name that the formula uses.
    prior
        Its prior.
    dims
        Dimensions of one value: () or some of "skill", "benchmark", "other" (benchmarks that are
        no anchor), "contrast" (domains of a mixture but the last).
    unit
        Unit of the value.
    meaning
        What it is, at the reference run.
    """

    name: str
    prior: Prior
    dims: tuple[str, ...] = ()
    unit: str = "1"
    meaning: str = ""


def real(median: float, spread: float, *dims: str, unit: str = "1", meaning: str = "") -> Any:
    """Declare a coefficient on the real line: prior Normal(median, spread)."""
    return _declared("real", median, spread, dims, unit, meaning)


def positive(median: float, factor: float, *dims: str, unit: str = "1", meaning: str = "") -> Any:
    """Declare a positive coefficient: LogNormal prior, two thirds within a factor of the median."""
    return _declared("positive", median, factor, dims, unit, meaning)


def fraction(median: float, spread: float, *dims: str, unit: str = "1", meaning: str = "") -> Any:
    """Declare a coefficient in (0, 1): Normal on the logit scale, spread in logits."""
    return _declared("fraction", median, spread, dims, unit, meaning)


def _declared(
    support: Support, median: float, spread: float, dims: tuple[str, ...], unit: str, meaning: str
) -> Coefficient:
    return Coefficient("", Prior(support, median, spread), dims, unit, meaning)


@dataclass(frozen=True)
class Pooling:
    """How a coefficient varies over the members of a group.

    Partially pooled, the real-line value of a member is the population value plus an offset,
    Normal(0, spread); the spread is learned, so that groups share strength. Separate, each member
    has the coefficient's prior for itself.

    Parameters
    ----------
    group
        "family", "run", "benchmark", a column of groups of the table, or "other": the benchmarks
        that anchor no skill, while anchors keep the population value.
    spread
        Prior of the offsets' standard deviation, on the real line of the coefficient; None for
        separate members.
    correlated
        Whether a member's offsets are correlated: of different skills, or of all coefficients
        that are correlated over this group (an LKJ prior on the correlation).
    """

    group: str
    spread: Prior | None
    correlated: bool = False

    @property
    def learned(self) -> Prior:
        """The spread's prior, of a rule that is not separate."""
        if self.spread is None:
            raise ModelError(f"separate members of {self.group} have no spread")
        return self.spread


def pooling_from_card(group: str, card: str | Mapping[str, Any], prior: Prior) -> Pooling:
    """Read one pooling rule of a model card.

    Parameters
    ----------
    group
        The group's name.
    card
        "partial", "correlated" or "separate"; or a mapping with `spread` (median and factor), and
        optional `correlated`.
    prior
        The coefficient's prior: without a spread of the card's, a learned spread of 0.3 prior
        standard deviations is expected, within a factor of 2.

    Raises
    ------
    ModelError
        A word or a key is unknown or missing.
    """
    usual = Prior("positive", USUAL_SPREAD * prior.scale, 2.0)
    if isinstance(card, str):
        if card == "separate":
            return Pooling(group, None)
        if card in ("partial", "correlated"):
            return Pooling(group, usual, correlated=card == "correlated")
        raise ModelError(
            f"pooling over {group}: give one of partial, correlated, separate, or a spread; "
            f"given: {card}"
        )
    unknown = set(card) - {"spread", "correlated"}
    if unknown or "spread" not in card:
        raise ModelError(
            f"pooling over {group}: give spread = [median, factor], and if wanted correlated; "
            f"given: {', '.join(sorted(card)) or 'nothing'}"
        )
    spread = prior_from_card(f"pooling over {group}: spread", "positive", card["spread"])
    return Pooling(group, spread, correlated=bool(card.get("correlated")))


def prior_from_card(name: str, support: Support, pair: Any) -> Prior:
    """Read a prior's median and spread.

    Raises
    ------
    ModelError
        These are not two numbers.
    """
    try:
        median, spread = map(float, pair)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} = [median, spread], two numbers; given: {pair!r}") from error
    try:
        return Prior(support, median, spread)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
