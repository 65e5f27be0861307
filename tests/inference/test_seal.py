"""A fit file that has changed is named, and one that contradicts itself does not load."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescale as bs
from bayescale.base.errors import FitFileError
from bayescale.inference.storage import SEAL

Tree = xr.DataTree


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draws of a small law, sampled."""
    rng = np.random.default_rng(0)
    params, tokens = np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 4))
    loss = 1.8 + 0.3 * (params / 1e8) ** -0.3 + 0.3 * (tokens / 1e10) ** -0.3
    noisy = loss * np.exp(0.003 * rng.standard_normal(loss.shape))
    frame = {"params": params.ravel(), "tokens": tokens.ravel(), "loss": noisy.ravel()}
    table = bs.Table.from_runs(pd.DataFrame(frame), name="small")
    fit = bs.fit("chinchilla", table, chains=2, warmup=200, draws=50, seed=0, progress=False)
    path = tmp_path_factory.mktemp("seal") / "fit.nc"
    fit.save(path)
    return path


def altered(path: Path, folder: Path, change: Callable[[Tree], Any], *, sealed: bool) -> Path:
    with xr.open_datatree(path, engine="h5netcdf") as opened:
        tree = opened.load()
    if not sealed:
        tree.dataset = tree.to_dataset().drop_vars(SEAL)
    change(tree)
    out = folder / f"altered {sealed}.nc"
    tree.to_netcdf(out, engine="h5netcdf")
    return out


def posterior(tree: Tree, **changes: Any) -> None:
    data = tree["posterior"].to_dataset()
    tree["posterior"].dataset = data.assign({k: f(data[k]) for k, f in changes.items()})


def without(tree: Tree, name: str) -> None:
    tree["posterior"].dataset = tree["posterior"].to_dataset().drop_vars(name)


def other_card(tree: Tree) -> None:
    about = json.loads(str(tree["about"].item()))
    about["model"] = bs.load_model("kaplan-nd").card
    tree["about"] = json.dumps(about)


def other_score(tree: Tree) -> None:
    text = str(tree["scores"].item())
    tree["scores"] = re.sub(r"(r?\d*,loss,)[\d.]+", r"\g<1>9.9", text, count=1)


CHANGES: dict[str, tuple[Callable[[Tree], Any], str]] = {
    "a site is gone": (lambda t: without(t, "alpha"), "no draws of 'alpha'"),
    "of another law": (other_card, "does not sample"),
    "negated": (lambda t: posterior(t, alpha=lambda a: -a), "other log likelihoods"),
    "no number": (lambda t: posterior(t, alpha=lambda a: a.where(a > a.min())), "is no number"),
    "infinite": (lambda t: posterior(t, E=lambda a: a.where(a > a.min(), np.inf)), "is no number"),
    "an axis more": (lambda t: posterior(t, A=lambda a: a.expand_dims("x", -1)), "axes"),
    "text": (lambda t: posterior(t, A=lambda a: a.astype(str)), "is no number"),
    "a score": (other_score, "other log likelihoods"),
    "the table": (
        lambda t: t.__setattr__("dataset", t.to_dataset().drop_vars("scores")),
        "lacks the scores of its table",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("sealed", [True, False])
def test_a_changed_file_does_not_load(
    saved: Path, tmp_path: Path, name: str, *, sealed: bool
) -> None:
    change, told = CHANGES[name]
    path = altered(saved, tmp_path, change, sealed=sealed)
    message = "has changed since it was saved" if sealed and name != "the table" else told
    with pytest.raises(FitFileError, match=message):
        bs.load_fit(path)


def test_an_unchanged_file_loads_and_one_without_a_seal_says_so(
    saved: Path, tmp_path: Path
) -> None:
    assert not any("seal" in note for note in bs.load_fit(saved).diagnosis.notes)
    copied = altered(saved, tmp_path, lambda _: None, sealed=True)
    assert bs.load_fit(copied).sealed  # the content counts, not its bytes in the file
    bare = bs.load_fit(altered(saved, tmp_path, lambda _: None, sealed=False))
    assert any("no seal" in note for note in bare.diagnosis.notes)
    bare.save(tmp_path / "again.nc")
    assert bs.load_fit(tmp_path / "again.nc").sealed
