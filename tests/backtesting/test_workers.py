"""Many fits: the same numbers wherever they ran, and whatever died on the way."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bayescale.backtesting import disk, refit, workers
from bayescale.backtesting.disk import fold_folder, fold_key
from bayescale.backtesting.refit import FoldPrediction, fold_fitter
from bayescale.backtesting.rules import hold_out
from bayescale.backtesting.splits import Split
from bayescale.backtesting.workers import fit_folds
from bayescale.base.errors import FitError
from bayescale.models.cards import load_model
from bayescale.tables.table import Table

SHORT: dict[str, Any] = {"seed": 5, "chains": 2, "draws": 40}
MODELS = {"compute": load_model("compute")}
Found = dict[str, list[FoldPrediction]]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep compiled programs where they are, and folds in a folder of this test."""
    monkeypatch.setattr("bayescale.backtesting.disk.folds_folder", lambda: tmp_path / "folds")


@pytest.fixture(scope="module")
def split(tiny_table: Table) -> Split:
    return hold_out(tiny_table, "family", keep=1)


@pytest.fixture(scope="module")
def local(tiny_table: Table, split: Split) -> Iterator[Found]:
    """What one process finds, without anything kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bayescale.backtesting.disk.folds_folder", lambda: None)
        yield fit_folds(MODELS, tiny_table, split, workers=1, **SHORT)


def same(one: Found, other: Found) -> None:
    for ours, theirs in zip(one["compute"], other["compute"], strict=True):
        for name in ("draws", "mean_draws", "log_density"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert ours.max_r_hat == theirs.max_r_hat


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Watch which folds are fitted in this process."""
    done: list[int] = []
    true = workers.fit_one

    def fit(task: workers.Task, name: str, number: int) -> tuple[str, int, FoldPrediction]:
        done.append(number)
        return true(task, name, number)

    monkeypatch.setattr(workers, "fit_one", fit)
    return done


def test_a_fold_is_that_of_the_fitter(tiny_table: Table, split: Split, local: Found) -> None:
    fitter = fold_fitter(MODELS["compute"], tiny_table, split, **SHORT)
    np.testing.assert_array_equal(fitter(split.folds[1]).draws, local["compute"][1].draws)


def test_an_unchanged_backtest_is_free_and_says_so(
    tiny_table: Table, split: Split, local: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, told = counted(monkeypatch), list[str]()
    first = fit_folds(MODELS, tiny_table, split, workers=1, **SHORT)
    assert sorted(done) == [0, 1, 2]
    again = fit_folds(MODELS, tiny_table, split, workers=1, tell=told.append, **SHORT)
    assert len(done) == 3
    assert told == ["3 finished folds found on disk"]
    same(first, local)
    same(again, local)


def test_an_interrupted_backtest_refits_only_unfinished_folds(
    tiny_table: Table, split: Split, local: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = counted(monkeypatch)

    def interrupt(text: str) -> None:
        if text.startswith("[2/3]"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_folds(MODELS, tiny_table, split, workers=1, tell=interrupt, **SHORT)
    before = len(done)
    same(fit_folds(MODELS, tiny_table, split, workers=1, **SHORT), local)
    assert sorted(done[before:]) == [2]


def test_progress_tells_the_time_left(tiny_table: Table, split: Split) -> None:
    told: list[str] = []
    fit_folds(MODELS, tiny_table, split, workers=1, tell=told.append, **SHORT)
    assert [text.split(" ")[0] for text in told] == ["[1/3]", "[2/3]", "[3/3]"]
    assert "left" in told[0]
    assert "left" not in told[2]
    assert "fold llama" in told[0]


@pytest.mark.parametrize("what", ["version", "broken"])
def test_what_another_version_made_or_is_broken_is_fitted_anew(
    what: str, tiny_table: Table, split: Split, local: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit_folds(MODELS, tiny_table, split, workers=1, **SHORT)
    if what == "version":
        other = {**workers.made_by(), "bayescale": "9.9"}
        monkeypatch.setattr(workers, "made_by", lambda: other)
    else:
        folder = fold_folder("compute", fold_key(MODELS["compute"], tiny_table, split, **SHORT))
        assert folder is not None
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes()[:100])
    told: list[str] = []
    same(fit_folds(MODELS, tiny_table, split, workers=1, tell=told.append, **SHORT), local)
    assert "fitted anew" in told[0]
    assert ("version" if what == "version" else "not readable") in told[0]


class _Answers:
    """A Dask client whose workers answer what they are given to answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def run(self, function: Callable[[], Any], on_error: str) -> dict[str, Any]:
        assert on_error == "return"
        return {"tcp://one": function(), "tcp://two": self.answer}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({**workers.made_by(), "jax": "0.1"}, "tcp://two .* has other versions: jax 0.1"),
        (ModuleNotFoundError("No module named 'bayescale'"), "tcp://two .* cannot run BayeScale"),
    ],
)
def test_a_worker_of_another_installation_is_refused(answer: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        workers.check_versions(_Answers(answer), "tcp://here")


def test_a_worker_that_dies_while_it_is_asked_is_no_other_installation() -> None:
    workers.check_versions(_Answers(OSError("Stream is closed")), "tcp://here")


@pytest.mark.parametrize("change", ["seed", "draws", "card", "score", "split"])
def test_whatever_decides_the_numbers_is_in_the_key(
    change: str, tiny_table: Table, split: Split
) -> None:
    model, table, options = MODELS["compute"], tiny_table, dict(SHORT)
    key = fold_key(model, table, split, **SHORT)
    if change in options:
        options[change] += 1
    elif change == "card":
        model = load_model("skills")
    elif change == "score":
        scores = table.scores.assign(score=table.scores["score"] / 2)
        table = Table(scores, table.runs, table.benchmarks)
    else:
        split = hold_out(table, "family")
    assert fold_key(model, table, split, **options) != key


@pytest.mark.parametrize(
    ("file", "decides"),
    [
        ("laws/joint.py", True),
        ("tables/readers/isoflops.py", True),
        ("inference/sampler.py", True),
        ("inference/new.py", True),
        ("backtesting/refit.py", True),
        ("backtesting/scores.py", False),
        ("plots/forest.py", False),
        ("cli/backtest.py", False),
    ],
)
def test_finished_folds_know_the_code_that_made_them(
    file: str, decides: bool, tmp_path: Path
) -> None:
    package = tmp_path / "bayescale"
    shutil.copytree(disk.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = disk.code_of(package)
    assert before == workers.made_by()["code"]
    with (package / file).open("a") as opened:
        opened.write("\nX = 1\n")
    assert (disk.code_of(package) != before) == decides


def test_what_refits_calls_only_rooms_whose_code_is_known() -> None:
    tree = ast.parse(Path(refit.__file__).read_text())
    imports = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    own = [name for name in imports if name.startswith("bayescale.")]
    # Folds are records, and what is in them is in the key.
    rooms = {name.split(".")[1] for name in own if name != "bayescale.backtesting.splits"}
    assert rooms <= set(disk.ROOMS)


def test_without_a_scheduler_the_error_says_how_to_start_one(
    tiny_table: Table, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "ANSWER", 1)
    with pytest.raises(FitError, match=r"no Dask scheduler answers at .*dask worker"):
        fit_folds(MODELS, tiny_table, split, dask="tcp://127.0.0.1:9", **SHORT)


def _children() -> list[int]:
    psutil = pytest.importorskip("psutil")
    return [
        p.pid for p in psutil.Process().children(recursive=True) if "popen_loky" in str(p.cmdline())
    ]


def _later(act: Callable[[], bool]) -> threading.Thread:
    """Try something every moment until it is done."""

    def watch() -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and not act():
            time.sleep(0.2)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_two_processes_find_the_same_and_a_dead_one_is_replaced(
    tiny_table: Table, split: Split, local: Found
) -> None:
    killed: list[int] = []

    def kill() -> bool:
        time.sleep(3)  # in the middle of compiling or sampling
        for pid in _children()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        return bool(killed)

    told: list[str] = []
    watcher = _later(kill)
    found = fit_folds(MODELS, tiny_table, split, workers=2, tell=told.append, **SHORT)
    watcher.join()
    same(found, local)
    assert killed
    assert any("died" in text for text in told)


@pytest.fixture
def cluster(recwarn: pytest.WarningsRecorder) -> Iterator[Any]:
    """A scheduler and two workers, each a process of one thread."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as found:
        yield found
    recwarn.clear()


@pytest.mark.slow
def test_a_dask_cluster_finds_the_same_though_a_worker_is_killed(
    tiny_table: Table, split: Split, local: Found, cluster: Any
) -> None:
    killed: list[int] = []

    def kill() -> bool:
        time.sleep(5)
        pid = next(iter(cluster.workers.values())).pid
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)
        return True

    watcher = _later(kill)
    address = cluster.scheduler_address
    found = fit_folds(MODELS, tiny_table, split, dask=address, **SHORT)
    watcher.join()
    assert killed
    same(found, local)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_loses_no_finished_fold(
    tiny_table: Table, split: Split, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(text: str) -> None:
        if text.startswith("[1/3]"):
            cluster.close()

    with pytest.raises(FitError, match="Finished folds are kept"):
        fit_folds(MODELS, tiny_table, split, dask=cluster.scheduler_address, tell=stop, **SHORT)
    done = counted(monkeypatch)
    fit_folds(MODELS, tiny_table, split, workers=1, **SHORT)
    assert 1 <= len(done) <= 2
