"""What measurements would tell about a question: Bayes linear updating, and batches of runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 1e-12  # of a measurement without noise, beside its variance
DEGREES = np.geomspace(1, 1000, 200)  # of a Student-t, between a Cauchy and a Normal


@dataclass(frozen=True)
class Plan:
    """What some runs tell about a question.

    Parameters
    ----------
    reduction
        Expected share of the question's variance that each candidate takes alone, (candidate,).
    worth
        Expected information about the question for each unit of cost, (candidate,), in nats; zero
        where a reduction cannot be told from that of unrelated draws.
    chosen
        Candidates of the batch, in the order of choice.
    together
        Share of the variance that the batch has taken after each of its runs.
    """

    reduction: Floats
    worth: Floats
    chosen: tuple[int, ...]
    together: tuple[float, ...]


def plan_runs(
    question: Floats,
    outcomes: Floats,
    noise: Floats,
    costs: Floats,
    *,
    batch: int = 1,
    budget: float = np.inf,
    least: float = 0.0,
) -> Plan:
    """Choose runs one after the other, each by its information about the question for its cost.

    Parameters
    ----------
    question
        Draws of the question, shape (draw,).
    outcomes
        Draws of each candidate's expected measurements, (draw, candidate, benchmark).
    noise
        Variance of the noise of these, (candidate, benchmark).
    costs
        Cost of each candidate, (candidate,).
    batch, budget
        Most runs to choose, and most that they may cost together.
    least
        Share of the variance below which a reduction counts as none.

    Returns
    -------
    Plan
    """
    count, marks = noise.shape
    flat = outcomes.reshape(len(question), -1)
    covariance = np.cov(np.column_stack([question, flat]), rowvar=False)
    own = np.diag(covariance)[1:]
    added = np.maximum(noise.reshape(-1), RIDGE * own + np.finfo(float).tiny)
    places = 1 + np.arange(count * marks).reshape(count, marks)
    first = float(covariance[0, 0])

    def weights(at: NDArray[np.int_]) -> Floats:
        """Give how a block of measurements moves everything else, shape (rest, benchmark)."""
        block = covariance[np.ix_(at, at)] + np.diag(added[at - 1])
        found: Floats = np.linalg.solve(block, covariance[at]).T
        return found

    def taken() -> Floats:
        """Give the share of the question's present variance that each candidate takes."""
        gone = [weights(at)[0] @ covariance[at, 0] for at in places]
        return np.clip(np.asarray(gone) / covariance[0, 0], 0.0, 1 - RIDGE)

    def worths(share: Floats) -> Floats:
        found: Floats = np.where(share >= least, -0.5 * np.log1p(-share), 0.0) / costs
        return found

    reduction = share = taken()
    worth = rate = worths(share)
    chosen: list[int] = []
    together: list[float] = []
    left = budget
    while len(chosen) < batch:
        open_ = costs <= left
        open_[chosen] = False
        if not open_.any():
            break
        if not rate[open_].any():
            if chosen:
                break
            rate = share / costs  # nothing can be told: the best guess
        best = int(np.argmax(np.where(open_, rate, -np.inf)))
        at = places[best]
        covariance = covariance - weights(at) @ covariance[at]
        chosen.append(best)
        together.append(1 - float(covariance[0, 0]) / first)
        left -= costs[best]
        share = taken()
        rate = worths(share)
    return Plan(reduction, worth, tuple(chosen), tuple(together))


def noise_worth(residuals: Floats) -> Floats:
    """Give the variance of the Normal noise that would tell as much about a location.

    Parameters
    ----------
    residuals
        Draws of the noise, shape (draw, ...).

    Returns
    -------
    NDArray
        One over the Fisher information of the location of the Student-t that has the residuals'
        quartiles and 90% interval, shape (...).
    """
    from scipy.stats import t

    away = np.abs(residuals - np.median(residuals, axis=0))
    half, most = np.quantile(away, [0.5, 0.9], axis=0)
    inner, outer = t.ppf(0.75, DEGREES), t.ppf(0.95, DEGREES)
    # The ratio falls as degrees grow; `interp` wants it rising.
    ratio = most / np.maximum(half, np.finfo(float).tiny)
    log_degrees = np.interp(ratio, (outer / inner)[::-1], np.log(DEGREES)[::-1])
    degrees = np.exp(log_degrees)
    scale = half / np.interp(log_degrees, np.log(DEGREES), inner)
    found: Floats = scale**2 * (degrees + 3) / (degrees + 1)
    return found
