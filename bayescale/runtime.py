"""What must be set in the process before JAX starts: the device count and the compilation cache.

The command line calls `prepare_process`; importing BayeScale changes nothing. JAX reads these
settings from environment variables, the first when it makes its first array and the others when it
is imported, so they cannot be set later.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOST_DEVICES = "--xla_force_host_platform_device_count"

LATE = (
    "JAX had already started, so it has one device; chains still run side by side, in threads. "
    "Set {flag}={count} in XLA_FLAGS before importing jax for your own code that maps over devices"
)


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


def jax_has_started() -> bool:
    """Tell whether JAX has chosen its devices in this process; later settings have no effect."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bool(bridge.backends_are_initialized())


def prepare_process(chains: int) -> str | None:
    """Let chains run side by side on the processor, and keep compiled programs for the next time.

    Sets environment variables only, and none that the user has set already.

    Parameters
    ----------
    chains
        How many chains shall run at once; capped at the number of processors.

    Returns
    -------
    str or None
        One sentence of advice when this call came too late to have an effect, else None.
    """
    count = min(chains, cpu_count())
    flags = os.environ.get("XLA_FLAGS", "")
    own_choice = HOST_DEVICES in flags
    if jax_has_started():
        import jax

        late = count > 1 and not own_choice and jax.local_device_count() < count
        return LATE.format(flag=HOST_DEVICES, count=count) if late else None
    if not own_choice:
        os.environ["XLA_FLAGS"] = f"{flags} {HOST_DEVICES}={count}".strip()
    folder = cache_folder()
    if folder is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
        # The default of one second skips most of our programs, which are small and many.
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    return None
