"""A table laid out for a model: what is laid out, what is derived, and each bad input."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from bayescale.base.errors import ModelError
from bayescale.models.cards import customise, load_model, model_from_card, model_of_law
from bayescale.models.grid import Grid
from bayescale.models.inputs import reference_run
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.values import UNKNOWN_TOKENS
from bayescale.tables.table import Table, grid_positions

RUNS = pd.DataFrame(
    {
        "run": ["a", "b", "c", "d"],
        "params": [1e8, 1e9, 1e9, 1e10],
        "tokens": [2e9, 2e10, 4e10, 2e11],
        "corpus": ["web", "web", "code", "code"],
        "loss": [3.1, 2.6, 2.5, 2.2],
    }
)


def table(units: Any = None, response: Any = "loss", **columns: Any) -> Table:
    return Table.from_runs(RUNS.assign(**columns), response, units=units, name="mine")


def test_inputs_are_over_the_reference_run() -> None:
    model = on_table(load_model("chinchilla"), table())
    assert model.reference == {
        name: pytest.approx(np.exp(np.log(RUNS[name]).mean()), rel=1e-3)
        for name in ("params", "tokens")
    }
    grid = lay_out(model, table())
    for name in ("params", "tokens"):
        np.testing.assert_allclose(grid.inputs[name] * model.reference[name], RUNS[name])
    np.testing.assert_array_equal(grid.scores[:, 0], RUNS["loss"])
    assert grid.linked == (False,)


def test_the_reference_does_not_depend_on_what_was_measured() -> None:
    other = table(loss=[9.0, 8.0, 7.0, 6.0])
    assert (
        reference_run(load_model("chinchilla"), other)
        == on_table(load_model("chinchilla"), table()).reference
    )


def test_ratio_and_compute_are_derived() -> None:
    model = on_table(load_model("gadre-overtrain"), table())
    grid = lay_out(model, table())
    flops = 6 * RUNS["params"] * RUNS["tokens"]
    np.testing.assert_allclose(grid.inputs["flops"] * model.reference["flops"], flops)
    ratio = RUNS["tokens"] / RUNS["params"]
    np.testing.assert_allclose(grid.inputs["multiplier"] * model.reference["multiplier"], ratio)


def test_new_members_come_after_the_known() -> None:
    model = on_table(customise(load_model("kaplan-nd"), pool={"E": "corpus"}), table())
    grid = lay_out(model, table(), {"corpus": ["books", "code"]})
    assert grid.counts("corpus") == (2, 3)
    np.testing.assert_array_equal(grid.groups["corpus"], [2, 2, 1, 1])


def test_a_neighbour_is_the_one_before_with_some_weight() -> None:
    card = 'name = "x"\nclaim = "X."\nlaw = "power-floor"\nnoise = "ar1-log"\n'
    card += '[inputs]\nx = "tokens"\n[along]\nwithin = "corpus"\nby = "tokens"\n'
    grid = lay_out(model_from_card(card), table(corpus=["web", "web", "web", "code"]))
    np.testing.assert_array_equal(grid.previous[:, 0], [-1, 0, 1, -1])
    np.testing.assert_allclose(grid.gap[:, 0], [0, np.log(10), np.log(2), 0])
    fewer = grid.with_weights(np.array([[1.0], [0.0], [1.0], [1.0]]))
    np.testing.assert_array_equal(fewer.previous[:, 0], [-1, -1, 0, -1])


@pytest.mark.parametrize(
    ("model", "changes", "columns", "said"),
    [
        ("gemstones", {}, {}, 'needs .*width.* in a column "width"; table mine has'),
        (
            "gemstones",
            {},
            {"width": [512.0, 0.0, 1024.0, np.nan], "depth": 12.0},
            r'a positive number in column "width" .* 2 without: "b \(0\)", "d \(empty\)"',
        ),
        ("chinchilla", {"pool": "corpsu"}, {}, r'"corpsu" of groups \(did you mean "corpus"'),
        ("chinchilla", {"pool": "team"}, {}, r'"team" of groups; add it, or pool over .*"corpus"'),
        ("mixing-exp", {}, {}, 'a mixture needs columns "shares_..."'),
        (
            "mixing-exp",
            {},
            {"shares_web": [0.5, 0.5, 0.9, 0.5], "shares_code": 0.5},
            r'those of "shares_web", "shares_code" do not in 1 runs .*sums: "c \(1.4\)"; give',
        ),
        ("lr-annealing", {}, {}, "a series needs a column"),
        (
            "chinchilla",
            {},
            {"loss": [3.0, -1.0, 2.0, 2.0]},
            r'not positive.*of a log.*"b \(-1\)"',
        ),
        ("power-floor", {"inputs": {"x": "widht"}}, {"width": 1.0}, 'did you mean "width"'),
    ],
)
def test_bad_inputs_are_named(model: str, changes: Any, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        lay_out(
            on_table(customise(load_model(model), **changes), table(**columns)), table(**columns)
        )


def test_an_input_that_would_follow_from_others_is_asked_for_by_name() -> None:
    without = Table.from_runs(RUNS.drop(columns="tokens"), name="mine")
    with pytest.raises(ModelError, match=r'needs training tokens in a column "tokens"; .*--input'):
        on_table(load_model("chinchilla"), without)


def test_a_series_has_a_row_for_each_member_that_coefficients_differ_by() -> None:
    runs = pd.DataFrame(
        {
            "schedule": ["steady", "steady", "falling", "steady"],
            "size": ["small", "large", "small", "large"],
            "step": [5.0, 10.0, 10.0, 5.0],
            "loss": [3.0, 2.5, 2.4, 2.7],
        }
    )
    nodes = pd.DataFrame({"series": ["steady"] * 3 + ["falling"] * 3, "step": [0.0, 5.0, 10.0] * 2})
    series = nodes.assign(value=[1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-4])
    both = Table.from_runs(runs, series=series, name="mine")
    law = model_of_law("lr-annealing")
    one, by_size = (
        lay_out(on_table(model, both), both).inputs["schedule"]
        for model in (law, customise(law, pool={"forgetting": "size"}))
    )
    assert (len(one.rates), len(by_size.rates)) == (2, 3)
    for found in (one, by_size):
        last = found.rates[found.row, found.node]
        np.testing.assert_array_equal(last, [1e-3, 1e-3, 1e-4, 1e-3])
        np.testing.assert_array_equal(found.steps[found.row, found.node], runs["step"])
    assert by_size.row[1] == by_size.row[3] != by_size.row[0]


def test_responses_on_a_wrong_scale_are_refused() -> None:
    model = load_model("kaplan-nd")
    with pytest.raises(ModelError, match=r'gives a loss, and "loss" of table mine is error'):
        lay_out(on_table(model, table()), table(units={"loss": "error"}))
    two = table(response=["loss", "other"], other=[3.0, 2.5, 2.4, 2.1])
    with pytest.raises(ModelError, match=r"gives one loss, and table mine has 2: \"loss\", \"oth"):
        lay_out(on_table(model, two), two)
    percent = table(units={"loss": "error"}, loss=[80.0, 70.0, 60.0, 50.0])
    with pytest.raises(ModelError, match="is it percent"):
        lay_out(on_table(customise(load_model("m2"), inputs={"x": "tokens"}), percent), percent)


def test_all_problems_are_told_at_once() -> None:
    model = customise(load_model("gemstones"), effects=["shape"])
    with pytest.raises(ModelError) as caught:
        lay_out(model, table())
    assert {"width", "depth"} <= set(str(caught.value).replace('"', " ").split())


def test_a_loss_between_nodes_is_that_of_its_own_step() -> None:
    whole = pd.DataFrame({"series": "s", "step": [0.0, 100.0, 200.0], "value": [1.0, 0.5, 0.5]})
    coarse = whole.iloc[[0, 1, 2]].assign(step=[0.0, 100.0, 1000.0])
    runs = pd.DataFrame({"schedule": ["s"] * 2, "step": [50.0, 200.0], "loss": [3.0, 2.5]})
    c = {"L_0": 1.0, "A": 0.5, "alpha": 0.5, "gain": 0.1, "forgetting": 0.01}
    law = model_of_law("lr-annealing")

    def losses(nodes: pd.DataFrame) -> Any:
        found = Table.from_runs(runs, series=nodes, name="mine")
        return law.law(lay_out(on_table(law, found), found).inputs["schedule"], **c)

    extra = pd.DataFrame({"series": "s", "step": [50.0], "value": [0.5]})
    fine = pd.concat([whole, extra]).sort_values("step")
    np.testing.assert_allclose(losses(coarse), losses(fine), rtol=1e-12)
    with pytest.raises(ModelError, match="tells the steps after 0, to 100; outside are the runs"):
        losses(whole.iloc[:2])


def test_noises_of_shares_refuse_what_is_no_share() -> None:
    losses = table()
    with pytest.raises(ModelError, match="noise beta is of shares from 0 to 1"):
        lay_out(customise(model_of_law("chinchilla"), noise="beta"), losses)
    with pytest.raises(ModelError, match=r"how many items .* is not known"):
        lay_out(
            on_table(customise(model_of_law("chinchilla"), noise="beta-binomial"), losses), losses
        )


def test_a_flag_is_zero_or_one() -> None:
    flagged = table(continued=[0.0, 1.0, 7.0, 0.0])
    with pytest.raises(ModelError, match=r'0 or 1 in column "continued".*has 1 without'):
        lay_out(on_table(model_of_law("cpt"), flagged), flagged)


def test_multiples_follow_from_compute() -> None:
    runs = pd.DataFrame({"params": [1e8, 1e9], "flops": [6e18, 6e20], "loss": [3.0, 2.5]})
    given = Table.from_runs(runs, "loss", units={"loss": "nats/token"}, name="mine")
    model = on_table(model_of_law("gadre-overtrain"), given)
    assert model.reference["multiplier"] == pytest.approx(100, rel=1e-3)


# --- Leaderboards


@pytest.fixture
def board() -> Table:
    runs = pd.DataFrame(
        {
            "run": ["a-1", "b-1", "a-2", "c-1"],
            "family": ["a", "b", "a", "c"],
            "params": [1e9, 4e11, 7e10, 2e9],
            "params_active": [np.nan, 4e10, np.nan, np.nan],
            "tokens": [1e12, 15e12, np.nan, np.nan],
            "flops": [np.nan, np.nan, 8.4e23, np.nan],
            "released": ["2023-05-01", "", "2024-01-31", ""],
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


OF_SKILLS = {"params", "tokens", "instruct", "released"}


def of_skills(board: Table) -> Grid:
    return lay_out(load_model("skills"), board, anchors=("ARC",))


def told(name: str, board: Table) -> Any:
    """An input of a shipped model in the table's units."""
    law = {"flops": "compute"}.get(name, "skills")
    model = load_model(law)
    return lay_out(model, board, anchors=()).inputs[name] * model.reference[name]


def test_scores_lie_on_the_grid_with_weight_one_and_gaps_with_weight_zero(board: Table) -> None:
    grid = of_skills(board)
    np.testing.assert_array_equal(grid.weights, [[1, 0], [1, 1], [0, 1], [1, 0]])
    np.testing.assert_array_equal(grid.scores, [[0.3, 0], [0.8, 0.7], [0, 0.6], [0.4, 0]])
    np.testing.assert_array_equal(np.isnan(grid.stderr), [[0, 1], [1, 1], [1, 0], [1, 1]])
    row, column = grid_positions(board)
    np.testing.assert_array_equal(grid.scores[row, column], board.scores["score"])
    assert grid.weights.sum() == board.n_rows
    assert grid.linked == (True, True)


def test_everything_is_float64_and_finite_where_the_model_computes(board: Table) -> None:
    for name, inputs in (("skills", OF_SKILLS), ("compute", {"flops"})):
        grid = lay_out(load_model(name), board, anchors=())
        assert grid.inputs.keys() == inputs
        for given in inputs:
            assert grid.inputs[given].dtype == np.float64, given
            assert np.isfinite(grid.inputs[given]).all()
        for field in ("chance", "top", "items", "resolution", "scores", "weights", "stderr"):
            assert getattr(grid, field).dtype == np.float64, field
        np.testing.assert_array_equal(grid.items, [14042, np.inf])
    # More than an int64 holds.
    flops = told("flops", board)
    assert flops[1] == pytest.approx(6 * 4e10 * 15e12, rel=1e-15)
    assert flops[2] > np.iinfo(np.int64).max


def test_unknown_tokens_are_marked_unless_the_flops_tell_them(board: Table) -> None:
    grid = of_skills(board)
    np.testing.assert_array_equal(grid.unknown, [3])
    assert grid.counts("unknown") == (1, 1)
    tokens, flops = told("tokens", board), told("flops", board)
    np.testing.assert_allclose(tokens[:2], [1e12, 15e12], rtol=1e-15)
    assert tokens[2] == pytest.approx(8.4e23 / (6 * 7e10))
    assert tokens[3] == pytest.approx(UNKNOWN_TOKENS[0])
    assert flops[2] == pytest.approx(8.4e23)
    assert flops[3] == pytest.approx(6 * 2e9 * UNKNOWN_TOKENS[0])


def test_groups_and_anchors_are_positions(board: Table) -> None:
    grid = of_skills(board)
    assert [board.families[i] for i in grid.groups["family"]] == ["a", "b", "a", "c"]
    assert (grid.anchors, grid.others) == ((1,), (0,))
    assert {axis: grid.size(axis) for axis in ("skill", "benchmark", "other")} == {
        "skill": 1,
        "benchmark": 2,
        "other": 1,
    }
    assert (grid.runs, grid.counts("run"), grid.counts("family")) == (4, (4, 4), (3, 3))


def test_a_mixture_of_experts_computes_with_its_active_params(board: Table) -> None:
    assert told("params", board)[1] == pytest.approx(4e11, rel=1e-15)
    assert told("flops", board)[1] == pytest.approx(6 * 4e10 * 15e12, rel=1e-15)


def test_other_weights_change_nothing_else_and_need_no_new_program(board: Table) -> None:
    grid = of_skills(board)
    held = grid.with_weights(np.zeros_like(grid.weights))
    assert jax.tree.structure(held) == jax.tree.structure(grid)
    changed = []
    for name in ("inputs", "groups", "scores", "weights", "stderr", "unknown", "items", "order"):
        leaves = (jax.tree.leaves(getattr(g, name)) for g in (held, grid))
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*leaves, strict=True)):
            changed.append(name)
    assert changed == ["weights"]


@pytest.mark.parametrize("name", ["skills", "compute"])
def test_a_family_s_middle_is_that_of_the_runs_that_are_left(name: str, small_table: Table) -> None:
    model = load_model(name)
    grid = lay_out(model, small_table)
    out = np.array(small_table.runs["family"] == "bloom")  # all of it, and one more run
    out[np.flatnonzero(~out)[0]] = True
    held = grid.with_weights(np.where(out[:, None], 0.0, grid.weights)).middle["family"]
    rest = lay_out(model, small_table.select(runs=list(small_table.runs.index[~out])))
    gone = list(small_table.families).index("bloom")
    assert held.keys() == grid.inputs.keys()
    for given, means in held.items():
        assert np.isnan(means[gone])
        left = rest.middle["family"][given]
        np.testing.assert_allclose(np.delete(means, gone), left, rtol=1e-12)
        family = rest.groups["family"]
        of_each = [rest.inputs[given][family == f] for f in set(family)]
        geometric = given not in ("instruct", "released")
        by_hand = [np.exp(np.log(v).mean()) if geometric else v.mean() for v in of_each]
        np.testing.assert_allclose(left, by_hand, rtol=1e-12)
