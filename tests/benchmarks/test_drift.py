"""The benchmark of drift: what it holds out, and how it chooses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from benchmarks.drift import (
    BASE,
    BASE_OF_COMPUTE,
    CANDIDATES,
    FACTOR,
    PAIRS,
    WIDE,
    Pair,
    choice,
    drift_of,
    model_of,
    table_of,
    weights,
)
from benchmarks.shared.command import RESULTS


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_larger_half_is_held_out(pair: Pair) -> None:
    table = table_of(pair)
    fold = bs.hold_out(table, by="size", group=pair.group, size=pair.size).folds[0]
    size = table.runs[pair.size or "flops"] if (pair.size or "flops") in table.inputs else None
    assert fold.train.any()
    assert fold.test.any()
    if size is not None and pair.group == "family":
        of_rows = size.loc[table.scores["run"]].to_numpy()
        assert of_rows[fold.train].max() <= of_rows[fold.test].min()


def test_weights_turn_the_wide_prior_into_a_candidates() -> None:
    """Draws of the wide prior, weighted, have the candidate's mean and spread."""
    pair = next(p for p in PAIRS if p.name == "misfitting, chinchilla")
    rng = np.random.default_rng(0)
    count, candidate = 200_000, CANDIDATES[7]
    base = {"params": BASE, "tokens": BASE, "flops": BASE_OF_COMPUTE}
    kept: dict[str, Any] = {"draws": np.zeros((count, 1))}
    for along, median in base.items():
        kept[f"scale:drift_{along}_spread"] = rng.normal(np.log(median), np.log(WIDE), count)
    weight = weights(pair, candidate, kept)
    assert weight.sum() == pytest.approx(1.0)
    wanted = {"params": candidate.scale, "flops": candidate.scale * candidate.of_compute}
    for along, median in wanted.items():
        value = kept[f"scale:drift_{along}_spread"]
        mean = float(weight @ value)
        assert mean == pytest.approx(np.log(median), abs=0.05)
        assert float(np.sqrt(weight @ (value - mean) ** 2)) == pytest.approx(
            np.log(FACTOR), abs=0.05
        )


def test_a_table_does_not_choose_for_itself() -> None:
    frame = pd.DataFrame(
        [
            {"table": table, "scale": scale, "of_compute": 0.25, "log_ratio": value, **rest}
            for table, values in (("a", (-9.0, 0.0)), ("b", (0.0, -1.0)), ("c", (0.0, -1.0)))
            for scale, value in zip((0.004, 0.012), values, strict=True)
            for rest in [{"hold_0.5": 0.5, "hold_0.9": 0.9, "error": 1.0}]
        ]
    )
    assert choice(frame, "a").scale == 0.012
    assert choice(frame, "b").scale == choice(frame, "c").scale == 0.004


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_every_pair_drifts_along_compute_on_its_smaller_scale(pair: Pair) -> None:
    drift = drift_of(pair, 0.01, 0.001, 2.0)
    model = model_of(pair, drift)
    assert set(model.drift) == set(drift)
    for along, said in drift.items():
        of_compute = model.inputs.get(along, along) == "flops"
        assert said["scale"][0] == (0.001 if of_compute else 0.01)


def test_the_record_is_of_these_pairs() -> None:
    found = json.loads((RESULTS / "drift.json").read_text("utf-8"))
    judged = {(line["table"], line["model"]) for line in found["judged"]}
    assert judged == {(pair.table, pair.model) for pair in PAIRS}
