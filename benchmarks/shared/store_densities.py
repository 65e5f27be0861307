"""Write `tests/reference/`: densities, draws and answers as they were before the house was rebuilt.

    python -m benchmarks.shared.store_densities densities
    python -m benchmarks.shared.store_densities chains
    python -m benchmarks.shared.store_densities fits

The files stand for that version: a later one must come to the same, so writing them anew is only
for cards that did not exist then (`densities NAME ...` adds those named).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import bayescale as bs
from bayescale.inference.sampler import sample
from bayescale.inference.transition import compile_program
from bayescale.models.cards import list_models
from benchmarks.shared.densities import Arrays, evaluated, laid_out, seeded_positions

REFERENCE = Path(__file__).resolve().parents[2] / "tests" / "reference"
DENSITIES = REFERENCE / "densities.npz"
CHAINS = REFERENCE / "chains.npz"
ANSWERS = REFERENCE / "answers.json"
CHAIN = {"seed": 7, "chains": 1, "windows": 2, "draws": 10}
FIT: dict[str, Any] = {"seed": 11, "chains": 4, "progress": False}

# The fits that every later version must load: model, table, what of it; then what is asked.
FITS: dict[str, dict[str, Any]] = {
    "skills": {
        "fit": {"warmup": 500, "draws": 120},
        "table": "sloth-2024",
        "select": {
            "benchmarks": ["MMLU", "HellaSwag", "GSM8K", "ARC"],
            "families": ["llama", "llama-2", "opt", "pythia", "qwen1.5", "qwen2"],
        },
        "where": {},
        "predict": [
            {"family": "qwen2", "params": 72e9, "tokens": 7e12},
            {"family": "a new one", "params": 8e9, "tokens": 15e12, "benchmark": "MMLU"},
            {"family": "pythia", "params": 30e9, "kind": "mean"},
            {"params": 7e9, "tokens": 2e12, "interval": 0.5},
            {"run": "llama-2-70b"},
        ],
        "required": {
            "target": 0.8,
            "want": "params",
            "benchmark": "MMLU",
            "family": "qwen2",
            "tokens": 15e12,
        },
    },
    "chinchilla": {
        "fit": {"warmup": 600, "draws": 200},
        "table": "overtraining",
        "select": {"benchmarks": ["loss"]},
        "where": {"corpus": ["c4"]},
        "predict": [
            {"params": 1.4e9, "tokens": 1e12},
            {"params": 7e9, "flops": 1e22},
            {"params": 7e9, "tokens": 140e9, "kind": "mean"},
            {"params": 1e8, "tokens": 2e9, "interval": 0.5},
            {"params": 70e9, "tokens": 1.4e12},
        ],
        "required": {"target": 2.6, "want": "tokens", "params": 1.4e9},
    },
    "overtraining": {
        "fit": {"warmup": 1500, "draws": 250},
        "table": "overtraining",
        "select": {"benchmarks": ["loss"]},
        "where": {"corpus": ["c4", "redpajama"]},
        "predict": [
            {"params": 1.4e9, "tokens": 1e12, "corpus": "c4"},
            {"params": 7e9, "tokens": 140e9, "corpus": "redpajama", "kind": "mean"},
            {"params": 7e9, "tokens": 140e9, "corpus": "a new one"},
            {"params": 1e8, "tokens": 2e9, "corpus": "redpajama", "interval": 0.5},
            {"params": 1e9, "tokens": 1e11},
        ],
        "required": {"target": 2.6, "want": "flops", "corpus": "c4", "tokens_per_param": 20},
    },
}


def store_densities(names: list[str]) -> None:
    """Store positions, log densities and gradients of cards; the others stay as they are."""
    found: Arrays = dict(np.load(DENSITIES)) if DENSITIES.is_file() else {}
    for name in names:
        model, grid = laid_out(name)
        stored = evaluated(model, grid, seeded_positions(name, model, grid))
        assert np.isfinite(stored.log_density).all(), name
        found = {key: values for key, values in found.items() if key.split("/")[0] != name}
        found[f"{name}/log_density"] = stored.log_density
        for site, values in stored.positions.items():
            found[f"{name}/position/{site}"] = values
            found[f"{name}/gradient/{site}"] = stored.gradients[site]
        print(name, len(stored.positions), "sites", stored.log_density[:2])
    np.savez_compressed(DENSITIES, **found)


def chain(name: str) -> Arrays:
    """Draw ten draws of every site of a card on its selection."""
    with jax.enable_x64(True):
        model, grid = laid_out(name)
        return sample(compile_program(model, grid), grid, **CHAIN).sites


def store_chains() -> None:
    """Store ten draws of three models."""
    found = {f"{name}/{site}": v for name in FITS for site, v in chain(name).items()}
    np.savez_compressed(CHAINS, **found)


def table_of(name: str) -> bs.Table:
    """Give the table of a stored fit."""
    told = FITS[name]
    table = bs.load_table(told["table"]).select(**told["select"])
    return table.where(**told["where"]) if told["where"] else table


def asked(fit: bs.Fit, name: str) -> dict[str, Any]:
    """Ask a fit what is stored of it."""
    told = FITS[name]
    predicted = [_records(fit.predict(**query).frame) for query in told["predict"]]
    answer = fit.required(**told["required"])
    return {"predict": predicted, "required": _records(answer.frame)}


def _records(frame: Any) -> Any:
    return json.loads(frame.to_json(orient="records", double_precision=15))


def store_fits() -> None:
    """Store a fit of each model, and its answers as the file gives them back."""
    answers = {}
    for name in FITS:
        path = REFERENCE / f"fit-{name}.nc"
        bs.fit(name, table_of(name), **FIT, **FITS[name]["fit"]).save(path)
        fit = bs.load_fit(path)
        print(fit.summary())
        answers[name] = asked(fit, name)
    ANSWERS.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    what, *names = sys.argv[1:]
    if what == "densities":
        store_densities(names or list_models())
    else:
        {"chains": store_chains, "fits": store_fits}[what]()
