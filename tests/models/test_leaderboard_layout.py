"""The design lays a table out, in float64, with weights where there are scores."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

from bayescale.models.design import UNKNOWN_TOKENS, make_design
from bayescale.tables.table import Table, grid_positions


@pytest.fixture
def table() -> Table:
    runs = pd.DataFrame(
        {
            "run": ["a-1", "b-1", "a-2", "c-1"],
            "family": ["a", "b", "a", "c"],
            "params": [1e9, 4e11, 7e10, 2e9],
            "params_active": [np.nan, 4e10, np.nan, np.nan],
            "tokens": [1e12, 15e12, np.nan, np.nan],
            "flops": [np.nan, np.nan, 8.4e23, np.nan],
        }
    )
    scores = pd.DataFrame(
        [
            ("a-1", "MMLU", 0.3, 0.01),
            ("b-1", "MMLU", 0.8, np.nan),
            ("b-1", "ARC", 0.7, np.nan),
            ("a-2", "ARC", 0.6, 0.02),
            ("c-1", "MMLU", 0.4, np.nan),
        ],
        columns=["run", "benchmark", "score", "stderr"],
    )
    marks = pd.DataFrame(
        {"benchmark": ["MMLU", "ARC"], "chance": 0.25, "items": [14042, np.nan], "resolution": 0.01}
    )
    return Table.from_long(scores, runs, marks)


def test_scores_lie_on_the_grid_with_weight_one_and_gaps_with_weight_zero(table: Table) -> None:
    design = make_design(table, ("ARC",))
    np.testing.assert_array_equal(design.weights, [[1, 0], [1, 1], [0, 1], [1, 0]])
    np.testing.assert_array_equal(design.scores, [[0.3, 0], [0.8, 0.7], [0, 0.6], [0.4, 0]])
    np.testing.assert_array_equal(np.isnan(design.stderr), [[0, 1], [1, 1], [1, 0], [1, 1]])
    row, column = grid_positions(table)
    np.testing.assert_array_equal(design.scores[row, column], table.scores["score"])
    assert design.weights.sum() == table.n_rows


def test_everything_is_float64_and_finite_where_the_model_computes(table: Table) -> None:
    design = make_design(table, ())
    for name in ("params", "active", "tokens", "flops", "chance", "top", "items", "scores"):
        assert getattr(design, name).dtype == np.float64, name
    assert np.isfinite(design.tokens).all()
    np.testing.assert_array_equal(design.items, [14042, np.inf])
    # More than an int64 holds.
    assert design.flops[1] == 6 * 4e10 * 15e12
    assert design.flops[2] > np.iinfo(np.int64).max


def test_unknown_tokens_are_marked_unless_the_flops_tell_them(table: Table) -> None:
    design = make_design(table, ())
    np.testing.assert_array_equal(design.unknown, [3])
    assert design.known_unknown == 1
    assert design.tokens[2] == pytest.approx(8.4e23 / (6 * 7e10))
    assert design.tokens[3] == UNKNOWN_TOKENS[0]
    assert np.isnan(design.flops[3])


def test_groups_and_anchors_are_positions(table: Table) -> None:
    design = make_design(table, ("ARC",))
    assert [table.families[i] for i in design.family] == ["a", "b", "a", "c"]
    assert (design.anchors, design.others) == ((1,), (0,))
    assert design.sizes() == {"skill": 1, "benchmark": 2, "other": 1}
    assert (design.runs, design.known_runs, design.families) == (4, 4, 3)


def test_a_mixture_of_experts_computes_with_its_active_params(table: Table) -> None:
    design = make_design(table, ())
    assert (design.params[1], design.active[1]) == (4e11, 4e10)


def test_other_weights_change_nothing_else_and_need_no_new_program(table: Table) -> None:
    design = make_design(table, ("ARC",))
    held = design.with_weights(np.zeros_like(design.weights))
    assert jax.tree.structure(held) == jax.tree.structure(design)
    changed = [
        name
        for name in ("params", "tokens", "scores", "weights", "family", "stderr")
        if not np.array_equal(getattr(held, name), getattr(design, name), equal_nan=True)
    ]
    assert changed == ["weights"]


def test_a_family_s_middle_is_that_of_the_runs_that_are_left(small_table: Table) -> None:
    design = make_design(small_table, ("MMLU",))
    out = np.array(small_table.runs["family"] == "bloom")  # all of it, and one more run
    out[np.flatnonzero(~out)[0]] = True
    held = design.with_weights(np.where(out[:, None], 0.0, design.weights))
    rest = make_design(small_table.select(runs=list(small_table.runs.index[~out])), ("MMLU",))
    gone = list(small_table.families).index("bloom")
    assert np.isnan(held.middle[gone]).all()
    np.testing.assert_allclose(np.delete(held.middle, gone, axis=0), rest.middle, rtol=1e-12)
