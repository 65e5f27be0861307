"""What measurements would tell about a question: Bayes linear updating, and batches of runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayescale.base.intervals import Floats

RIDGE = 1e-12  # of a measurement without noise, beside its variance
DEGREES = np.geomspace(1, 1000, 200)  # of a Student-t, between a Cauchy and a Normal


@dataclass(frozen=True)
class Belief:
    """What the draws say of a question and of the measurements of candidates, as if Normal.

    Parameters
    ----------
    covariance
        Of the question, first, and the expected measurements, candidate after candidate.
    noise
        Variance of the noise of each measurement, (candidate, benchmark).
    """

    covariance: Floats
    noise: Floats

    @property
    def variance(self) -> float:
        """Variance of the question."""
        return float(self.covariance[0, 0])

    def after(self, run: int) -> Belief:
        """Give what will be believed when a candidate has been measured."""
        at = self._places(run)
        moved = self.covariance - self._weights(at) @ self.covariance[at]
        return Belief(moved, self.noise)

    def after_all(self, runs: list[int]) -> Belief:
        """Give what will be believed when some candidates have been measured."""
        belief = self
        for run in runs:
            belief = belief.after(run)
        return belief

    def taken(self) -> Floats:
        """Give the share of the question's variance that each candidate takes, (candidate,)."""
        places = [self._places(run) for run in range(len(self.noise))]
        gone = [self._weights(at)[0] @ self.covariance[at, 0] for at in places]
        found: Floats = np.clip(np.asarray(gone) / self.variance, 0.0, 1 - RIDGE)
        return found

    def _places(self, run: int) -> list[int]:
        marks = self.noise.shape[1]
        return list(range(1 + run * marks, 1 + (run + 1) * marks))

    def _weights(self, at: list[int]) -> Floats:
        """Give how a block of measurements moves everything, shape (everything, benchmark)."""
        noise = np.diag(self.noise.reshape(-1)[[i - 1 for i in at]])
        block = self.covariance[np.ix_(at, at)] + noise
        return np.asarray(np.linalg.solve(block, self.covariance[at]).T, np.float64)


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

    def first(self, count: int) -> Plan:
        """Keep so many of the chosen."""
        return replace(self, chosen=self.chosen[:count], together=self.together[:count])


def believe(question: Floats, outcomes: Floats, noise: Floats) -> Belief:
    """Take a question and measurements together.

    Parameters
    ----------
    question
        Draws of the question, shape (draw,).
    outcomes
        Draws of each candidate's expected measurements, (draw, candidate, benchmark).
    noise
        Variance of the noise of these, (candidate, benchmark).

    Returns
    -------
    Belief
    """
    flat = outcomes.reshape(len(question), -1)
    covariance = np.cov(np.column_stack([question, flat]), rowvar=False)
    own = np.diag(covariance)[1:].reshape(noise.shape)
    return Belief(covariance, np.maximum(noise, RIDGE * own + np.finfo(float).tiny))


def plan_runs(
    belief: Belief,
    costs: Floats,
    *,
    batch: int | None = None,
    budget: float = np.inf,
    least: float = 0.0,
    enough: float = 1.0,
) -> Plan:
    """Choose runs one after the other, each by its information about the question for its cost.

    Parameters
    ----------
    belief
        The question and the candidates.
    costs
        Cost of each candidate, (candidate,).
    batch, budget
        Most runs to choose, any number by default, and most that they may cost together.
    least
        Share of the variance below which a reduction counts as none.
    enough
        Share of the variance that is to go. When it is gone, the dearest runs that are not needed
        for it, given the others, are dropped, and the rest is put in the order of cost; where it
        cannot be, all that is affordable is chosen, in the usual order.

    Returns
    -------
    Plan
    """

    def worths(share: Floats, least: float) -> Floats:
        found: Floats = np.where(share >= least, -0.5 * np.log1p(-share), 0.0) / costs
        return found

    reduction = share = belief.taken()
    worth = worths(reduction, least)
    if enough < 1:
        # Runs that tell little each may tell much together, and what is not needed is dropped.
        least = 0.0
    rate = worths(share, least)
    chosen: list[int] = []
    now, left = belief, budget

    def gone(now: Belief) -> float:
        return 1 - now.variance / belief.variance

    while gone(now) < enough and len(chosen) < (batch or len(costs)):
        open_ = costs <= left
        open_[chosen] = False
        if not open_.any():
            break
        if not rate[open_].any():
            if chosen:
                break
            rate = share / costs  # nothing can be told: the best guess
        chosen.append(int(np.argmax(np.where(open_, rate, -np.inf))))
        left -= costs[chosen[-1]]
        now = now.after(chosen[-1])
        share = now.taken()
        rate = worths(share, least)
    if enough < 1 and gone(now) >= enough:
        for run in sorted(chosen, key=lambda run: -costs[run]):
            rest = [other for other in chosen if other != run]
            if rest and gone(belief.after_all(rest)) >= enough:
                chosen = rest
        chosen = sorted(chosen, key=lambda run: costs[run])
    together = [gone(belief.after_all(chosen[: i + 1])) for i in range(len(chosen))]
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
