"""Chinchilla's law on the runs of its replication."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import logsumexp

import bayescale as bs
from bayescale.fits import Fit
from bayescale.inference.estimates import law_draws
from benchmarks.catalogue.common import (
    Array,
    Line,
    at_most,
    means,
    of_card,
    quiet,
    runs_with_scores,
    sampled_well,
)


def huber_chinchilla(runs: pd.DataFrame) -> dict[str, float]:
    """The paper's own fit: Huber of 0.001 on log residuals, log-sum-exp, a grid of starts."""
    log_n, log_d, log_y = (np.log(runs[c].to_numpy()) for c in ("params", "tokens", "loss"))

    def objective(p: Array) -> float:
        a, b, e, alpha, beta = p
        terms = np.stack([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)])
        away = np.abs(logsumexp(terms, axis=0) - log_y)
        return float(np.where(away < 1e-3, away**2 / 2, 1e-3 * (away - 5e-4)).sum() * 1e3)

    starts = [
        (a, b, e, x, x) for a in (4, 8) for b in (4, 8) for e in (0.3, 0.8) for x in (0.3, 0.6)
    ]
    found = min((minimize(objective, s, method="BFGS") for s in starts), key=lambda one: one.fun)
    found = minimize(objective, found.x, method="Nelder-Mead", options={"maxiter": 20_000})
    a, b, e, alpha, beta = found.x
    return {"A": np.exp(a), "B": np.exp(b), "E": np.exp(e), "alpha": alpha, "beta": beta}


def cold_seconds(model: str) -> float:
    """Seconds of a fit from the command line, with an empty cache of compiled programs."""
    command = str(Path(sys.executable).parent / "bayescale")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(
            [command, "fit", model, "--seed", "0", "--out", f"{folder}/fit.nc", "--quiet"],
            check=True,
            env={**os.environ, "BAYESCALE_CACHE": f"{folder}/cache"},
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - began


BESIROGLU = {"alpha": (0.348, 0.04), "beta": (0.366, 0.04), "E": (1.817, 0.06)}


def chinchilla_lines(fit: Fit, what: str) -> list[Line]:
    found = means(fit)
    lines = [Line("chinchilla", f"{what}, mean {c}", *BESIROGLU[c], found[c]) for c in BESIROGLU]
    share = law_draws(fit, None, "paper")
    a = float((share["beta"] / (share["alpha"] + share["beta"])).mean())
    lines.append(Line("chinchilla", f"{what}, mean a", 0.51, 0.08, a))
    normal = means(quiet("chinchilla", fit.table, noise="normal-log"))
    shown = [
        Line("chinchilla", f"{what}, normal-log noise, mean {c}", BESIROGLU[c][0], None, normal[c])
        for c in BESIROGLU
    ]
    return [*lines, *sampled_well("chinchilla", what, fit), *shown]


def row_1() -> list[Line]:
    runs = runs_with_scores("chinchilla-replication")
    paper = huber_chinchilla(runs[runs["outlier"] == "no"])
    huber = [
        Line("chinchilla", f"240 runs, Huber, best {c}", BESIROGLU[c][0], BESIROGLU[c][1], paper[c])
        for c in BESIROGLU
    ]
    return [*chinchilla_lines(of_card("chinchilla"), "240 runs"), *huber]


def row_1_time() -> list[Line]:
    return [at_most("chinchilla", "seconds of a cold fit", 20.0, cold_seconds("chinchilla"))]


def row_2() -> list[Line]:
    paper = huber_chinchilla(runs_with_scores("chinchilla-replication"))
    fit = quiet("chinchilla", bs.load_table("chinchilla-replication"))
    return [
        *chinchilla_lines(fit, "245 runs"),
        Line("chinchilla", "245 runs, Huber, best beta", 0.45, 0.03, paper["beta"]),
        Line("chinchilla", "245 runs, Huber, best E", 1.891, 0.03, paper["E"]),
    ]
