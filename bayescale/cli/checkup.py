"""What a bug report needs: versions, devices, caches, records, and what looks wrong."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bayescale.base.errors import RecordError
from bayescale.base.records import records_dir
from bayescale.base.runtime import cache_folder, cpu_count
from bayescale.base.version import __version__

PACKAGES = (
    "jax", "jaxlib", "numpyro", "arviz-base", "arviz-stats", "arviz-plots", "xarray", "h5netcdf",
    "h5py", "numpy", "scipy", "pandas", "pandera", "matplotlib", "typer", "rich",
)  # fmt: skip


@dataclass(frozen=True)
class Checkup:
    """The state of an installation.

    Attributes
    ----------
    bayescale, python, platform
        Versions, and where this runs.
    versions
        Version of every library that results depend on; "missing" where it is not installed.
    cpus
        Processors that this process may use; as many chains run side by side.
    devices
        JAX devices.
    cache
        Folder of compiled programs, or "off".
    cache_entries, cache_bytes
        How many programs it holds, and their size.
    tables, models
        Names of the bundled records that were found.
    warnings
        What looks wrong, each with what to do.
    """

    bayescale: str
    python: str
    platform: str
    versions: dict[str, str]
    cpus: int
    devices: tuple[str, ...]
    cache: str
    cache_entries: int
    cache_bytes: int
    tables: tuple[str, ...]
    models: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return asdict(self)


def checkup() -> Checkup:
    """Look at this installation; starts JAX, changes nothing.

    Returns
    -------
    Checkup
        Versions, devices, caches, records and warnings.

    Examples
    --------
    >>> checkup().bayescale                                # doctest: +SKIP
    '0.1.0'
    """
    warnings: list[str] = []
    folder = cache_folder()
    entries = [] if folder is None else _entries(folder)
    if folder is None:
        warnings.append(
            "the compilation cache is off (BAYESCALE_CACHE=off): every process compiles"
        )
    elif not _writable(folder):
        warnings.append(
            f"cannot write to the cache {folder}: set BAYESCALE_CACHE to another folder"
        )
    versions = {name: _version(name) for name in PACKAGES}
    warnings += [
        f"{name} is not installed: reinstall bayescale"
        for name, version in versions.items()
        if version == "missing"
    ]
    return Checkup(
        bayescale=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        versions=versions,
        cpus=cpu_count(),
        devices=_devices(warnings),
        cache="off" if folder is None else str(folder),
        cache_entries=len(entries),
        cache_bytes=sum(entry.stat().st_size for entry in entries),
        tables=_records("data", "*/card.toml", warnings),
        models=_records("models", "*.toml", warnings),
        warnings=tuple(warnings),
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _devices(warnings: list[str]) -> tuple[str, ...]:
    try:
        import jax
    except ImportError as error:
        warnings.append(f"JAX cannot be imported ({error}): reinstall bayescale")
        return ()
    return tuple(str(device) for device in jax.local_devices())


def _entries(folder: Path) -> list[Path]:
    # JAX keeps the program in `*-cache` and the time of its last use beside it in `*-atime`.
    return sorted(folder.glob("*-cache")) if folder.is_dir() else []


def _writable(folder: Path) -> bool:
    existing: Iterable[Path] = (place for place in (folder, *folder.parents) if place.exists())
    return os.access(next(iter(existing)), os.W_OK)


def _records(kind: Literal["data", "models"], pattern: str, warnings: list[str]) -> tuple[str, ...]:
    try:
        found = sorted(records_dir(kind).glob(pattern))
    except RecordError as error:
        warnings.append(str(error))
        return ()
    return tuple(card.parent.name if card.name == "card.toml" else card.stem for card in found)
