"""Two figures of planning: the split of Gopher's budget, and how long questions take.

    python -m benchmarks.planning

fits `chinchilla` to its replication and asks how 5.88e23 FLOPs are split, with the answer of
Hoffmann's approach 3 as a rival; and fits `skills` to the bundled leaderboard with 4,000 draws and
times every question that needs no fit, the second time it is asked. Writes results/planning.json.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.base.files import write_json
from bayescale.base.runtime import keep_compiled
from bayescale.inference.run import versions
from benchmarks.shared.command import RESULTS, parser_of

RECORD = RESULTS / "planning.json"
BUDGET = 5.88e23
REPLICATION, APPROACH_3 = 18.4, 59.2  # tokens a parameter
RATIO = 4.0  # between the ends of the interval, at most
LIMIT, NEXT_LIMIT = 3.0, 60.0  # seconds
CANDIDATES = 40


def split() -> dict[str, Any]:
    """Ask the replication's fit for the best split."""
    fit = bs.fit("chinchilla", seed=0, draws=1000, progress=False)
    answer = fit.allocate(BUDGET, rival={"tokens_per_param": APPROACH_3})
    row = answer.frame.set_index("quantity").loc["tokens_per_param"]
    low, high = float(row["lower_0.9"]), float(row["upper_0.9"])
    return {
        "verdict": str(fit.summary().verdict),
        "tokens_per_param": [float(row["median"]), low, high],
        "draws": len(answer.draws),
        "draws_above_approach_3": int((answer.draws[:, 2] >= APPROACH_3).sum()),
        "improbable": answer.about["improbable"],
        "wasted": answer.about["wasted"],
        "holds_18.4": low <= REPLICATION <= high,
        "ratio_of_ends": high / low,
    }


def questions(fit: bs.Fit) -> dict[str, Callable[[], Any]]:
    """List every question that needs no fit."""
    own: dict[str, Any] = {"family": "qwen2", "benchmark": "MMLU"}
    plan: dict[str, Any] = {**own, "params": 32e9, "tokens": 7e12}
    pair = ({"family": "qwen2"}, {"family": "llama-2"})
    along: dict[str, Any] = {"benchmark": "MMLU", "tokens_per_param": 200}
    sizes = np.geomspace(1e9, 1e12, 10)
    return {
        "predict": lambda: fit.predict(family=["qwen2", "mine"], params=sizes, tokens=7e12),
        "required": lambda: fit.required(0.8, "params", tokens=15e12, **own),
        "required along a ratio": lambda: fit.required(0.8, tokens_per_param=200, **own),
        "exceed": lambda: fit.exceed(0.8, "gemma-2-9b", **plan),
        "crossing": lambda: fit.crossing(*pair, **along),
        "gain": lambda: fit.gain(*pair, 1e23, **along),
        "elasticity": lambda: fit.elasticity(**plan),
        "contributions": lambda: fit.contributions(**plan),
        "checklist": fit.checklist,
    }


def timed(ask: Callable[[], Any]) -> float:
    """Ask twice, and give the seconds of the second time."""
    ask()
    began = time.perf_counter()
    ask()
    return round(time.perf_counter() - began, 2)


def main() -> int:
    """Ask, time, and write what came out."""
    parser_of(__doc__).parse_args()
    keep_compiled()
    found = split()
    table = bs.load_table("open-llm-leaderboard")
    board = bs.fit("skills", table, seed=0, chains=4, draws=1000, progress=False)
    seconds = {name: timed(ask) for name, ask in questions(board).items()}
    rows = [
        {"family": "qwen2", "params": params, "tokens": tokens}
        for params in np.geomspace(1e8, 1e10, 8)
        for tokens in np.geomspace(1e11, 1e13, CANDIDATES // 8)
    ]
    far = board.predict(family="qwen2", params=72e9, tokens=7e12, benchmark="MMLU", kind="mean")
    began = time.perf_counter()
    board.next_run(pd.DataFrame(rows), far, batch=3)
    next_seconds = round(time.perf_counter() - began, 2)
    record = {
        "split": found,
        "seconds": seconds,
        "next_run_seconds": next_seconds,
        "draws": 4000,
        "versions": versions(),
    }
    write_json(RECORD, record)
    print(found, seconds, next_seconds, sep="\n")
    passed = found["holds_18.4"] and found["ratio_of_ends"] < RATIO
    passed &= max(seconds.values()) < LIMIT and next_seconds < NEXT_LIMIT
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
