"""Simulation-based calibration: do posteriors cover the coefficients that the data came from?

Draw coefficients from the prior and scores from the coefficients, refit through one compiled
program, and ask where the true value lies among the draws. When density, sampler and prediction
agree, that place is uniform (Talts et al. 2018, arXiv:1804.06788). Each quantity's places are held
against the simultaneous band of their ECDF (Säilynoja, Bürkner, Vehtari 2022, arXiv:2103.10522).

    python -m benchmarks.sbc compute --simulations 200

writes benchmarks/results/sbc-compute.json after every simulation, and goes on from there when it is
started again. The exit status is 1 when a quantity leaves its band.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import arviz_stats
import jax
import numpy as np
from numpy.typing import NDArray

import bayescale as bs
from bayescale.base.files import atomic_path
from bayescale.base.runtime import cpu_count
from bayescale.inference.labels import site_groups
from bayescale.inference.run import versions
from bayescale.inference.sampler import Start, sample
from bayescale.inference.transition import Program, compile_program
from bayescale.models.evaluate import evaluate
from bayescale.models.grid import Grid
from bayescale.models.lay_out import lay_out
from bayescale.models.model import Model
from bayescale.models.simulate import simulate
from benchmarks.shared.command import RESULTS, parser_of
from benchmarks.shared.uniformity import uniform_p_value

MODELS = ("compute", "observational", "skills")
TABLE = "open-llm-leaderboard"
# The anchors that the models prefer, and two benchmarks that load on every skill.
BENCHMARKS = ("MMLU", "HellaSwag", "GSM8K", "IFEval", "ARC", "BBH")
FAMILIES = 8
WINDOWS, MORE_WINDOWS, DRAWS = 4, 2, 400
LEAST_ESS = 50.0  # chains with fewer effective draws go on, up to LONGEST times as long
LONGEST = 8
RANK_DRAWS = 100  # draws in a rank, fewer where the effective draws are fewer
LEVEL = 0.99
# What of the package decides the draws.
CODE = tuple(f"{room}/*.py" for room in ("parts", "laws", "links", "noises", "models", "inference"))

Floats = NDArray[np.float64]
Sites = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Refit:
    """Posterior draws of one simulated data set, shape (draw, ...), and what they took."""

    sites: Sites
    divergences: int
    length: int
    seconds: float


# --- What is simulated


def small_table() -> bs.Table:
    """Choose real inputs: the smallest, middle and largest run of the families of widest range.

    Of the base models of the leaderboard, the eight families whose largest run is the most times
    their smallest; ties go by name.
    """
    table = bs.load_table(TABLE).select(benchmarks=BENCHMARKS)
    runs = table.runs[~table.runs["instruct"]].sort_values("params", kind="stable")
    sizes = runs.groupby("family")["params"]
    span = (sizes.max() / sizes.min())[sizes.size() >= 3]
    chosen = span.sort_index().sort_values(ascending=False, kind="stable").index[:FAMILIES]
    kept = [
        members.index[position]
        for _, members in runs[runs["family"].isin(chosen)].groupby("family")
        for position in (0, len(members) // 2, -1)
    ]
    return table.select(runs=kept)


def small_grid(model: Model, table: bs.Table) -> tuple[Grid, tuple[int, int]]:
    """Every score of the table's grid but one: the largest run's on the first benchmark.

    That one is to be predicted. Returns the grid and the position of that score.
    """
    grid = lay_out(model, table)
    held = (int(np.argmax(table.runs["params"].to_numpy())), 0)
    weights = np.ones((grid.runs, grid.benchmarks))
    weights[held] = 0.0
    return grid.with_weights(weights), held


# --- One simulation


def quantities(
    model: Model,
    grid: Grid,
    sites: Mapping[str, NDArray[Any]],
    held: tuple[int, int],
    seed: int,
) -> dict[str, Floats]:
    """Compute what is ranked, each of shape (draw,).

    Every element of a population site (of a correlation's factor, the correlations), the log
    likelihood, and expected and measured score of the held-out run. A site holds real-line values;
    natural units are increasing in them, so that the ranks are the same.
    """
    found: dict[str, Floats] = {}
    groups = site_groups(model)
    for name, values in sorted(sites.items()):
        if name in groups:
            continue
        if name.endswith("_corr"):
            rows, columns = np.tril_indices(values.shape[-1], -1)
            corr = values @ np.swapaxes(values, -1, -2)
            for i, j in zip(rows, columns, strict=True):
                found[f"{name}[{i},{j}]"] = corr[:, i, j]
        else:
            for index in np.ndindex(values.shape[1:]):
                label = f"{name}[{','.join(map(str, index))}]" if index else name
                found[label] = values[(slice(None), *index)]
    out = evaluate(model, grid, sites, seed=seed)
    density = np.where(np.asarray(grid.weights) > 0, out.log_density, 0.0)
    found["log_likelihood"] = density.sum(axis=(1, 2))
    found["expected_score"] = out.expected[(slice(None), *held)]
    found["measured_score"] = out.score[(slice(None), *held)]
    return found


def pit(truth: float, draws: Floats, rng: np.random.Generator) -> float:
    """Place of the truth among independent draws: uniform on (0, 1) when they are exchangeable.

    The rank, made continuous by a uniform draw between its neighbours, which also breaks ties.
    """
    below, equal = np.sum(draws < truth), np.sum(draws == truth)
    return float((below + rng.uniform() * (equal + 1)) / (len(draws) + 1))


def thinned(draws: Floats, ess: float) -> Floats:
    """Keep draws so far apart that they are nearly independent, at most `RANK_DRAWS`."""
    count = int(np.clip(ess, 1, min(RANK_DRAWS, len(draws))))
    chosen: Floats = draws[np.linspace(0, len(draws) - 1, count).round().astype(int)]
    return chosen


def bulk_ess(draws: Floats) -> float:
    """Effective number of draws of one chain; a constant counts as all."""
    if np.ptp(draws) == 0:
        return float(len(draws))
    stats: Any = arviz_stats
    return float(np.asarray(stats.ess(draws[None, :], method="bulk")))


def refit(program: Program, grid: Grid, groups: Iterable[str], *, seed: int) -> Refit:
    """Sample one posterior with one chain, again and longer when a population site has few draws.

    Each time goes on where the one before ended, whose draws are dropped.
    """
    began = time.perf_counter()
    length, windows = 1, WINDOWS
    start: Start | None = None
    while True:
        with jax.enable_x64(True):
            found = sample(
                program,
                grid,
                seed=seed + length,
                chains=1,
                windows=windows,
                draws=DRAWS * length,
                start=start,
            )
        ess = min(
            bulk_ess(draws)
            for name, values in found.sites.items()
            if name not in groups
            for draws in values[0].reshape(DRAWS * length, -1).T
        )
        if ess >= LEAST_ESS or length >= LONGEST:
            break
        length, start, windows = 2 * length, found.end, MORE_WINDOWS
    return Refit(
        sites={name: values[0, ::length] for name, values in found.sites.items()},
        divergences=int(found.stats["diverging"].sum()),
        length=length,
        seconds=time.perf_counter() - began,
    )


def calibrate(
    model: Model, table: bs.Table, *, simulations: int, seed: int, first: int = 0
) -> Iterator[dict[str, Any]]:
    """Simulate and refit, one data set after the other.

    Parameters
    ----------
    model, table
        The model, and the runs and benchmarks to simulate; scores are not looked at.
    simulations, seed
        Number of data sets, and the seed of them all.
    first
        Number of the first to be refitted: those before it have been.

    Yields
    ------
    dict
        `pits` by quantity, `least_ess`, `divergences`, `length` and `seconds` of each.
    """
    grid, held = small_grid(model, table)
    true, grids = simulate(model, grid, draws=simulations, seed=seed)
    with jax.enable_x64(True):
        program = compile_program(model, grid)

    def data(number: int) -> Grid:
        return replace(grid, scores=grids["score"][number])

    def one(number: int) -> Refit:
        # Seeds far apart: a fit that goes on adds to its own.
        return refit(program, data(number), site_groups(model), seed=100 * (number + 1000 * seed))

    # Two data sets side by side, rather than two chains: less warm-up for the same draws.
    with ThreadPoolExecutor(cpu_count()) as pool:
        for number, got in enumerate(pool.map(one, range(first, simulations)), start=first):
            # The truth is evaluated as one draw more, the first.
            sites = {
                name: np.concatenate([true[name][number][None], values])
                for name, values in got.sites.items()
            }
            values = quantities(model, data(number), sites, held, seed=seed + number)
            # Draws of measured scores are clipped, as predictions are.
            values["measured_score"][0] = np.clip(grids["score"][number][held], 0.0, 1.0)
            rng = np.random.default_rng([seed, number])
            ess = {name: bulk_ess(column[1:]) for name, column in values.items()}
            yield {
                "pits": {
                    name: pit(column[0], thinned(column[1:], ess[name]), rng)
                    for name, column in values.items()
                },
                "least_ess": min(ess.values()),
                "divergences": got.divergences,
                "length": got.length,
                "seconds": got.seconds,
            }


# --- The record on disk


def verdict(pits: Mapping[str, list[float]]) -> dict[str, Any]:
    """Hold every quantity against its band, the level corrected for their number (Šidák)."""
    p_values = {name: uniform_p_value(np.asarray(values)) for name, values in pits.items()}
    least = 1 - LEVEL ** (1 / len(p_values))
    return {
        "simulations": len(next(iter(pits.values()))),
        "quantities": len(p_values),
        "level": LEVEL,
        "least_p_value_allowed": least,
        "least_p_value": min(p_values.values()),
        "outside": sorted(name for name, p in p_values.items() if p <= least),
        "p_values": p_values,
    }


def settings(model: Model, table: bs.Table, simulations: int, seed: int) -> dict[str, Any]:
    """All that decides the result; a record of other settings is not continued."""
    package = Path(bs.__file__).parent
    code = [path for pattern in CODE for path in sorted(package.glob(pattern))]
    return {
        "model": model.name,
        "card_sha256": hashlib.sha256(model.card.encode()).hexdigest(),
        "code_sha256": hashlib.sha256(b"".join(p.read_bytes() for p in code)).hexdigest(),
        "runs": list(table.runs.index),
        "benchmarks": list(table.benchmarks.index),
        "simulations": simulations,
        "seed": seed,
        "windows": [WINDOWS, MORE_WINDOWS],
        "draws": DRAWS,
        "least_ess": LEAST_ESS,
        "longest": LONGEST,
        "rank_draws": RANK_DRAWS,
        "versions": versions(),
    }


def read_record(path: Path, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the simulations of an earlier run with the same settings; else none."""
    if not path.is_file():
        return []
    record = json.loads(path.read_text(encoding="utf-8"))
    return list(record["results"]) if record["settings"] == wanted else []


def by_quantity(results: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Turn results of simulations into values of quantities."""
    return {name: [r["pits"][name] for r in results] for name in results[0]["pits"]}


def rounded(result: Mapping[str, Any]) -> dict[str, Any]:
    """Shorten a result for the record."""
    return {
        "pits": {name: round(value, 5) for name, value in result["pits"].items()},
        "least_ess": round(result["least_ess"], 1),
        "divergences": result["divergences"],
        "length": result["length"],
        "seconds": round(result["seconds"], 2),
    }


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write the record whole or not at all, one simulation a line."""
    lines = ",\n".join(json.dumps(result) for result in record["results"])
    head = json.dumps({k: v for k, v in record.items() if k != "results"}, indent=1)
    text = f'{head[:-2]},\n "results": [\n{lines}\n ]\n}}\n'
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def validate(name: str, simulations: int, seed: int, folder: Path) -> bool:
    """Run what is missing of one model's record, and say whether all is inside."""
    model, table = bs.load_model(name), small_table()
    path = folder / f"sbc-{name}.json"
    wanted = settings(model, table, simulations, seed)
    results = read_record(path, wanted)
    print(f"{name}: {len(results)} of {simulations} simulations are in {path}", flush=True)
    if len(results) < simulations:
        found = calibrate(model, table, simulations=simulations, seed=seed, first=len(results))
        for result in found:
            results.append(rounded(result))
            write_record(path, {"settings": wanted, "results": results})
            print(
                f"{name}: {len(results)} of {simulations}, {result['seconds']:.1f} s, "
                f"least ESS {result['least_ess']:.0f}, divergences {result['divergences']}",
                flush=True,
            )
    said = verdict(by_quantity(results))
    write_record(path, {"settings": wanted, "verdict": said, "results": results})
    outside = ", ".join(said["outside"]) or "none"
    print(
        f"{name}: least p-value {said['least_p_value']:.2g} of {said['quantities']} quantities "
        f"(allowed {said['least_p_value_allowed']:.2g}); outside the band: {outside}"
    )
    return not said["outside"]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS), help="default: all")
    parser.add_argument("--simulations", type=int, default=200, help="of each model; default 200")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"folder; default {RESULTS}")
    given = parser.parse_args()
    good = [validate(name, given.simulations, given.seed, given.out) for name in given.models]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
