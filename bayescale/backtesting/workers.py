"""Many fits: folds and models through joblib, on this machine or a Dask cluster.

Finished folds are kept as they arrive, so that whatever dies, only unfinished folds are lost. In
each worker one compiled program serves all folds of a model.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import BrokenProcessPool

from bayescale.backtesting.disk import (
    fold_folder,
    fold_key,
    law_text,
    made_by,
    read_fold,
    write_fold,
)
from bayescale.backtesting.refit import FoldPrediction, fold_fitter, silent
from bayescale.backtesting.splits import Split
from bayescale.base.errors import FitError
from bayescale.base.files import check_writable
from bayescale.base.runtime import cpu_count, keep_compiled
from bayescale.models.cards import model_from_card
from bayescale.models.model import Model
from bayescale.parts.find import called, load_law, source_text
from bayescale.parts.part import Law
from bayescale.tables.table import Table

TRIES = 3  # how often a fold is given to a worker before its death is taken to be its fault
ANSWER = 20  # seconds that a scheduler has to answer
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Task:
    """One model and all its folds: what a worker needs to fit any of them.

    `law` is the text of a law in a file of the user's, which must be the same where it is fitted,
    and `called` the name that loads it.
    """

    card: str
    table: Table
    split: Split
    seed: int
    chains: int
    draws: int
    key: str
    law: str = ""
    called: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


# The chains of a fold take the processors; a worker of several threads must not fit several folds.
_ONE_AT_A_TIME = Lock()


# One model at a time: its program and its start serve every fold that this process fits.
@lru_cache(maxsize=1)
def _fitter(task: Task) -> Callable[[int], FoldPrediction]:
    model = model_from_card(task.card, laws=_laws(task))
    fit_fold = fold_fitter(
        model,
        task.table,
        task.split,
        seed=task.seed,
        chains=task.chains,
        draws=task.draws,
        tell=silent,
    )
    # By number: another copy of the task, that a later fold came with, has other objects as folds.
    return lambda number: fit_fold(task.split.folds[number])


def _laws(task: Task) -> list[Law]:
    """Load the user's law that whoever began the backtest had named, unless it has changed."""
    if not task.law:
        return []
    law = load_law(task.called)
    if source_text(law) != task.law:
        raise FitError(
            f"the law in {law.origin} is not what it was when the backtest began: start the "
            "backtest again, with the same file at the same place on every machine"
        )
    return [law]


def fit_one(task: Task, name: str, number: int) -> tuple[str, int, FoldPrediction]:
    """Fit one fold in whatever process this is."""
    keep_compiled()
    with _ONE_AT_A_TIME:
        # Draws of sites, which nobody reads here, would be most of what is sent back.
        return name, number, replace(_fitter(task)(number), sites={})


def fit_folds(
    models: Mapping[str, Model],
    table: Table,
    split: Split,
    *,
    seed: int,
    chains: int,
    draws: int,
    workers: int | None = None,
    dask: str | None = None,
    tell: Tell = silent,
) -> dict[str, list[FoldPrediction]]:
    """Fit every model to every fold, and give the predictions of what each fold holds out.

    Parameters
    ----------
    models
        Name -> model.
    table, split
        What is fitted, and its folds.
    seed, chains, draws
        As of `fold_fitter`; the same wherever a fold is fitted.
    workers
        Processes on this machine; by default as many as leave each chain a processor. One means
        this process.
    dask
        Address of a Dask scheduler, whose workers fit instead.
    tell
        Is told what was found on disk, and of each fold as it is done, with the time left.

    Returns
    -------
    dict
        For each model its predictions, in the order of the folds.

    Raises
    ------
    FitError
        Workers keep dying, or the scheduler is not there or goes away. Finished folds are kept.
    """
    version = made_by()
    keys = {
        name: fold_key(model, table, split, seed=seed, chains=chains, draws=draws)
        for name, model in models.items()
    }
    folders = {name: fold_folder(model.name, keys[name]) for name, model in models.items()}
    tasks = {
        name: Task(
            model.card,
            table,
            split,
            seed,
            chains,
            draws,
            keys[name],
            law_text(model),
            called(model.law),
        )
        for name, model in models.items()
    }
    for folder in folders.values():
        if folder is not None:
            check_writable(folder / "0.nc")
    found: dict[tuple[str, int], FoldPrediction] = {}
    refused: list[str] = []
    for name in tasks:
        for number in range(len(split.folds)):
            kept, why = read_fold(folders[name], number, version)
            if kept is not None:
                found[name, number] = kept
            elif why:
                refused.append(why)
    if found:
        tell(f"{len(found)} finished folds found on disk")
    for why in sorted(set(refused)):
        tell(f"{refused.count(why)} folds on disk are {why}: fitted anew")
    todo = [
        (name, number)
        for name in tasks
        for number in range(len(split.folds))
        if (name, number) not in found
    ]
    report = _Progress(len(todo), split, tell)
    for name, number, prediction in _fitted(tasks, todo, workers, dask, chains, tell):
        write_fold(folders[name], number, version, prediction)
        found[name, number] = prediction
        report.done(name, number, prediction)
    return {name: [found[name, i] for i in range(len(split.folds))] for name in tasks}


class _Progress:
    """Says which fold is done, and how long the rest will take."""

    def __init__(self, total: int, split: Split, tell: Tell) -> None:
        self.total, self.split, self.tell = total, split, tell
        self.count, self.began = 0, time.monotonic()

    def done(self, name: str, number: int, prediction: FoldPrediction) -> None:
        self.count += 1
        rest = (time.monotonic() - self.began) / self.count * (self.total - self.count)
        left = f"; about {_minutes(rest)} left" if rest else ""
        self.tell(
            f"[{self.count}/{self.total}] {name}, fold {self.split.folds[number].label}: "
            f"{prediction.seconds:.1f} s, R-hat {prediction.max_r_hat:.2f}{left}"
        )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _fitted(
    tasks: dict[str, Task],
    todo: list[tuple[str, int]],
    workers: int | None,
    dask: str | None,
    chains: int,
    tell: Tell,
) -> Iterator[tuple[str, int, FoldPrediction]]:
    """Yield folds as they are done, whatever order that is; a worker that dies is replaced."""
    count = workers or max(1, cpu_count() // chains)
    for attempt in range(1, TRIES + 1):
        if not todo:
            return
        with ExitStack() as stack:
            if dask is not None:
                count = stack.enter_context(_cluster(dask))
            calls = [delayed(fit_one)(tasks[name], name, number) for name, number in todo]
            run = Parallel(
                n_jobs=min(count, len(todo)),
                return_as="generator_unordered",
                batch_size=1,
                pre_dispatch="2*n_jobs",
            )
            try:
                for name, number, prediction in run(calls):
                    todo = [left for left in todo if left != (name, number)]
                    yield name, number, prediction
            except BrokenProcessPool as error:
                if attempt == TRIES:
                    raise FitError(
                        f"a worker process died {TRIES} times, with {len(todo)} folds to go "
                        f"(finished ones are kept): {error}. Each worker needs a few GiB of "
                        "memory: use fewer (workers=1; command line: --workers 1)"
                    ) from error
                tell(f"a worker process died; {len(todo)} folds are given to new ones")


@contextmanager
def _cluster(address: str) -> Iterator[int]:
    """Let joblib send folds to a Dask cluster, and give the number of its processors."""
    try:
        from distributed import Client, KilledWorker
        from distributed.client import FutureCancelledError
    except ImportError as error:
        raise FitError(
            "a Dask cluster needs the package distributed: pip install 'bayescale[dask]'"
        ) from error
    if not re.fullmatch(r"(\w+://)?[^\s/]+:\d+", address):
        raise FitError(
            f"{address!r} is no address of a Dask scheduler: give what `dask scheduler` prints, "
            "such as tcp://10.0.0.1:8786"
        )
    try:
        client: Any = Client(  # type: ignore[no-untyped-call]
            address, timeout=ANSWER, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise FitError(
            f"no Dask scheduler answers at {address} ({error}): start one with `dask scheduler` "
            f"and workers with `dask worker {address} --nthreads 1`, and check the address"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=ANSWER)
        except TimeoutError as error:
            raise FitError(
                f"the Dask scheduler at {address} has no workers: start some with `dask worker "
                f"{address} --nthreads 1`"
            ) from error
        check_versions(client, address)
        try:
            with parallel_config(backend="dask", client=client):
                yield sum(client.ncores().values())
        except FutureCancelledError as error:
            raise FitError(
                f"the Dask scheduler at {address} is gone, or gave folds up: {error}. Finished "
                "folds are kept: start the cluster again and repeat the command"
            ) from error
        except KilledWorker as error:
            raise FitError(
                f"workers of the Dask cluster at {address} die of a fold: {error}. Finished folds "
                "are kept. Each worker needs a few GiB of memory, and one thread (--nthreads 1)"
            ) from error


def check_versions(client: Any, address: str) -> None:
    """Refuse workers of other versions: their folds would be other draws."""
    own = made_by()
    for worker, theirs in client.run(made_by, on_error="return").items():
        if isinstance(theirs, OSError):
            continue  # it has died meanwhile; what starts in its place is the same installation
        if isinstance(theirs, Exception):
            raise FitError(
                f"the worker {worker} of the Dask cluster at {address} cannot run BayeScale "
                f"({theirs}): install it there, in the same version"
            )
        other = [name for name in own if theirs.get(name) != own[name]]
        if other:
            told = ", ".join(f"{name} {theirs.get(name)} (here {own[name]})" for name in other)
            raise FitError(
                f"the worker {worker} of the Dask cluster at {address} has other versions: {told}. "
                "Install the same ones there"
            )
