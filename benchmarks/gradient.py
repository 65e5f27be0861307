"""Microseconds of a gradient inside the sampler, and seconds of compilation, of two fits.

    python -m benchmarks.gradient

To compare two versions, run it in a checkout of each in turn, several times, and compare medians:
one run tells as much of what else the machine did. Nothing is cached between runs.
"""

from __future__ import annotations

import json
import time

import jax
import numpy as np

from bayescale.inference.sampler import sample
from bayescale.inference.transition import compile_program
from bayescale.models.cards import load_model, own_table
from bayescale.models.lay_out import lay_out, on_table
from bayescale.tables.named import load_table
from benchmarks.shared.command import parser_of

TABLES = {"skills": "open-llm-leaderboard", "overtraining": ""}
DRAWS, ROUNDS = 200, 3


def timed(name: str) -> dict[str, float]:
    """Time one chain of a card on its table, the best of a few rounds."""
    model = load_model(name)
    table = load_table(TABLES[name]) if TABLES[name] else own_table(model)
    with jax.enable_x64(True):
        model = on_table(model, table)
        grid = lay_out(model, table)
        began = time.perf_counter()
        program = compile_program(model, grid)
        compiled = time.perf_counter() - began
        start = sample(program, grid, seed=0, chains=1, windows=3, draws=10).end
        rounds = []
        for seed in range(ROUNDS):
            began = time.perf_counter()
            found = sample(program, grid, seed=seed, chains=1, windows=0, draws=DRAWS, start=start)
            steps = float(np.sum(found.stats["num_steps"]))
            rounds.append((time.perf_counter() - began) / steps)
    return {"compile_s": compiled, "gradient_us": 1e6 * min(rounds)}


def main() -> None:
    parser_of(__doc__).parse_args()
    print(json.dumps({name: timed(name) for name in TABLES}))


if __name__ == "__main__":
    main()
