"""How much compute does `next_run` save beside simpler ways to choose runs?

    python -m benchmarks.next_run --json benchmarks/results/next_run.json

Truths: coefficients of Chinchilla's law, drawn from the prior at the reference of 1B params and 20B
tokens, and its Student-t noise on the log, known within a factor of 1.5 around a spread of 0.4% and
seven degrees of freedom (`--noise prior`: the prior of the noise as well). Twelve runs of 5e16 to
2e18 FLOPs are there at the start. Forty runs could be made, each once: eight sizes from 30M to 5B
params by five lengths from 5.5B to 330B tokens, 1e18 to 1e22 FLOPs. The question is the expected
loss at 1e24 FLOPs and 20 tokens a param; what counts is the width of its 90% interval.

Each rival spends the budget, 3e21 FLOPs, until no run that is left is affordable:

- random: any affordable run;
- largest: the affordable run of the most compute;
- cheapest: the run of the least compute;
- D-optimal: the run that adds most, for its cost, to the log determinant of the information about
  the law's coefficients (on the real line, with the information of their priors), linearised at the
  posterior mean. Without the cost it is the weaker rival.

Ours is `next_run` with `width=`: the first runs of the cheapest set expected to reach a width
15% below that of the best rival of that truth (what is expected is missed half of the time).
Ours and D-optimal choose up to eight runs at a time, as long as these cost at most a quarter of
what has been spent or 2% of the budget, and are then fitted again. The compute that ours takes
until its interval is no wider than that of the best rival, over the budget, is the ratio; ours may
spend up to twice the budget, and counts as two where that is not enough.

Wanted: a mean ratio whose 95% interval, from a bootstrap over truths, lies below one; the goal is a
half (see `next_run_bound.py`). It is told against the rival whose interval is the narrowest on
average, and every other, as their widths are passed along the way; and against the narrowest of the
four of each truth, which nobody can choose beforehand and is luck in part. A truth where a fit to
all forty runs is wider still counts in `not_reached_by_all_runs`. Every fit goes through one
compiled program, in which runs not made have weight zero.

A truth that is in the JSON file already is not run again: the same command goes on after a stop.
Longer than 400 lines so that the rivals stand beside ours.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayescale.ask.next_run import next_run
from bayescale.base.files import write_json
from bayescale.base.intervals import intervals
from bayescale.base.runtime import keep_compiled
from bayescale.fits import Fit
from bayescale.inference.diagnostics import largest_r_hat
from bayescale.inference.labels import to_datasets
from bayescale.inference.sampler import Start, sample
from bayescale.inference.transition import Program, compile_program
from bayescale.models.cards import customise, model_of_law
from bayescale.models.grid import Grid
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.model import Model
from bayescale.models.simulate import simulate
from bayescale.tables.table import Table
from benchmarks.shared.command import parser_of, say

FINAL_SEED = 40_000  # of the truths that are reported; develop with others
TRUTHS = 50
BUDGET, CAP = 3e21, 2.0
REFERENCE = {"params": 1e9, "tokens": 2e10}
FAR = 1e24
PARAMS, TOKENS = np.geomspace(3e7, 5e9, 8), np.geomspace(5.5e9, 3.3e11, 5)
FIRST_PARAMS, FIRST_TOKENS = (3e7, 6e7, 1e8), (3e8, 6e8, 1e9, 3e9)
BEST_RATIO = 20.0
BATCH, PART, SMALL = 8, 0.25, 0.02  # runs at a time; their cost, of what is spent, of the budget
CHAINS, WINDOWS, FIRST_WINDOWS, DRAWS = 2, 2, 5, 1000
R_HAT, LONGEST = 1.05, 4
MARGIN = 0.85  # of the width to reach: what ours plans for
INTERVAL = 0.9
NOISE: dict[str, dict[str, tuple[float, float]]] = {
    "known": {"spread": (0.004, 1.5), "degrees": (6.0, 1.5)},  # median, and factor
    "prior": {},
}
LAW = ("E", "A", "B", "alpha", "beta")
OURS = "next_run"
RIVALS = ("random", "largest", "cheapest", "D-optimal")


class Refit(Fit):
    """A fit whose R-hat the benchmark looks at itself, and whose priors are not the question."""

    verdict_ok = True


@dataclass(frozen=True)
class State:
    """A fit on some of the runs, and what it says of the question."""

    fit: Refit
    start: Start
    low: float
    high: float
    r_hat: float

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True)
class World:
    """A truth: all rows, measured or not, and one compiled program."""

    model: Model
    table: Table
    rows: Grid
    program: Program
    seed: int

    def fitted(self, made: list[int], start: Start | None) -> State:
        """Fit the runs at the start and those made since."""
        weights = np.zeros(self.rows.weights.shape)
        weights[: len(STARTED)] = 1.0
        weights[[len(STARTED) + i for i in made]] = 1.0
        rows = self.rows.with_weights(weights)
        seed = self.seed + 10 * len(made)
        with jax.enable_x64(True):
            windows = WINDOWS if start else FIRST_WINDOWS
            found = sample(
                self.program,
                rows,
                seed=seed,
                chains=CHAINS,
                windows=windows,
                draws=DRAWS,
                start=start,
            )
            length = 1
            while length < LONGEST and self.r_hat(found) > R_HAT:
                more = sample(
                    self.program,
                    rows,
                    seed=seed + length,
                    chains=CHAINS,
                    windows=0,
                    draws=DRAWS * length,
                    start=found.end,
                )
                found, length = found.then(more), 2 * length
        r_hat = self.r_hat(found)
        thinned = dataclasses.replace(
            found,
            sites={k: v[:, ::length] for k, v in found.sites.items()},
            stats={k: v[:, ::length] for k, v in found.stats.items()},
        )
        posterior, stats = to_datasets(self.model, self.table, thinned)
        fit = Refit(self.model, self.table, posterior, stats, seed)
        draws = fit.predict(**QUESTION, kind="mean").draws
        low, high = list(intervals(draws[:, 0], INTERVAL).values())[1:]
        return State(fit, found.end, float(low), float(high), r_hat)

    def r_hat(self, found: Any) -> float:
        return largest_r_hat(to_datasets(self.model, self.table, found)[0])


def grid(params: Any, tokens: Any) -> pd.DataFrame:
    """Lay out a grid of sizes and training lengths."""
    size, length = (axis.ravel() for axis in np.meshgrid(params, tokens, indexing="ij"))
    return pd.DataFrame({"params": size, "tokens": length})


STARTED, CANDIDATES = grid(FIRST_PARAMS, FIRST_TOKENS), grid(PARAMS, TOKENS)
COSTS = (6 * CANDIDATES["params"] * CANDIDATES["tokens"]).to_numpy()
FAR_PARAMS = float(np.sqrt(FAR / (6 * BEST_RATIO)))
QUESTION = {"params": FAR_PARAMS, "tokens": BEST_RATIO * FAR_PARAMS}
OFF = np.abs(np.log(CANDIDATES["tokens"] / CANDIDATES["params"] / BEST_RATIO)).to_numpy()


def main() -> None:
    """Run the truths that are not there yet, and sum up."""
    parser = parser_of(__doc__)
    parser.add_argument("--seed", type=int, default=FINAL_SEED, help="of the truths")
    parser.add_argument("--noise", choices=NOISE, default="known", help="how well it is known")
    parser.add_argument("--truths", type=int, default=TRUTHS)
    parser.add_argument("--json", type=Path, help="keep what was found here, truth by truth")
    arguments = parser.parse_args()
    keep_compiled()
    done: list[dict[str, Any]] = []
    if arguments.json and arguments.json.exists():
        before = json.loads(arguments.json.read_text())
        done = before["truths"] if before["seed"] == arguments.seed else []
    model, table, drawn, grids = truths(arguments.seed, arguments.truths, arguments.noise)
    rows = lay_out(model, table)
    with jax.enable_x64(True):
        program = compile_program(model, rows)
    for number in range(len(done), arguments.truths):
        began = time.perf_counter()
        scores = np.asarray(grids["score"][number])
        world = World(
            model,
            table,
            dataclasses.replace(rows, scores=scores),
            program,
            arguments.seed + 1000 * (number + 1),
        )
        found = one_truth(world, float(grids["expected"][number, -1, 0]))
        found["truth"] = {name: float(drawn[name][number].squeeze()) for name in drawn}
        found["seconds"] = time.perf_counter() - began
        done.append(found)
        told = ", ".join(f"{k} {v['width']:.3g}" for k, v in found["rivals"].items())
        say(
            f"[{number + 1}/{arguments.truths}] ratio {found['ratio']:.2f}; {told}; R-hat at most "
            f"{found['r_hat']:.2f}; {found['seconds']:.0f} s"
        )
        if arguments.json:
            write_json(arguments.json, {"seed": arguments.seed, "truths": done, **summed(done)})
    if arguments.json:
        write_json(arguments.json, {"seed": arguments.seed, "truths": done, **summed(done)})
    print(json.dumps(summed(done), indent=1))


def truths(seed: int, count: int, noise: str = "known") -> tuple[Model, Table, Any, Any]:
    """Draw coefficients from the prior, and what every run would measure."""
    frame = pd.concat([STARTED, CANDIDATES, pd.DataFrame([QUESTION])], ignore_index=True)
    table = Table.from_runs(frame.assign(loss=3.0), "loss")
    law = model_of_law("chinchilla")
    model = customise(law, noise="student-t-log", reference=REFERENCE, priors=NOISE[noise])
    model = on_table(model, table)
    drawn, grids = simulate(model, lay_out(model, table), draws=count, seed=seed)
    return model, table, drawn, grids


def one_truth(world: World, truth: float) -> dict[str, Any]:
    """Let every rival spend the budget, and ours go on until it is as sure as the best of them."""
    first = world.fitted([], None)
    rng = np.random.default_rng(world.seed)
    worst = first.r_hat
    rivals: dict[str, Any] = {}
    for name in RIVALS:
        made, state = [], first
        while (chosen := picked(name, world, state, made, BUDGET - spent(made), rng)) and (
            len(made) < len(CANDIDATES)
        ):
            made += chosen
            if name.startswith("D-"):
                state = world.fitted(made, state.start)
                worst = max(worst, state.r_hat)
        if not name.startswith("D-"):
            state = world.fitted(made, state.start)
            worst = max(worst, state.r_hat)
        rivals[name] = told(state, made, truth)
    target = min(rival["width"] for rival in rivals.values())
    made, state, trace = [], first, [told(first, [], truth)]
    while state.width > target:
        chosen = picked(OURS, world, state, made, CAP * BUDGET - spent(made), rng, MARGIN * target)
        if not chosen:
            break
        made += chosen
        state = world.fitted(made, state.start)
        worst = max(worst, state.r_hat)
        trace.append(told(state, made, truth))
    ratio = spent(made) / BUDGET if state.width <= target else CAP
    every = world.fitted(list(range(len(COSTS))), state.start)
    return {
        "every": told(every, list(range(len(COSTS))), truth),
        "ratio": ratio,
        "reached": bool(state.width <= target),
        "best": min(rivals, key=lambda name: rivals[name]["width"]),
        "rivals": rivals,
        "ours": trace,
        "r_hat": worst,
    }


def spent(made: list[int]) -> float:
    return float(COSTS[made].sum())


def told(state: State, made: list[int], truth: float) -> dict[str, Any]:
    return {
        "spent": spent(made),
        "runs": len(made),
        "made": list(made),
        "width": state.width,
        "covers": bool(state.low <= truth <= state.high),
        "r_hat": state.r_hat,
    }


def picked(
    name: str,
    world: World,
    state: State,
    made: list[int],
    left: float,
    rng: Any,
    target: float | None = None,
) -> list[int]:
    """Choose the next runs; none where nothing is affordable."""
    free = np.setdiff1d(np.flatnonzero(left * (1 + 1e-9) >= COSTS), made)
    if not len(free):
        return []
    if name == "random":
        return [int(rng.choice(free))]
    if name in ("largest", "cheapest"):
        sign = -1 if name == "largest" else 1
        order = np.lexsort((OFF[free], sign * np.round(np.log(COSTS[free]), 6)))
        return [int(free[order[0]])]
    if name == OURS:
        answer = next_run(
            state.fit,
            CANDIDATES.iloc[free],
            of=state.fit.predict(**QUESTION, kind="mean"),
            batch=BATCH,
            width=target,
            budget=left * (1 + 1e-9),
        )
        chosen = answer.frame[answer.frame["chosen"] > 0].sort_values("chosen")
        number = {tuple(row): i for i, row in enumerate(CANDIDATES.to_numpy())}
        order = [number[row] for row in zip(chosen["params"], chosen["tokens"], strict=True)]
    else:
        order = d_optimal(world, state, made, free, left)
    allowed = max(PART * spent(made), SMALL * BUDGET)
    batch = [order[0]]
    for run in order[1:]:
        if spent([*batch, run]) > allowed:
            break
        batch.append(run)
    return batch


def d_optimal(world: World, state: State, made: list[int], free: Any, left: float) -> list[int]:
    """Choose runs by the determinant of the information at the posterior mean."""
    sites = {name: float(values.mean()) for name, values in state.fit.sites().items()}
    at = np.array([sites[name] for name in LAW])
    frame = pd.concat([STARTED, CANDIDATES], ignore_index=True)
    x, y = (jnp.asarray(frame[k].to_numpy() / REFERENCE[k]) for k in ("params", "tokens"))

    def log_loss(z: Any) -> Any:
        natural = dict(zip(LAW, jnp.exp(z), strict=True))
        return jnp.log(world.model.law(x, y, **natural))

    with jax.enable_x64(True):
        jacobian = np.asarray(jax.jacfwd(log_loss)(jnp.asarray(at)))
    degrees = 1 + np.exp(sites["degrees"])
    jacobian = jacobian / (np.exp(sites["spread"]) * np.sqrt((degrees + 3) / (degrees + 1)))
    scales = {c.name: c.prior.scale for c in world.model.coefficients}
    information = np.diag([scales[name] ** -2.0 for name in LAW])
    known = [*range(len(STARTED)), *(len(STARTED) + i for i in made)]
    information = information + jacobian[known].T @ jacobian[known]
    order: list[int] = []
    while len(order) < BATCH:
        open_ = [i for i in free if i not in order and COSTS[i] <= left - spent(order)]
        if not open_:
            break
        gain = {
            i: np.log1p(j @ np.linalg.solve(information, j))
            for i in open_
            for j in [jacobian[len(STARTED) + i]]
        }
        best = max(gain, key=lambda i: gain[i] / COSTS[i])
        j = jacobian[len(STARTED) + best]
        information = information + np.outer(j, j)
        order.append(int(best))
    return order


def summed(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up: the mean ratio with its bootstrap over truths, and coverage of the truth."""
    ratios = np.array([found["ratio"] for found in done])
    drawn = np.random.default_rng(0).integers(len(done), size=(10_000, len(done)))
    beside = {name: np.array([_beside(found, name) for found in done]) for name in RIVALS}

    def mean(values: Any) -> list[float]:
        """Give the mean and its 95% interval."""
        ends = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
        return [float(values.mean()), *map(float, ends)]

    width = {n: np.mean([np.log(found["rivals"][n]["width"]) for found in done]) for n in RIVALS}
    best = min(RIVALS, key=lambda name: width[name])
    covers = {
        name: float(np.mean([found["rivals"][name]["covers"] for found in done])) for name in RIVALS
    }
    covers[OURS] = float(np.mean([found["ours"][-1]["covers"] for found in done]))
    return {
        "best_rival_on_average": best,
        "ratio_to_best_on_average": mean(beside[best]),
        "ratio_to_narrowest_of_each_truth": mean(ratios),
        "not_reached": int(sum(not found["reached"] for found in done)),
        "ratio_beside": {name: mean(values) for name, values in beside.items()},
        "not_reached_by_all_runs": sum(
            found["every"]["width"] > min(r["width"] for r in found["rivals"].values())
            for found in done
        ),
        "narrowest": {n: sum(found["best"] == n for found in done) for n in RIVALS},
        "coverage_0.9": covers,
        "r_hat_above_1.05": int(sum(found["r_hat"] > R_HAT for found in done)),
        "seconds": float(sum(found["seconds"] for found in done)),
    }


def _beside(found: dict[str, Any], rival: str) -> float:
    """Give the compute until ours is as sure as one rival, over what that rival spent."""
    for state in found["ours"]:
        if state["width"] <= found["rivals"][rival]["width"]:
            return float(state["spent"] / found["rivals"][rival]["spent"])
    return CAP


if __name__ == "__main__":
    main()
