"""Extrapolate the 72 learning curves of Alabdulmohsin et al. 2022, with intervals.

    python -m benchmarks.vision_curves --json benchmarks/results/vision_curves.json

Each curve is fitted where `training` is 1 and predicted where it is 0, at up to twice the
examples. Three laws (power-floor, m4, bnsl) run through one compiled program each, all curves
through the same shapes. Neighbouring checkpoints share noise: an autoregression along log
examples. Beyond the points that it is fitted to a law drifts, by the usual scale.

Forward validation inside the training points decides the rest: each law is fitted below 1/2.1 of
the largest x and predicts the other training points. From these come the weights of the laws
(stacking over curves) and how much wider than their own spread the mixture's predictions must be
(one factor for all curves, by interval score), so that nothing rests on a row-wise score or on what
is predicted. Beside them: M1 to M4 by least squares on logs, with intervals recalibrated by the
same forward validation, by each curve's own error or by that of all curves.

Fits are kept in a folder (`--keep`), so that a run that was stopped goes on. Longer than 400 lines:
one protocol, told from data to table.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import tomli_w
from scipy.optimize import least_squares, minimize, minimize_scalar
from scipy.special import expit, logsumexp

import bayescale as bs
from bayescale.backtesting.scores import cluster_bootstrap, crps, interval_score
from bayescale.base.files import atomic_path, write_json
from bayescale.base.runtime import keep_compiled
from bayescale.inference.diagnostics import largest_r_hat
from bayescale.inference.labels import to_datasets
from bayescale.inference.sampler import Start, sample
from bayescale.inference.transition import Program, compile_program
from bayescale.models.cards import model_from_card
from bayescale.models.evaluate import evaluate
from bayescale.models.lay_out import fitted_members, lay_out
from bayescale.models.model import Model
from bayescale.tables.table import Table
from benchmarks.shared.command import parser_of, say

LAWS = ("power-floor", "m4", "bnsl")
AHEAD = 2.1  # how far beyond the training points the curves go
TRAIN, TEST = 72, 800  # rows that every curve is padded to
CHAINS, WINDOWS, WARM_WINDOWS, DRAWS = 2, 4, 2, 400
R_HAT, LONGEST = 1.05, 16
TAILS = (0.05, 0.5, 0.95)
TINY = 1e-6
WIDER = (0.0, 2.0)  # log factors looked through: more data should not make up for a wrong law
Floats = Any
Curves = dict[str, dict[str, tuple[Floats, Floats]]]


def main() -> None:
    """Run what is missing, then score."""
    parser = parser_of(__doc__)
    parser.add_argument("--json", type=Path, default=Path("vision_curves.json"))
    parser.add_argument("--keep", type=Path, default=Path("build/vision_curves"))
    parser.add_argument("--curves", type=int, help="only the first so many curves")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    keep_compiled()
    curves = dict(list(read_curves().items())[: arguments.curves])
    folder = arguments.keep / f"seed-{arguments.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    laws = {law: fit_all(law, curves, arguments.seed, folder) for law in LAWS}
    rng = np.random.default_rng(arguments.seed)
    weights = stack(laws, curves)
    factor = widening(laws, weights, curves, rng)
    shares = dict(zip(LAWS, map(float, weights.round(3)), strict=True))
    print(f"{len(curves)} curves; weights {shares}; widened by {factor:.2f}")
    frame = pd.DataFrame(scored(laws, weights, factor, curves, rng))
    table = summary(frame)
    print(table.round(4).to_string())
    diagnostics = {
        law: {
            "max_r_hat": max(float(f["r_hat"]) for f in found.values()),
            "curves_above_1.05": sum(float(f["r_hat"]) > R_HAT for f in found.values()),
            "divergences": sum(int(f["divergences"]) for f in found.values()),
            "seconds": sum(float(f["seconds"]) for f in found.values()),
        }
        for law, found in laws.items()
    }
    print(json.dumps(diagnostics, indent=1))
    result = {
        "seed": arguments.seed,
        "curves": len(curves),
        "weights": dict(zip(LAWS, map(float, weights), strict=True)),
        "widened": factor,
        "diagnostics": diagnostics,
        "summary": json.loads(table.to_json(orient="index")),
        "rows": frame.to_dict("records"),
    }
    write_json(arguments.json, result)


def scored(
    laws: dict[str, Any], weights: Floats, factor: float, curves: Curves, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Score every prediction of every curve."""
    rows = []
    spreads = {law: forward_errors(law, curves) for law in STARTS}
    for name, parts in curves.items():
        y = parts["test"][1]
        draws = {law: laws[law][name]["test"] for law in LAWS}
        rows += [score(name, law, draws[law], y) for law in LAWS]
        both = mixed(draws, weights, rng)
        rows.append(score(name, "stacked, not widened", both, y))
        rows.append(score(name, "stacked", widened(both, factor), y))
        for law, errors in spreads.items():
            middle = curve_m(law, solve_m(law, *parts["train"]), parts["test"][0])
            noise = rng.standard_normal((DRAWS * CHAINS, 1))
            pooled = float(np.sqrt(np.mean(np.square(list(errors.values())))))
            for how, spread in (("own", errors[name]), ("pooled", pooled)):
                predicted = np.minimum(middle * np.exp(spread * noise), 1.0)
                rows.append(score(name, f"{law} least squares, {how} spread", predicted, y))
    return rows


def read_curves() -> Curves:
    """Split each curve into training and test points; x is over the training points' middle."""
    table = bs.load_table("vision-curves")
    frame = table.runs.assign(error=table.to_wide()["error"])
    curves = {}
    for name, points in frame.groupby("curve"):
        train = points["training"] == 1
        middle = np.exp(np.log(points["examples"][train]).mean())
        parts = {"train": points[train], "test": points[~train]}
        curves[str(name)] = {
            part: (chosen["examples"].to_numpy() / middle, chosen["error"].to_numpy())
            for part, chosen in parts.items()
        }
    return curves


def model_of(law: str) -> Model:
    """Make a law's model with noise that neighbours share, which drifts beyond its points."""
    card = {
        "name": law,
        "claim": f"{law} with autoregressive noise.",
        "law": law,
        "noise": "ar1-log",
        "reference": {"x": 1.0},
        "along": {"within": "curve", "by": "x"},
        "drift": {"x": {"origin": "edge"}},
    }
    return model_from_card(tomli_w.dumps(card))


def fit_all(law: str, curves: Curves, seed: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Fit a law to every curve: to the lower part of its training points, then to all of them."""
    model, found = model_of(law), {}
    with jax.enable_x64(True):
        program = compile_program(model, rows_of(model, np.arange(1.0, TRAIN + 1), TRAIN))
    for number, (name, parts) in enumerate(curves.items()):
        path = folder / f"{law}-{number:02}.npz"
        if not path.is_file():
            kept = fit_curve(program, parts, seed + 2 * number)
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **kept)
            say(
                f"{law} {number + 1}/{len(curves)} {name}: {kept['seconds']:.1f} s, "
                f"R-hat {kept['r_hat']:.2f}"
            )
        found[name] = dict(np.load(path))
    return found


def fit_curve(program: Program, parts: Any, seed: int) -> dict[str, Any]:
    """Predict the upper training points from the lower, and the test points from all."""
    began = time.perf_counter()
    x, y = parts["train"]
    low = below(x)
    validation, first = one(program, (x[low], y[low]), x[~low], seed)
    test, whole = one(program, (x, y), parts["test"][0], seed + 1, first["end"])
    return {
        "validation": validation,
        "test": test,
        "r_hat": whole["r_hat"],
        "divergences": whole["divergences"],
        "seconds": time.perf_counter() - began,
    }


def below(x: Floats) -> Floats:
    """Say which training points the forward validation trains on."""
    found: Floats = x <= x.max() / AHEAD
    return found


def rows_of(model: Model, x: Floats, size: int, *, beyond: bool = False) -> Any:
    """Lay points out, padded by repeats of weight zero; measured values are set later."""
    padded = np.concatenate([x, np.repeat(x[-1:], size - len(x))])
    frame = pd.DataFrame({"x": padded, "curve": "one", "error": 0.5})
    table = Table.from_runs(frame, "error", units={"error": "error"})
    return lay_out(model, table, fitted_members(model, table) if beyond else None)


def one(
    program: Program, train: tuple[Floats, Floats], x: Floats, seed: int, start: Start | None = None
) -> tuple[Floats, dict[str, Any]]:
    """Fit one set of points and predict others; from a start, the metric is only renewed."""
    model = program.model
    rows = with_values(rows_of(model, train[0], TRAIN), train[1])
    windows = WARM_WINDOWS if start else WINDOWS
    with jax.enable_x64(True):
        found = sample(
            program, rows, seed=seed, chains=CHAINS, windows=windows, draws=DRAWS, start=start
        )
        length = 1
        while (r_hat := r_hat_of(model, found)) > R_HAT and length < LONGEST:
            more = sample(
                program,
                rows,
                seed=seed + 10_000 * length,
                chains=CHAINS,
                windows=0,
                draws=DRAWS * length,
                start=found.end,
            )
            found, length = found.then(more), 2 * length
    sites = {k: v[:, ::length].reshape(-1, *v.shape[2:]) for k, v in found.sites.items()}
    ahead = with_values(rows_of(model, x, TEST, beyond=True), np.ones(len(x)))
    # Without neighbours: each predicted point by itself.
    ahead = ahead.with_weights(ahead.weights * 0)
    cells = dataclasses.replace(ahead.cells, edges=rows.cells.edges)
    out = evaluate(model, dataclasses.replace(ahead, cells=cells), sites, seed=seed)
    draws = np.minimum(out.score[:, : len(x), 0], 1.0)  # an error rate
    divergences = int(found.stats["diverging"].sum())
    return draws, {"end": found.end, "r_hat": r_hat, "divergences": divergences}


def with_values(rows: Any, y: Floats) -> Any:
    """Set the measured values of padded rows."""
    count = len(rows.scores)
    values = np.concatenate([y, np.repeat(y[-1:], count - len(y))])[:, None]
    weights = (np.arange(count) < len(y)).astype(float)[:, None]
    return dataclasses.replace(rows, scores=values).with_weights(weights)


def r_hat_of(model: Model, found: Any) -> float:
    """Largest R-hat; the table only names dimensions."""
    table = Table.from_runs(
        pd.DataFrame({"x": [1.0], "curve": ["one"], "error": [0.5]}),
        "error",
        units={"error": "error"},
    )
    return largest_r_hat(to_datasets(model, table, found)[0])


def density(draws: Floats, y: Floats) -> float:
    """Mean log density of points under a normal kernel of their predictive draws' logs."""
    logs = np.log(np.maximum(draws, TINY))
    width = 1.06 * np.maximum(logs.std(axis=0), 1e-3) * len(logs) ** -0.2
    away = (np.log(y) - logs) / width
    each = logsumexp(-0.5 * away**2, axis=0) - np.log(len(logs) * width * np.sqrt(2 * np.pi))
    return float(each.mean())


def stack(laws: dict[str, Any], curves: Curves) -> Floats:
    """Weigh laws so that the mixture predicts the curves' upper training points best."""
    table = np.array(
        [
            [density(laws[law][name]["validation"], upper(curves[name])) for law in LAWS]
            for name in curves
        ]
    )

    def loss(free: Floats) -> float:
        logits = np.concatenate([[0.0], free])
        return -float(logsumexp(table + logits - logsumexp(logits), axis=1).mean())

    found = minimize(loss, np.zeros(len(LAWS) - 1), method="Nelder-Mead")
    logits = np.concatenate([[0.0], found.x])
    return np.exp(logits - logsumexp(logits))


def upper(parts: Any) -> Floats:
    """Give the training errors that the forward validation predicts."""
    x, y = parts["train"]
    found: Floats = y[~below(x)]
    return found


def widening(
    laws: dict[str, Any], weights: Floats, curves: Curves, rng: np.random.Generator
) -> float:
    """Find how much to widen the mixture, by the interval score of the forward validation."""
    both = {
        name: mixed({law: laws[law][name]["validation"] for law in LAWS}, weights, rng)
        for name in curves
    }

    def missed(log_factor: float) -> float:
        each = [
            score(name, "", widened(draws, np.exp(log_factor)), upper(curves[name]))
            for name, draws in both.items()
        ]
        return float(np.mean([one["interval_score"] for one in each]))

    found = minimize_scalar(missed, bounds=WIDER, method="bounded")
    return float(np.exp(found.x))


def widened(draws: Floats, factor: float) -> Floats:
    """Spread the logs of draws about their medians by a factor."""
    logs = np.log(np.maximum(draws, TINY))
    middle = np.median(logs, axis=0)
    return np.minimum(np.exp(middle + factor * (logs - middle)), 1.0)


def mixed(draws: dict[str, Floats], weights: Floats, rng: np.random.Generator) -> Floats:
    """Draw from the laws in proportion to their weights."""
    count = len(next(iter(draws.values())))
    each = rng.multinomial(count, weights)
    parts = [
        draws[law][rng.choice(count, n, replace=False)] for law, n in zip(LAWS, each, strict=True)
    ]
    return np.concatenate(parts)


def score(curve: str, law: str, draws: Floats, y: Floats) -> dict[str, Any]:
    """Score the predictions of one curve."""
    low, middle, high = np.quantile(draws, TAILS, axis=0)
    return {
        "curve": curve,
        "law": law,
        "rmsle": float(np.sqrt(np.mean((np.log(np.maximum(middle, TINY)) - np.log(y)) ** 2))),
        "inside": float(((low <= y) & (y <= high)).mean()),
        "interval_score": float(interval_score(low, high, y, level=0.9).mean()),
        "crps": float(crps(draws, y).mean()),
        "width": float((high - low).mean()),
    }


def curve_m(law: str, p: Floats, x: Floats) -> Floats:
    """M1 to M4 by unconstrained coefficients, in logs where they are positive."""
    if law == "m1":
        return np.exp(p[0]) * x ** -np.exp(p[1])
    if law == "m2":
        return np.exp(p[0]) * x ** -np.exp(p[1]) + np.exp(p[2])
    if law == "m3":
        return np.exp(p[0]) * (1 / x + np.exp(p[3])) ** np.exp(p[1]) + np.exp(p[2])
    start, floor = np.exp(p[2]), np.exp(p[2]) * expit(p[3])
    low, high = np.zeros_like(x), np.ones_like(x)
    for _ in range(50):
        middle = (low + high) / 2
        error = floor + middle * (start - floor)
        above = (error - floor) > (start - error) ** np.exp(p[4]) * np.exp(p[0]) * x ** -np.exp(
            p[1]
        )
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return floor + (low + high) / 2 * (start - floor)


STARTS = {
    "m1": [[-0.7, -1.2]],
    "m2": [[-0.9, -1.0, -2.0], [-0.9, -0.3, -1.2], [-0.7, -1.5, -4.0]],
    "m3": [[-0.9, -1.0, -2.0, -4.0], [-0.9, -0.3, -1.2, -6.0], [-0.7, -1.5, -4.0, -6.0]],
    "m4": [
        [-0.9, -1.0, -0.05, -1.5, 0.0],
        [-0.9, -0.3, -0.05, -0.5, 0.0],
        [-0.7, -1.5, 0.0, -3.0, 0.0],
    ],
}


def solve_m(law: str, x: Floats, y: Floats) -> Floats:
    """Least squares on logs from several starts."""

    def gap(p: Floats) -> Floats:
        return np.log(np.maximum(curve_m(law, np.clip(p, -12, 6), x), 1e-9)) - np.log(y)

    tries = [least_squares(gap, start, max_nfev=300) for start in STARTS[law]]
    return np.clip(min(tries, key=lambda t: t.cost).x, -12, 6)


def forward_errors(law: str, curves: Curves) -> dict[str, float]:
    """Root mean square log error of each curve's forward validation by least squares."""
    found = {}
    for name, parts in curves.items():
        x, y = parts["train"]
        low = below(x)
        ahead = curve_m(law, solve_m(law, x[low], y[low]), x[~low])
        found[name] = float(np.sqrt(np.mean((np.log(ahead) - np.log(y[~low])) ** 2)))
    return found


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Summarise over curves, with bootstrap errors of the coverage."""
    rows = {}
    for law, part in frame.groupby("law", sort=False):
        _, error = cluster_bootstrap(part["inside"], part["curve"], seed=0)
        rows[law] = {
            "median_rmsle": part["rmsle"].median(),
            "mean_rmsle": part["rmsle"].mean(),
            "coverage_90": part["inside"].mean(),
            "coverage_se": error,
            "interval_score": part["interval_score"].mean(),
            "crps": part["crps"].mean(),
            "width": part["width"].mean(),
        }
    return pd.DataFrame(rows).T


if __name__ == "__main__":
    main()
