"""How much compute could any choice of runs save, if the coefficients were known?

    python -m benchmarks.next_run_bound --json benchmarks/results/next_run_bound.json

The runs, rivals and question of `next_run.py`, with Chinchilla's law linearised at the truth and
its noise known, so that a posterior is Normal and its width does not depend on what is measured:

- greedy: the best run for each FLOP until the width of the best rival is reached;
- planned: the cheapest set that `bayescale.ask.kit.plan` finds for that width;
- bound: no set is cheaper. Runs may be made in part, which makes the problem convex; for each
  price of a FLOP the least of variance and price gives a bound (Lagrangian duality).

Claim: on this grid no choice reaches the width of the best of the four rivals for half the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from bayescale.ask.kit.plan import Belief, plan_runs
from bayescale.base.files import write_json
from benchmarks.next_run import BUDGET, CANDIDATES, COSTS, NOISE, OFF, QUESTION, REFERENCE, STARTED
from benchmarks.shared.command import parser_of

MEDIANS = np.array([1.8, 0.3, 0.3, 0.35, 0.35])  # priors of E, A, B, alpha, beta
FACTORS = np.array([1.35, 3.0, 3.0, 1.65, 1.65])
PRICES = np.geomspace(0.05, 20, 25)  # of the budget, in variances of the target
Floats = np.ndarray[Any, np.dtype[np.float64]]


def main() -> None:
    """Average over truths drawn from the prior."""
    parser = parser_of(__doc__)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--truths", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write what was found here")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    each = [one_truth(rng) for _ in range(arguments.truths)]
    found = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    print(found)
    if arguments.json:
        write_json(arguments.json, {**vars(arguments), "json": None, **found})


def one_truth(rng: Any) -> dict[str, float]:
    """Give the cost of reaching the best rival's width, over the budget, of each way."""
    z = np.log(MEDIANS) + np.log(FACTORS) * rng.normal(size=5)
    spread, above = (m * f ** rng.normal() for m, f in NOISE["known"].values())
    noise = spread**2 * (above + 4) / (above + 2)  # one over the information of Student-t noise
    started, rows = gradients(z, STARTED), gradients(z, CANDIDATES)
    asked = gradients(z, {k: np.array([v]) for k, v in QUESTION.items()})[0]
    precision = np.diag(np.log(FACTORS) ** -2.0) + started.T @ started / noise
    every = np.vstack([asked, rows])
    belief = Belief(every @ np.linalg.solve(precision, every.T), np.full((len(rows), 1), noise))

    def after(weights: Floats) -> tuple[float, Floats]:
        """Give the question's variance, and its slope in how much of each run is made."""
        held = precision + (rows * weights[:, None]).T @ rows / noise
        moved = np.linalg.solve(held, asked)
        return float(asked @ moved), -((rows @ moved) ** 2) / noise

    def gain(run: int, made: list[int]) -> float:
        held = precision + rows[made].T @ rows[made] / noise
        return float(np.log1p(rows[run] @ np.linalg.solve(held, rows[run]) / noise) / COSTS[run])

    dearest = list(np.lexsort((OFF, -np.round(np.log(COSTS), 6))))
    cheapest = list(np.lexsort((OFF, np.round(np.log(COSTS), 6))))
    shuffled = list(rng.permutation(len(COSTS)))
    rivals = [
        filled(lambda run, _, order=order: -float(order.index(run)))
        for order in (shuffled, dearest, cheapest)
    ]
    rivals.append(filled(gain))
    target = min(belief.after_all(made).variance for made in rivals)
    enough = (1 - target / belief.variance) * (1 - 1e-9)
    order = list(plan_runs(belief, COSTS).chosen)
    states = [belief.after_all(order[: i + 1]).variance for i in range(len(order))]
    reached = int(np.argmax(np.array(states) <= target * (1 + 1e-9)))
    planned = list(plan_runs(belief, COSTS, enough=enough).chosen)
    return {
        "greedy": COSTS[order[: reached + 1]].sum() / BUDGET,
        "planned": COSTS[planned].sum() / BUDGET,
        "bound": bound(after, target),
    }


def bound(after: Callable[[Floats], tuple[float, Floats]], target: float) -> float:
    """Give a cost, over the budget, that reaching the target takes at the least."""
    cost, best = COSTS / BUDGET, 0.0
    for price in PRICES:

        def total(weights: Floats, price: float = price) -> tuple[float, Floats]:
            variance, slope = after(weights)
            return variance / target + price * cost @ weights, slope / target + price * cost

        start = np.full(len(cost), 0.5)
        found = minimize(total, start, jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(cost))
        # A convex function lies above its tangent: safe though the search is not exact.
        value, slope = total(found.x)
        lowest = value + np.minimum(slope * (0 - found.x), slope * (1 - found.x)).sum()
        best = max(best, (lowest - 1) / price)
    return float(best)


def filled(score: Callable[[int, list[int]], float]) -> list[int]:
    """Spend the budget on the affordable run of the highest score, again and again."""
    made: list[int] = []
    left = BUDGET * (1 + 1e-9)
    while free := [i for i in range(len(COSTS)) if i not in made and COSTS[i] <= left]:
        made.append(max(free, key=lambda run: score(run, made)))
        left -= COSTS[made[-1]]
    return made


def gradients(z: Floats, runs: Any) -> Floats:
    """Give the slopes of the log loss in the logs of E, A, B, alpha, beta, (run, coefficient)."""
    floor, size, data, alpha, beta = np.exp(z)
    x, y = (np.log(np.asarray(runs[k]) / REFERENCE[k]) for k in ("params", "tokens"))
    small, short = size * np.exp(-alpha * x), data * np.exp(-beta * y)
    each = [floor + 0 * x, small, short, -alpha * x * small, -beta * y * short]
    return np.stack(each, axis=-1) / (floor + small + short)[:, None]


if __name__ == "__main__":
    main()
