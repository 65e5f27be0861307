"""Settings of the whole test run; JAX keeps its own flags, as it does for a user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from bayescale.runtime import prepare_process

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports JAX: two devices, so that chains really run side by side, and a cache of
# compiled programs of our own, so that no test depends on what the user compiled.
os.environ.setdefault("BAYESCALE_CACHE", str(ROOT / ".pytest_cache" / "compiled"))
os.environ["MPLBACKEND"] = "agg"
prepare_process(chains=2)

# The same examples on each run: a failure that only sometimes shows helps nobody.
settings.register_profile("bayescale", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("bayescale")


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
