"""Stacks: weights from what was held out, and a mixture that predicts like a fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.backtesting.refit import FoldPrediction
from bayescale.backtesting.run import Backtest, score_folds
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.errors import CompareError, FitFileError
from bayescale.comparison.stacking import Stack, mix, stack, weights_from
from bayescale.fits import Fit, load_stack
from bayescale.tables.table import Table

QUERY = {"family": "llama", "params": 130e9, "tokens": 2e12}


@pytest.fixture(scope="module")
def other(tiny_fit: Fit) -> Fit:
    """The same fit, with every family a little better."""
    changed = tiny_fit.posterior.copy(deep=True)
    changed["intercept_family"] = changed["intercept_family"] + 1.0
    return replace(tiny_fit, posterior=changed, stored_log_likelihood=None, stored_judged=None)


def backtest_of(table: Table, log_densities: dict[str, np.ndarray]) -> Backtest:
    """A backtest of one fold in which models gave held-out scores these densities."""
    test = (table.scores["run"] == table.scores["run"].iloc[-1]).to_numpy()
    test = (
        test if next(iter(log_densities.values())).size == test.sum() else np.ones(len(test), bool)
    )
    split = Split("by hand", (Fold("1", ~test, test, 0),))
    cards = {}
    for name, values in log_densities.items():
        grid = np.full((2, len(values)), 0.5)
        found = FoldPrediction(grid, grid, np.tile(values, (2, 1)), 1.0, 1.0, 0, 1)
        cards[name] = score_folds(name, table, split, [found])
    return Backtest(table.name, split, cards, {}, {}, pd.DataFrame())


def test_weights_are_the_best_mixture_of_held_out_densities(tiny_table: Table) -> None:
    rows = len(tiny_table.scores)
    half = np.arange(rows) % 2 == 0
    # Each is right by turns, as in a mixture of equal parts.
    found = backtest_of(
        tiny_table, {"a": np.where(half, 0.0, -5.0), "b": np.where(half, -5.0, 0.0)}
    )
    share = half.mean()
    # Where densities are 1 and e = exp(-5): w + (1 - w) e and its mirror, share against the rest.
    e = np.exp(-5.0)
    expected = (share * (1 + e) - e) / (1 - e)
    assert weights_from(found, ["a", "b"])["a"] == pytest.approx(expected, abs=1e-4)


def test_an_impossible_score_does_not_break_the_weights(tiny_table: Table) -> None:
    rows = len(tiny_table.scores)
    never = np.zeros(rows)
    never[0] = -np.inf
    weights = weights_from(
        backtest_of(tiny_table, {"a": never, "b": np.full(rows, -9.0)}), ["a", "b"]
    )
    assert weights.sum() == pytest.approx(1)
    assert weights["a"] == pytest.approx(1 - 1 / rows, abs=0.02)


def test_all_the_weight_on_one_fit_predicts_as_that_fit(tiny_fit: Fit, other: Fit) -> None:
    fits = {"one": tiny_fit, "other": other}
    found = Stack(fits, pd.Series({"one": 1.0, "other": 0.0}), "by hand").predict(**QUERY)
    alone = tiny_fit.predict(**QUERY)
    np.testing.assert_array_equal(np.sort(found.draws, axis=0), np.sort(alone.draws, axis=0))
    pd.testing.assert_frame_equal(found.frame, alone.frame)


def test_a_mixture_is_between_and_wider_and_says_what_it_is_made_of(
    tiny_fit: Fit, other: Fit
) -> None:
    fits = {"one": tiny_fit, "other": other}
    found = Stack(fits, pd.Series({"one": 0.5, "other": 0.5}), "by hand").predict(
        **QUERY, kind="mean"
    )
    one, two = (fit.predict(**QUERY, kind="mean") for fit in fits.values())
    assert (found.draws.mean(axis=0) > one.draws.mean(axis=0)).all()
    assert (found.draws.mean(axis=0) < two.draws.mean(axis=0)).all()
    assert (found.draws.std(axis=0) > 1.1 * one.draws.std(axis=0)).all()
    parts = found.parts
    assert parts is not None
    assert parts.groupby("benchmark")["share_of_variance"].sum().to_numpy() == pytest.approx(1)
    assert set(parts["fit"]) == {"one", "other"}
    middle = parts[parts["fit"] == "one"]["mean_median"].to_numpy()
    np.testing.assert_allclose(middle, one.frame["mean_median"])
    assert any("disagree" in doubt for doubt in found.doubts)


def test_draws_of_a_mixture_are_whole_draws_in_proportion() -> None:
    one, two = np.arange(20.0).reshape(10, 2), 100 + np.arange(20.0).reshape(10, 2)
    mixed = mix([one, two], np.array([0.3, 0.7]), seed=0)
    assert mixed.shape == (10, 2)
    assert (mixed[:, 0] < 100).sum() == 3
    np.testing.assert_array_equal(mixed[:, 1] - mixed[:, 0], 1.0)
    np.testing.assert_array_equal(mixed, mix([one, two], np.array([0.3, 0.7]), seed=0))


def test_stack_takes_weights_from_a_backtest_of_the_same_names(
    tiny_fit: Fit, other: Fit, tiny_table: Table
) -> None:
    rows = len(tiny_table.scores)
    found = backtest_of(tiny_table, {"one": np.zeros(rows), "other": np.full(rows, -3.0)})
    made = stack({"one": tiny_fit, "other": other}, found)
    assert made.weights["one"] == pytest.approx(1.0, abs=1e-6)
    assert "by hand" in str(made)
    with pytest.raises(CompareError, match='no card of "third"'):
        stack({"one": tiny_fit, "third": other}, found)


def test_a_stack_comes_back_from_its_file(tiny_fit: Fit, tmp_path: Path) -> None:
    folder = tmp_path / "fits"
    folder.mkdir()
    tiny_fit.save(folder / "one.nc")
    made = Stack({"one": tiny_fit}, pd.Series({"one": 1.0}), "by hand")
    made.save(tmp_path / "stack.json", {"one": folder / "one.nc"})
    read = load_stack(tmp_path / "stack.json")
    assert read.validation == "by hand"
    assert dict(read.weights) == {"one": 1.0}
    np.testing.assert_array_equal(read.predict(**QUERY).draws, made.predict(**QUERY).draws)


def test_a_fit_that_changed_or_is_lost_is_told(tiny_fit: Fit, other: Fit, tmp_path: Path) -> None:
    tiny_fit.save(tmp_path / "one.nc")
    Stack({"one": tiny_fit}, pd.Series({"one": 1.0}), "by hand").save(
        tmp_path / "stack.json", {"one": tmp_path / "one.nc"}
    )
    other.save(tmp_path / "one.nc")
    with pytest.raises(FitFileError, match="changed since"):
        load_stack(tmp_path / "stack.json")
    (tmp_path / "one.nc").unlink()
    with pytest.raises(FitFileError, match="not there"):
        load_stack(tmp_path / "stack.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"fits": {"a": "no.nc"}, "weights": {"a": 1}}'])
def test_what_is_no_stack_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    path.write_text(text)
    with pytest.raises(FitFileError):
        load_stack(path)
    with pytest.raises(FitFileError, match="bayescale stack"):
        load_stack(tmp_path / "none.json")


def test_one_fit_is_no_stack(tiny_fit: Fit) -> None:
    with pytest.raises(CompareError, match="two or more"):
        stack({"one": tiny_fit})


def test_fits_of_other_scores_do_not_stack(tiny_fit: Fit, small_fit: Fit) -> None:
    with pytest.raises(CompareError, match="saw"):
        stack({"one": tiny_fit, "other": small_fit})
