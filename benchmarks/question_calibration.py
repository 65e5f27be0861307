"""Are the answers of `required` and `crossing` calibrated, "never" included?

Truths are drawn from the prior of the model that is then fitted: `chinchilla` with floor, size term
and its exponent of each of two corpora, 24 runs each. NUTS samples the posterior of each data set,
and it is asked what compute reaches a loss at 20 tokens a parameter, and where the corpora cross.
Because truths come from the prior, the truth's rank among an answer's draws is uniform (ties, at
"never" or at an end of the path, are broken at random), whatever the data say.

    python -m benchmarks.question_calibration

writes benchmarks/results/question_calibration.json, beside the records of other seeds; `--truths`
and `--seed` change what is simulated.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import bayescale as bs
from bayescale.base.files import write_json
from bayescale.inference.diagnostics import largest_r_hat
from bayescale.inference.labels import to_datasets
from bayescale.inference.run import versions
from bayescale.inference.sampler import sample
from bayescale.inference.transition import compile_program
from bayescale.models.cards import customise, model_of_law
from bayescale.models.grid import Grid
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.simulate import simulate
from benchmarks.recovery import simulated
from benchmarks.shared.command import RESULTS, parser_of
from benchmarks.shared.uniformity import ecdf_band, stay_probability, uniform_p_value
from tests.kit.prior_fits import fit_of

RECORD = RESULTS / "question_calibration.json"
CORPORA = ("one", "two")
TARGET = 2.0  # nats a token
RATIO = 20.0
CHAINS, WINDOWS, DRAWS, R_HAT = 2, 5, 1000, 1.03
LEVEL = 0.99  # of the simultaneous band
INTERVAL = 0.9
SURE = 0.05  # probability of never below which an interval is asked to cover
BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
QUESTIONS = ("required", "crossing")


def table() -> bs.Table:
    """Lay out 24 runs of each corpus: six sizes, four ratios of tokens to params."""
    rows = [
        {"params": size, "tokens": ratio * size, "corpus": corpus, "loss": 2.0}
        for corpus in CORPORA
        for size in np.geomspace(3e7, 3e9, 6)
        for ratio in (5.0, 20.0, 80.0, 320.0)
    ]
    return bs.Table.from_runs(pd.DataFrame(rows), name="two corpora")


def answers(fit: bs.Fit) -> dict[str, NDArray[np.float64]]:
    """Ask both questions; draws, shape (draw,)."""
    needed = fit.required(TARGET, "flops", tokens_per_param=RATIO, corpus=CORPORA[0])
    first, second = ({"corpus": corpus} for corpus in CORPORA)
    meeting = fit.crossing(first, second, tokens_per_param=RATIO)
    return {"required": needed.draws[:, 0], "crossing": meeting.draws[:, 0]}


def posterior_answers(
    model: Any, data: bs.Table, program: Any, grid: Grid, scores: Any, seed: int
) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Sample one posterior, for longer where its chains disagree, and ask it."""
    measured = dataclasses.replace(grid, scores=scores)
    for length in (1, 4):
        with jax.enable_x64(True):
            found = sample(
                program,
                measured,
                seed=seed,
                chains=CHAINS,
                windows=WINDOWS * length,
                draws=DRAWS * length,
            )
        worst = largest_r_hat(to_datasets(model, data, found)[0])
        if worst < R_HAT:
            break
    sites = {k: v[:, ::length].reshape(-1, *v.shape[2:]) for k, v in found.sites.items()}
    return answers(fit_of(model, data, sites)), worst


def rank(draws: NDArray[np.float64], truth: float, rng: np.random.Generator) -> float:
    """Give the place of the truth among draws; ties are broken at random."""
    below = float(np.mean(draws < truth * (1 - 1e-9))) if np.isfinite(truth) else 0.0
    if np.isinf(truth):
        below = float(np.mean(np.isfinite(draws)))
        ties = float(np.mean(np.isinf(draws)))
    else:
        ties = float(np.mean(np.isclose(draws, truth, rtol=1e-9)))
    share = below + rng.uniform() * ties
    # Of finitely many draws a rank may be at an end, where a uniform value is never.
    count = len(draws)
    return float((share * count + rng.uniform()) / (count + 1))


def judged(kept: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Hold ranks, probabilities of never and intervals of one question against their limits."""
    ranks, never, truth = kept["rank"], kept["never"], kept["truth_never"]
    count = len(ranks)
    points = np.arange(1, count) / count
    below = np.searchsorted(np.sort(ranks), points, side="right")
    tail = _tail(count)
    low, high = ecdf_band(count, tail)
    sure = never < SURE
    held = kept["held"][sure]
    error = float(np.sqrt(INTERVAL * (1 - INTERVAL) / max(sure.sum(), 1)))
    base = float(truth.mean())
    curve = []
    for start, end in itertools.pairwise(BINS):
        here = (never >= start) & ((never < end) | ((end == 1.0) & (never <= 1.0)))
        if here.any():
            curve.append(
                {
                    "from": start,
                    "to": end,
                    "truths": int(here.sum()),
                    "said": float(never[here].mean()),
                    "was": float(truth[here].mean()),
                }
            )
    brier = float(np.mean((never - truth) ** 2))
    return {
        "truths": count,
        "rank_p_value": uniform_p_value(ranks),
        "inside_the_band": bool(((below >= low) & (below <= high)).all()),
        "truth_never": base,
        "brier": brier,
        "brier_of_the_base_rate": float(np.mean((base - truth) ** 2)),
        "better_than_the_base_rate": bool(brier < np.mean((base - truth) ** 2)),
        "calibration": curve,
        "intervals": int(sure.sum()),
        "coverage": float(held.mean()),
        "coverage_error": error,
        "covered": bool(abs(held.mean() - INTERVAL) <= 3 * error),
    }


def _tail(count: int) -> float:
    """Find the pointwise tail whose band the ECDF stays in with probability LEVEL."""
    low, high = 1e-6, 0.05
    for _ in range(40):
        middle = float(np.sqrt(low * high))
        inside = stay_probability(*ecdf_band(count, middle), count) > LEVEL
        low, high = (middle, high) if inside else (low, middle)
    return low


def main() -> int:
    """Simulate, fit, ask, and write what came out."""
    parser = parser_of(__doc__)
    parser.add_argument("--truths", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", type=Path, default=RECORD)
    options = parser.parse_args()
    began = time.perf_counter()
    data = table()
    pool: Any = dict.fromkeys(("E", "A", "alpha"), "corpus")
    model = on_table(customise(model_of_law("chinchilla"), pool=pool), data)
    grid = lay_out(model, data)
    given = simulated(model, grid, options.truths, options.seed)
    shapes = {k: v.shape for k, v in one_draw(model, grid).items()}
    true_fit = fit_of(model, data, {k: v.reshape(-1, *shapes[k]) for k, v in given.sites.items()})
    truth = answers(true_fit)
    kept: dict[str, dict[str, list[float]]] = {
        q: {k: [] for k in ("rank", "never", "truth_never", "held")} for q in QUESTIONS
    }
    r_hat: list[float] = []
    rng = np.random.default_rng(options.seed)
    with jax.enable_x64(True):
        program = compile_program(model, grid)
    for i in range(options.truths):
        said, worst = posterior_answers(model, data, program, grid, given.scores[i], i)
        r_hat.append(worst)
        for question in QUESTIONS:
            one, value = said[question], float(truth[question][i])
            low, high = np.quantile(one, [0.05, 0.95], method="inverted_cdf")
            record = kept[question]
            record["rank"].append(rank(one, value, rng))
            record["never"].append(float(np.isinf(one).mean()))
            record["truth_never"].append(float(np.isinf(value)))
            record["held"].append(float(low <= value <= high))
        if (i + 1) % 10 == 0:
            print(f"{i + 1} of {options.truths}, {time.perf_counter() - began:.0f} s", flush=True)
    results = {q: judged({k: np.asarray(v) for k, v in kept[q].items()}) for q in QUESTIONS}
    record = {
        "settings": {"truths": options.truths, "seed": options.seed, "target": TARGET},
        "questions": results,
        "largest_r_hat": max(r_hat),
        "r_hat_above_1.05": int(np.sum(np.asarray(r_hat) > 1.05)),
        "redrawn": given.redrawn,
        "seconds": round(time.perf_counter() - began),
        "versions": versions(),
    }
    kept_before = json.loads(options.json.read_text("utf-8")) if options.json.exists() else {}
    seeds = {**kept_before.get("by_seed", {}), str(options.seed): record}
    write_json(options.json, {"by_seed": seeds})
    for question, result in results.items():
        print(question, {k: v for k, v in result.items() if k != "calibration"})
        print(pd.DataFrame(result["calibration"]).to_string(index=False))
    passed = all(
        r["inside_the_band"] and r["better_than_the_base_rate"] and r["covered"]
        for r in results.values()
    )
    return 0 if passed else 1


def one_draw(model: Any, grid: Grid) -> dict[str, NDArray[Any]]:
    """Give one prior draw of every site, for their shapes."""
    sites, _ = simulate(model, grid, draws=2, seed=0)
    return {name: values[0] for name, values in sites.items()}


if __name__ == "__main__":
    sys.exit(main())
