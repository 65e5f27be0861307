"""Processors, and the compilation cache, which must be set in the process before JAX is imported.

The command line calls `keep_compiled`; importing BayeScale changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path


def cpu_count() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_folder() -> Path | None:
    """Find the folder that keeps compiled programs from one process to the next.

    Returns
    -------
    Path or None
        What the environment variable BAYESCALE_CACHE names, else the user's cache folder; None
        when BAYESCALE_CACHE is "off".
    """
    chosen = os.environ.get("BAYESCALE_CACHE", "")
    if chosen.lower() == "off":
        return None
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("bayescale", appauthor=False) / "compiled"


def folds_folder() -> Path | None:
    """Find the folder that keeps the finished folds of backtests.

    Returns
    -------
    Path or None
        "folds" in what BAYESCALE_CACHE names, else in the user's cache folder; None when
        BAYESCALE_CACHE is "off".
    """
    compiled = cache_folder()
    if compiled is None:
        return None
    chosen = bool(os.environ.get("BAYESCALE_CACHE"))
    return (compiled if chosen else compiled.parent) / "folds"


def keep_compiled() -> None:
    """Keep compiled programs for the next process.

    Sets environment variables only, and none that the user has set already; they have an effect
    when JAX is imported after this call.
    """
    folder = cache_folder()
    if folder is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
        # The default of one second skips most of our programs, which are small and many.
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
