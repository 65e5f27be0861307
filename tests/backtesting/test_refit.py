"""Folds: nothing of a held-out value gets into a fold, and one compilation serves all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from bayescale.backtesting import refit
from bayescale.backtesting.refit import FoldPrediction, fold_fitter
from bayescale.backtesting.rules import hold_out
from bayescale.backtesting.run import backtest
from bayescale.backtesting.splits import Fold, Split
from bayescale.models.cards import load_model
from bayescale.tables.table import Table

DRAWS = 50


@pytest.fixture(autouse=True)
def _never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short chains disagree; what is tested here does not need them to agree."""
    monkeypatch.setattr(refit, "R_HAT_LIMIT", np.inf)


def leave_out(table: Table, names: list[str]) -> Split:
    """One fold for each named run."""
    run = table.scores["run"].to_numpy()
    return Split("runs", tuple(Fold(name, run != name, run == name, 0) for name in names))


def test_a_held_out_standard_error_is_as_unknown_as_its_score(
    tiny_table: Table, split: Split
) -> None:
    one = Split("one", split.folds[:1])
    drawn = []
    for stderr in (0.2, np.nan):
        scores = tiny_table.scores.assign(stderr=np.where(one.folds[0].test, stderr, 0.01))
        drawn.append(predictions(Table(scores, tiny_table.runs, tiny_table.benchmarks), one)[0])
    np.testing.assert_array_equal(drawn[0].draws, drawn[1].draws)


def predictions(table: Table, split: Split, seed: int = 0) -> list[FoldPrediction]:
    fit_fold = fold_fitter(load_model("compute"), table, split, seed=seed, draws=DRAWS)
    return [fit_fold(fold) for fold in split.folds]


@pytest.fixture(scope="module")
def split(tiny_table: Table) -> Split:
    return leave_out(tiny_table, ["llama-65b", "qwen2-72b"])


def test_a_fold_is_the_same_whatever_the_held_out_scores_are(
    tiny_table: Table, split: Split
) -> None:
    # One split, so that both folds' held-out rows must have stayed out of the common start.
    one = Split("one", split.folds[:1])
    held = one.folds[0].test
    scores = tiny_table.scores.copy()
    scores.loc[held, "score"] = [0.0, 1.0]
    nonsense = Table(scores, tiny_table.runs, tiny_table.benchmarks)
    (true,), (other,) = predictions(tiny_table, one), predictions(nonsense, one)
    np.testing.assert_array_equal(true.draws, other.draws)
    np.testing.assert_array_equal(true.mean_draws, other.mean_draws)
    assert true.max_r_hat == other.max_r_hat
    assert (true.log_density != other.log_density).all()
    # And a training score does matter.
    scores = tiny_table.scores.copy()
    scores.loc[np.flatnonzero(~held)[0], "score"] += 0.05
    changed = Table(scores, tiny_table.runs, tiny_table.benchmarks)
    assert (predictions(changed, one)[0].mean_draws != true.mean_draws).any()


@pytest.fixture
def nothing_kept(tmp_path: Path) -> Iterator[None]:
    """A first compilation is one: what an earlier test or run compiled is not at hand."""
    usual = jax.config.jax_compilation_cache_dir

    def keep_in(folder: str | None) -> None:
        jax.config.update("jax_compilation_cache_dir", folder)
        compilation_cache.reset_cache()

    keep_in(str(tmp_path))
    yield
    keep_in(usual)


@pytest.mark.usefixtures("nothing_kept")
def test_twenty_folds_compile_once(
    tiny_table: Table, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = []
    compile_program = refit.compile_program

    def counted(*args: Any, **given: Any) -> Any:
        programs.append(args)
        return compile_program(*args, **given)

    monkeypatch.setattr(refit, "compile_program", counted)
    rows = np.arange(len(tiny_table.scores))
    split = Split("rows", tuple(Fold(str(i), rows != i, rows == i, 0) for i in rows[:20]))
    fit_fold = fold_fitter(load_model("compute"), tiny_table, split, seed=0, draws=DRAWS)
    with jax.log_compiles(), caplog.at_level(logging.WARNING, logger="jax"):
        found = [fit_fold(split.folds[0])]
        first = compilations(caplog)
        found += [fit_fold(fold) for fold in split.folds[1:3]]
        assert first, "the log says nothing of compilations: this test sees none"
        assert compilations(caplog) == first
        found += [fit_fold(fold) for fold in split.folds[3:]]
        assert compilations(caplog) == first
    assert len(programs) == 1
    assert len(found) == 20
    seconds = [fold.seconds for fold in found]
    assert max(seconds[1:]) < seconds[0] / 4


def compilations(caplog: pytest.LogCaptureFixture) -> int:
    return sum("Finished XLA compilation" in record.getMessage() for record in caplog.records)


def test_predictions_have_a_row_for_each_test_row_and_one_seed_repeats_them(
    tiny_table: Table, split: Split
) -> None:
    found = predictions(tiny_table, split)
    for fold, prediction in zip(split.folds, found, strict=True):
        shape = (2 * DRAWS, fold.test.sum())
        for array in (prediction.draws, prediction.mean_draws, prediction.log_density):
            assert array.shape == shape
            assert np.isfinite(array).all()
        assert ((prediction.draws >= 0) & (prediction.draws <= 1)).all()
    again = predictions(tiny_table, split)
    for a, b in zip(found, again, strict=True):
        np.testing.assert_array_equal(a.draws, b.draws)


def test_a_fold_whose_chains_disagree_runs_longer(
    tiny_table: Table, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refit, "R_HAT_LIMIT", 0.0)
    told: list[str] = []
    one = Split("one", split.folds[:1])
    fit_fold = fold_fitter(
        load_model("compute"), tiny_table, one, seed=0, draws=DRAWS, tell=told.append
    )
    found = fit_fold(one.folds[0])
    assert found.length == 16
    assert len(found.draws) == 2 * DRAWS  # thinned to the usual length
    assert sum("again" in text for text in told) == 4  # to 16 times the draws


def test_backtest_scores_the_held_out_rows(tiny_table: Table, split: Split) -> None:
    card = backtest("compute", tiny_table, split, seed=0, progress=False)["compute"]
    assert card.n == sum(int(fold.test.sum()) for fold in split.folds)
    assert card.model == "compute"
    assert 0 < card.mae < 0.3
    assert set(card.coverage) == {"0.5", "0.8", "0.9", "0.95"}


def test_a_split_by_rule_knows_its_groups(tiny_table: Table) -> None:
    runs = tiny_table.runs.assign(maker=tiny_table.runs["family"].str[0])
    table = Table(tiny_table.scores, runs, tiny_table.benchmarks)
    split = hold_out(table, "size", keep=1, group="maker")
    found = backtest("compute", table, split, seed=0, draws=DRAWS, progress=False)
    assert set(found["compute"].by_family.index) == {"l", "p", "q"}


@pytest.mark.parametrize(
    "rule", [{"by": "benchmark", "keep": 2}, {"by": "family"}, {"by": "size", "keep": 1}]
)
def test_every_rule_goes_from_table_to_words(tiny_table: Table, rule: dict[str, Any]) -> None:
    found = backtest("compute", tiny_table, seed=0, draws=DRAWS, progress=False, **rule)
    card = found["compute"]
    rows = card.rows
    assert len(found.baselines) == 3
    assert all(len(other.rows) == len(rows) for other in found.baselines.values())
    assert (rows["distance"].isna()).all() == (rule["by"] == "family")
    assert set(found.verdicts["compute"].index) == set(rows["benchmark"])
    text = str(found)
    for word in ("least-squares logistic", "by benchmark", "erratic", "too few to tell"):
        assert word in text
    assert set(found.to_dict()) == {
        *("table", "models", "seed", "split", "cards", "baselines", "verdicts", "decisions")
    }
