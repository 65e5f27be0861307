"""Progress of sampling on standard error: a bar per chain in a terminal, else a line at times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LINE_EVERY = 20.0  # seconds between lines where there is no terminal


@dataclass(frozen=True)
class Report:
    """How sampling tells where it is: `say` a sentence, `advance` a chain to an iteration."""

    say: Callable[[str], None]
    advance: Callable[[int, int], None]


@contextmanager
def progress(chains: int, total: int, shown: bool) -> Iterator[Report]:
    """Show the progress of chains.

    Parameters
    ----------
    chains, total
        Number of chains, and iterations of each.
    shown
        Whether to show anything.

    Yields
    ------
    Report
    """
    if not shown:
        yield Report(lambda _text: None, lambda _chain, _done: None)
    elif sys.stderr.isatty():
        with _bars(chains, total) as report:
            yield report
    else:
        yield _lines(chains, total)


@contextmanager
def _bars(chains: int, total: int) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console) as bars:
        tasks = [bars.add_task(f"chain {chain + 1}", total=total) for chain in range(chains)]
        yield Report(console.print, lambda chain, done: bars.update(tasks[chain], completed=done))


def _lines(chains: int, total: int) -> Report:
    done = [0] * chains
    last = [time.monotonic()]

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def advance(chain: int, iterations: int) -> None:
        done[chain] = iterations
        if time.monotonic() - last[0] > LINE_EVERY:
            last[0] = time.monotonic()
            say(f"{sum(done)} of {chains * total} iterations")

    return Report(say, advance)
