"""The benchmark of drift: what it holds out, and how it chooses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.parts.drift import AT_EDGE, AT_EDGE_OF_COMPUTE
from benchmarks.drift import (
    CANDIDATES,
    FACTOR,
    INSIDE,
    PAIRS,
    Candidate,
    Pair,
    choice,
    drift_of,
    model_of,
    scales_of,
    smaller,
    table_of,
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


@pytest.mark.parametrize("share", INSIDE)
def test_validation_trains_on_a_share_of_the_sizes(share: float) -> None:
    """The smallest sizes of each group, never all of them."""
    pair = next(p for p in PAIRS if p.name == "loss-to-loss, chinchilla")
    table = table_of(pair)
    fold = smaller(pair, table, share).folds[0]
    size = np.log10(table.runs["flops"]).round(3).loc[table.scores["run"]]
    group = table.runs["corpus"].loc[table.scores["run"]]
    trained = size[fold.train].groupby(group[fold.train].to_numpy()).agg(["max", "nunique"])
    held = size[fold.test].groupby(group[fold.test].to_numpy()).agg(["min", "nunique"])
    assert (trained["max"] < held["min"]).all()
    assert (
        (trained["nunique"] / (trained["nunique"] + held["nunique"]))
        .between(share, share + 0.2)
        .all()
    )


def test_scales_of_a_candidate_have_its_median_and_factor() -> None:
    pair = next(p for p in PAIRS if p.name == "misfitting, chinchilla")
    candidate = CANDIDATES[7]
    drawn = scales_of(pair, candidate, 100_000, seed=0)
    wanted = {"params": candidate.scale, "flops": candidate.scale * candidate.of_compute}
    for along, median in wanted.items():
        values = drawn[f"drift_{along}_spread"]
        assert np.mean(values) == pytest.approx(np.log(median), abs=0.01)
        assert np.std(values) == pytest.approx(np.log(FACTOR), abs=0.01)


def lines(table: str, ratios: tuple[float, ...], holds: tuple[float, ...]) -> list[dict[str, Any]]:
    return [
        {"table": table, "scale": scale, "of_compute": 0.25, "log_ratio": ratio, "hold_0.9": hold}
        | {"hold_0.5": 0.5}
        for scale, ratio, hold in zip((0.02, 0.04, 0.08), ratios, holds, strict=True)
    ]


def test_a_table_does_not_choose_for_itself() -> None:
    own = lines("own", (-9.0, 0.0, 0.0), (0.9, 0.5, 0.5))
    others = [line for name in "abc" for line in lines(name, (0.0, -1.0, 2.0), (0.5, 0.7, 0.9))]
    assert choice(pd.DataFrame(own + others), "own").scale == 0.04
    assert choice(pd.DataFrame(own + others), "a").scale == 0.02


def test_of_candidates_that_are_as_good_the_best_calibrated_is_chosen() -> None:
    """The widest is as good within one standard error over tables, and holds nearest to 90%."""
    frame = pd.DataFrame(
        lines("a", (-1.0, -0.9, -1.2), (0.6, 0.7, 0.88))
        + lines("b", (-1.0, -1.2, -0.7), (0.6, 0.7, 0.88))
        + lines("c", (-1.0, -1.0, -1.0), (0.6, 0.7, 0.88))
    )
    assert choice(frame, "").scale == 0.08


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_every_pair_drifts_along_compute_on_its_smaller_scale(pair: Pair) -> None:
    drift = drift_of(pair, Candidate(0.02, 0.125))
    model = model_of(pair, drift)
    assert set(model.drift) == set(drift)
    for along, said in drift.items():
        of_compute = model.inputs.get(along, along) == "flops"
        assert said["scale"][0] == (0.0025 if of_compute else 0.02)
        assert said["origin"] == "edge"


def test_the_record_is_of_these_pairs() -> None:
    found = json.loads((RESULTS / "drift.json").read_text("utf-8"))
    judged = {(line["table"], line["model"]) for line in found["judged"]}
    assert judged == {(pair.table, pair.model) for pair in PAIRS}


def test_cards_drift_as_the_record_chose() -> None:
    found = json.loads((RESULTS / "drift.json").read_text("utf-8"))["of_all"]
    assert found["scale"] == AT_EDGE.median
    assert found["scale"] * found["of_compute"] == pytest.approx(AT_EDGE_OF_COMPUTE.median)
    assert AT_EDGE.scale == AT_EDGE_OF_COMPUTE.scale == np.log(FACTOR)
