"""Recovery: are the coefficients of every law where its posterior says they are?

For each law, coefficients are drawn from its prior and data sets from the coefficients, with the
law's usual noise and inputs log-uniform over their usual range; NUTS samples the posteriors of all
data sets at once (`jax.vmap` over data sets and chains). The truth comes from the prior, so that a
central 90% interval holds it with probability 90% however little the data say: where it does not,
density or sampler is wrong.

    python -m benchmarks.recovery
    python -m benchmarks.recovery --law chinchilla --law bnsl

writes benchmarks/results/recovery.json after every law, and leaves out laws that it has with the
same settings and code. The exit status is 1 when the coverage of all laws is not 90% within three
standard errors, or a coefficient falls below the 0.1% binomial limit corrected for their number.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from bayescale.base.files import atomic_path
from bayescale.inference.run import versions
from bayescale.laws import terms
from bayescale.models.cards import customise, model_of_law
from bayescale.models.grid import Grid
from bayescale.models.model import Model
from bayescale.models.simulate import simulate
from bayescale.noises.log_scale import TINY
from bayescale.parts.find import parts, source_text
from bayescale.parts.inputs import Schedule
from bayescale.parts.part import Law
from benchmarks.shared.command import RESULTS, parser_of
from benchmarks.shared.many_posteriors import (
    CHAINS,
    DEPTHS,
    DRAWS,
    LONGEST,
    MORE_WINDOWS,
    R_HAT,
    WINDOWS,
    Arrays,
    Tell,
    refit,
    silent,
)
from tests.kit import law_checks

RECORD = RESULTS / "recovery.json"
RUNS, DATA_SETS = 100, 20
INTERVAL, ERRORS, LEVEL = 0.9, 3.0, 0.001
QUIET = 15.0  # seconds between lines of progress in a file
SEARCHED = 100  # blocks of prior draws looked through for data sets that can be fitted


def laws_of_a_quantity() -> list[str]:
    """Name every law that a table can be fitted with by itself."""
    return [name for name, law in parts(Law).items() if law.response not in ("skills", "latent")]


# --- What is simulated


def usual_rows(law: Law, runs: int = RUNS, seed: int = 0) -> Grid:
    """Lay out runs with inputs over the usual range, their reference the middle of it."""
    with jax.enable_x64(True):
        found = law_checks.drawn(law, runs, seed)
        inputs = {name: _of_runs(values) for name, values in found.inputs.items()}
        relative = law_checks.relative(law, inputs, found.reference)
    shape = (runs, 1)
    return Grid(
        inputs=dict(zip(law.inputs, relative, strict=True)),
        groups={},
        middle={},
        unknown=np.zeros(0, int),
        chance=np.zeros(1),
        top=np.ones(1),
        items=np.full(1, np.inf),
        resolution=np.zeros(1),
        stderr=np.full(shape, np.nan),
        scores=np.ones(shape),
        weights=np.ones(shape),
        order=np.zeros(runs),
        previous=np.full(shape, -1),
        gap=np.zeros(shape),
        members=(),
        linked=(False,),
        anchors=(),
        absolute=tuple(c.name for c in law.columns if c.reference is None),
    )


def _of_runs(values: Any) -> Any:
    """Give each run its own series, seen at one node after another."""
    if not isinstance(values, Schedule):
        return values
    rates = values.rates[:, 0]
    row = np.arange(len(rates))
    return Schedule(rates, values.steps, row, 1 + row % (rates.shape[1] - 1))


@dataclass(frozen=True)
class Simulated:
    """Coefficients on the real line, shape (data set, element), and scores, (data set, run, 1).

    `redrawn` counts prior draws without data that could be fitted: where the law is not finite, or
    not positive though its noise is. Such coefficients have no place in the posterior of data that
    are positive, so that leaving them out leaves coverage exact.
    """

    sites: Arrays
    scores: NDArray[Any]
    redrawn: int


def simulated(model: Model, rows: Grid, count: int, seed: int) -> Simulated:
    """Draw data sets from the prior, in order, until there are enough that can be fitted."""
    sites: Arrays = {}
    scores, looked = np.zeros((0, *np.shape(rows.scores))), 0
    least = TINY if model.noise.positive else -np.inf
    for block in range(SEARCHED):
        drawn, grids = simulate(model, rows, draws=count, seed=seed * SEARCHED + block)
        both = np.stack([grids["expected"], grids["score"]])
        usable = (np.isfinite(both) & (both > least)).all(axis=(0, 2, 3))
        chosen = np.flatnonzero(usable)[: count - len(scores)]
        for name, values in drawn.items():
            flat = values.reshape(count, -1)[chosen]
            sites[name] = np.concatenate([sites[name], flat]) if name in sites else flat
        scores = np.concatenate([scores, grids["score"][chosen]])
        if len(scores) == count:
            return Simulated(sites, scores, looked + int(chosen[-1]) + 1 - count)
        looked += count
    raise RuntimeError(f"{model.name}: {SEARCHED * count} prior draws give {len(scores)} data sets")


# --- One law


def inside(truth: Arrays, draws: Arrays) -> dict[str, list[bool]]:
    """Say for each coefficient whether the central interval of each data set holds the truth."""
    found: dict[str, list[bool]] = {}
    tails = (0.5 - INTERVAL / 2, 0.5 + INTERVAL / 2)
    for name, values in draws.items():
        low, high = np.quantile(values, tails, axis=(1, 2))
        held = (low <= truth[name]) & (truth[name] <= high)
        count = held.shape[1]
        for i, column in enumerate(held.T):
            found[f"{name}[{i}]" if count > 1 else name] = column.tolist()
    return found


def recover(name: str, *, data_sets: int, seed: int, tell: Tell = silent) -> dict[str, Any]:
    """Put one law to the check; gives what is kept of it."""
    began = time.perf_counter()
    model = customise(model_of_law(name), drift="none")  # beyond data it moves no coefficient
    seed = zlib.crc32(f"{name} {seed}".encode()) % 2**24  # the laws' luck is independent
    rows = usual_rows(model.law, seed=seed)
    given = simulated(model, rows, data_sets, seed)
    found = refit(model, rows, given.scores, seed=seed, tell=tell)
    return {
        "inside": inside(given.sites, found.draws),
        "r_hat": found.r_hat.round(3).tolist(),
        "length": found.length.tolist(),
        "divergences": found.divergences.tolist(),
        "redrawn": given.redrawn,
        "seconds": round(time.perf_counter() - began, 1),
    }


# --- What the records say


def coverage(records: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Share of intervals that hold the truth, and its standard error, clustered by data set."""
    sums = [np.sum(list(record["inside"].values()), axis=0) for record in records]
    sizes = [
        np.full(len(s), len(record["inside"])) for s, record in zip(sums, records, strict=True)
    ]
    held, asked = np.concatenate(sums), np.concatenate(sizes)
    share = held.sum() / asked.sum()
    return float(share), float(np.sqrt(np.sum((held - share * asked) ** 2)) / asked.sum())


def p_values(record: Mapping[str, Any]) -> dict[str, float]:
    """Chance that as few intervals of a coefficient hold the truth, were each at 90%."""
    return {
        name: float(binom.cdf(sum(held), len(held), INTERVAL))
        for name, held in record["inside"].items()
    }


def verdict(laws: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Hold all records against the limits."""
    share, error = coverage(list(laws.values()))
    found = {
        f"{law}: {name}": p for law, record in laws.items() for name, p in p_values(record).items()
    }
    least = LEVEL / len(found)
    return {
        "laws": len(laws),
        "coefficients": len(found),
        "coverage": share,
        "standard_error": error,
        "covered": abs(share - INTERVAL) <= ERRORS * error,
        "least_p_value": min(found.values()),
        "least_p_value_allowed": least,
        "below": sorted(name for name, p in found.items() if p < least),
        "largest_r_hat": max(max(record["r_hat"]) for record in laws.values()),
        "chains_apart": {
            name: apart
            for name, record in sorted(laws.items())
            if (apart := sum(r > R_HAT for r in record["r_hat"]))
        },
    }


def line(name: str, record: Mapping[str, Any]) -> str:
    """One law's row of the table."""
    share, error = coverage([record])
    found = p_values(record)
    worst = min(found, key=lambda name: found[name])
    return (
        f"{name:22} {record['seconds']:6.0f} s  {100 * share:5.1f}% +- {100 * error:3.1f}  "
        f"{worst:14} {sum(record['inside'][worst]):2} of {len(record['inside'][worst]):2}, "
        f"p {found[worst]:8.2g}  R-hat {max(record['r_hat']):5.2f}, "
        f"length {max(record['length'])}, {sum(record['divergences']):3} divergences, "
        f"{record['redrawn']} redrawn"
    )


def _without_imports(text: str) -> str:
    """Give code as Python reads it: where its names come from, and how it is laid out, aside."""
    body = ast.parse(text).body
    kept = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.dump, kept))


def settings(name: str, data_sets: int, seed: int) -> dict[str, Any]:
    """What decides a law's record: its file, the shared terms, its noise, and the sizes.

    The package's other code is left out, so that not every change to it asks for hours of runs.
    """
    model = customise(model_of_law(name), drift="none")  # beyond data it moves no coefficient
    texts = [source_text(model.law), inspect.getsource(terms), source_text(model.noise)]
    code = [_without_imports(text) for text in texts]
    return {
        "code_sha256": hashlib.sha256("".join(code).encode()).hexdigest(),
        "noise": model.noise.name,
        "runs": RUNS,
        "data_sets": data_sets,
        "seed": seed,
        "chains": CHAINS,
        "windows": [WINDOWS, MORE_WINDOWS],
        "depths": list(DEPTHS),
        "draws": DRAWS,
        "r_hat": R_HAT,
        "longest": LONGEST,
        "versions": versions(),
    }


def write(path: Path, laws: Mapping[str, Any]) -> None:
    """Write the record whole or not at all, one law a line."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(laws[name])}" for name in sorted(laws))
    said = json.dumps(verdict(laws), indent=1)
    with atomic_path(path) as temporary:
        temporary.write_text(
            f'{{\n"verdict": {said},\n"laws": {{\n{lines}\n}}\n}}\n', encoding="utf-8"
        )


def progress(name: str) -> Tell:
    """Tell on standard error what goes on, in place where that is a terminal."""
    began, last = time.perf_counter(), 0.0
    start, end = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")

    def tell(what: str) -> None:
        nonlocal last
        seconds = time.perf_counter() - began
        if sys.stderr.isatty() or seconds > last + QUIET:
            last = seconds
            print(f"{start}{name}: {what}, {seconds:.0f} s", end=end, file=sys.stderr, flush=True)

    return tell


def check(
    names: Iterable[str], *, data_sets: int, seed: int, path: Path, again: bool = False
) -> dict[str, Any]:
    """Run what is missing of the record at a path, and give its verdict."""
    known = json.loads(path.read_text(encoding="utf-8"))["laws"] if path.is_file() else {}
    laws = {name: record for name, record in known.items() if name in laws_of_a_quantity()}
    for name in names:
        wanted = settings(name, data_sets, seed)
        if again or name not in laws or laws[name]["settings"] != wanted:
            found = recover(name, data_sets=data_sets, seed=seed, tell=progress(name))
            laws[name] = {"settings": wanted, **found}
            write(path, laws)
            print("\r\033[K" if sys.stderr.isatty() else "", end="", file=sys.stderr, flush=True)
        print(line(name, laws[name]), flush=True)
    return verdict(laws)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--law", action="append", help="a law; default: every one of a quantity")
    parser.add_argument("--data-sets", type=int, default=DATA_SETS, help=f"default {DATA_SETS}")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--json", type=Path, default=RECORD, help=f"default {RECORD}")
    parser.add_argument("--again", action="store_true", help="also laws that the record has")
    given = parser.parse_args()
    said = check(
        given.law or laws_of_a_quantity(),
        data_sets=given.data_sets,
        seed=given.seed,
        path=given.json,
        again=given.again,
    )
    print(
        f"{said['laws']} laws, {said['coefficients']} coefficients: coverage "
        f"{100 * said['coverage']:.2f}% +- {100 * said['standard_error']:.2f}; least p-value "
        f"{said['least_p_value']:.2g} (allowed {said['least_p_value_allowed']:.2g}); below: "
        f"{', '.join(said['below']) or 'none'}; largest R-hat {said['largest_r_hat']:.2f}; data "
        f"sets whose chains disagree: {said['chains_apart'] or 'none'}"
    )
    sys.exit(0 if said["covered"] and not said["below"] else 1)


if __name__ == "__main__":
    main()
