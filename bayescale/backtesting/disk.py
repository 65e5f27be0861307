"""Finished folds on disk, found again by what they were made of: card, table, split, seed, version.

A file is a netCDF of predictions. What other draws, chains, cards, rows or folds made lies in
another folder; what another version of BayeScale or of its libraries made is in the same one, and
is told from its record.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bayescale.backtesting import refit
from bayescale.backtesting.refit import FoldPrediction
from bayescale.backtesting.splits import Split
from bayescale.base.files import atomic_path
from bayescale.base.runtime import folds_folder
from bayescale.inference.run import versions
from bayescale.models.model import Model
from bayescale.parts.find import source_text
from bayescale.tables.table import Table

PACKAGE = Path(__file__).parents[1]
ARRAYS = ("draws", "mean_draws", "log_density")
FACTS = ("seconds", "max_r_hat", "divergences", "length")
FRAMES = ("scores", "runs", "benchmarks", "series")
ENCODING = {"zlib": True, "complevel": 1}
# The rooms that a fold's fit calls; what is above them decides no draw.
ROOMS = ("base", "tables", "parts", "laws", "links", "noises", "models", "inference")


def fold_key(
    model: Model, table: Table, split: Split, *, seed: int, chains: int, draws: int
) -> str:
    """Hash all that decides the predictions of a model's folds, versions aside."""
    made_of = hashlib.sha256()

    def add(*parts: str | bytes) -> None:
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            made_of.update(len(data).to_bytes(8, "big") + data)

    add(model.card, law_text(model))
    add(*(getattr(table, name).to_csv() for name in FRAMES))
    for fold in split.folds:
        add(fold.label, np.packbits(fold.train).tobytes(), np.packbits(fold.test).tobytes())
    add(f"{seed} {chains} {draws}")
    return made_of.hexdigest()


def law_text(model: Model) -> str:
    """Give the text of a law in a file of the user's; "" for one that BayeScale ships."""
    return source_text(model.law) if model.law.origin else ""


def fold_folder(name: str, key: str) -> Path | None:
    """Name the folder of a model's finished folds.

    Returns
    -------
    Path or None
        None where `BAYESCALE_CACHE` is "off".
    """
    base = folds_folder()
    # A name is no path.
    safe = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:60].lstrip(".")
    return base / f"{safe}-{key[:20]}" if base else None


def made_by() -> dict[str, str]:
    """Give the versions that decide the draws, the package's own files included."""
    return {**versions(), "code": code_of(PACKAGE)}


def code_of(package: Path) -> str:
    """Hash the files that decide a fold's numbers: those of the rooms, and what refits."""
    refits = package / Path(refit.__file__).relative_to(PACKAGE)
    inside = (path for room in ROOMS for path in sorted((package / room).rglob("*.py")))
    code = hashlib.sha256()
    for path in (*inside, refits):
        code.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return code.hexdigest()[:20]


def read_fold(
    folder: Path | None, number: int, version: Mapping[str, str]
) -> tuple[FoldPrediction | None, str]:
    """Read a finished fold.

    Parameters
    ----------
    folder
        From `fold_folder`.
    number
        The fold's position in its split.
    version
        From `made_by`.

    Returns
    -------
    FoldPrediction or None
        None where there is none that this version made.
    str
        Why a file that is there is not used; "" else.
    """
    path = folder / f"{number}.nc" if folder else None
    if path is None or not path.is_file():
        return None, ""
    try:
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            data = opened.load()
        about = json.loads(data.attrs["about"])
        if about["made_by"] != dict(version):
            other = about["made_by"].get("bayescale", "another version")
            return None, f"made by other versions (bayescale {other})"
        known: dict[str, Any] = {name: about[name] for name in FACTS}
        known |= {name: data[name].to_numpy().astype(np.float64) for name in ARRAYS}
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        return None, f"not readable ({error})"
    return FoldPrediction(**known), ""


def write_fold(
    folder: Path | None, number: int, version: Mapping[str, str], found: FoldPrediction
) -> None:
    """Keep a finished fold, whole or not at all."""
    if folder is None:
        return
    about = {name: getattr(found, name) for name in FACTS} | {"made_by": dict(version)}
    data = xr.Dataset(
        {name: (("draw", "row"), getattr(found, name)) for name in ARRAYS},
        attrs={"about": json.dumps(about)},
    )
    encoding = dict.fromkeys(ARRAYS, ENCODING)
    with atomic_path(folder / f"{number}.nc") as temporary:
        data.to_netcdf(os.fspath(temporary), engine="h5netcdf", encoding=encoding)
