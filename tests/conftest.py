"""Settings of the whole test run; JAX keeps its own flags, as it does for a user."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from bayescale.base.runtime import folds_folder, keep_compiled
from tests.kit.paths import ROOT
from tests.kit.short import SHORT

# A cache of compiled programs of our own, so that no test depends on what the user compiled; one
# for each worker of pytest-xdist, since JAX writes its files where another process may read them.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["BAYESCALE_CACHE"] = str(ROOT / ".pytest_cache" / "compiled" / WORKER)
os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # a worker has its parent's
os.environ["MPLBACKEND"] = "agg"
keep_compiled()  # before JAX is imported, or it has no effect
shutil.rmtree(folds_folder() or "", ignore_errors=True)  # folds of an earlier run prove nothing

import jax  # noqa: E402

import bayescale  # noqa: E402
from bayescale.models.cards import model_from_card  # noqa: E402
from bayescale.tables.named import load_table  # noqa: E402
from bayescale.tables.table import Table  # noqa: E402
from tests.kit.by_hand import COMPUTE  # noqa: E402

if TYPE_CHECKING:
    from bayescale.fits import Fit

# The same examples on each run: a failure that only sometimes shows helps nobody.
settings.register_profile("bayescale", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("bayescale")


# Each compiled program holds maps of memory; past the kernel's limit on a process's maps (65,530
# by default) XLA ends with a segmentation fault.
MAPS = Path("/proc/self/maps")
MOST_MAPS = 25_000


def pytest_runtest_teardown() -> None:
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "BAYESCALE_MIRROR" in os.environ:
        return
    skip = pytest.mark.skip(reason="BAYESCALE_MIRROR does not name the folder of raw files")
    for item in items:
        if item.get_closest_marker("mirror"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of the public raw files; for tests marked `mirror`."""
    return Path(os.environ["BAYESCALE_MIRROR"])


@pytest.fixture(scope="session")
def small_table() -> Table:
    """Nine families of three to eight sizes, one run with unknown tokens, five benchmarks."""
    return load_table("sloth-2024").select(
        benchmarks=["MMLU", "HellaSwag", "GSM8K", "ARC", "Winogrande"],
        families=[
            *("bloom", "llama", "llama-2", "open_llama_", "opt", "pythia", "qwen1.5", "qwen2"),
            "xglm",
        ],
    )


@pytest.fixture(scope="session")
def tiny_table(small_table: Table) -> Table:
    """Three families on two benchmarks."""
    return small_table.select(
        benchmarks=["MMLU", "HellaSwag"], families=["llama", "pythia", "qwen2"]
    )


@pytest.fixture(scope="session")
def small_fit(small_table: Table) -> Fit:
    """The default model on the small table; too short to trust, long enough to use."""
    return bayescale.fit("skills", small_table, seed=3, **SHORT)


@pytest.fixture(scope="session")
def tiny_fit(tiny_table: Table) -> Fit:
    """A logistic curve in compute on the tiny table."""
    return bayescale.fit(model_from_card(COMPUTE), tiny_table, seed=3, **SHORT)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many tests read the public raw files, since without these they are skipped."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)]
    ran = sum("mirror" in report.keywords for report in reports if report.when == "call")
    terminalreporter.write_line(f"tests of the public raw files that ran: {ran}")
