"""One netCDF file holds a fit: posterior, sampler's record, card, table, seed, versions."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import xarray as xr

from bayescale.base.errors import BayescaleError, FitFileError, ModelError
from bayescale.base.files import atomic_path
from bayescale.inference.diagnostics import Judged
from bayescale.inference.evidence import from_json, to_json
from bayescale.inference.posterior import Posterior
from bayescale.inference.seal import check_agreement, digest
from bayescale.models.cards import model_from_card, of_file
from bayescale.models.model import Model
from bayescale.parts.find import source_text
from bayescale.parts.part import Law
from bayescale.tables.table import Table

FORMAT = "bayescale-fit"
SEAL = "seal"
# 1 held standardised offsets where 2 holds values. Series and further columns of runs came later,
# within 2: files without them are read as tables without them.
SCHEMA = 2
STORED_LOG_LIKELIHOOD = 2_000_000  # values; larger ones are recomputed when they are asked for
FRAMES = ("scores", "runs", "benchmarks", "excluded", "series")
WORDS = (
    "run",
    "family",
    "benchmark",
    "params_convention",
    "released",
    "lineage",
    "unit",
    "reason",
    "series",
)
ENCODING = {"zlib": True, "complevel": 4}


P = TypeVar("P", bound=Posterior)


def save_fit(fit: Posterior, path: str | os.PathLike[str]) -> None:
    """Write the fit to one netCDF file, whole or not at all.

    Raises
    ------
    FitFileError
        The file cannot be written, or the model is not that of its card.
    """
    path = Path(path)
    _check_card(fit.model)
    about = {
        "format": FORMAT,
        "schema": SCHEMA,
        "model": fit.model.card,
        "table": fit.table.name,
        "groups": fit.table.groups,
        "seed": fit.seed,
        "versions": fit.versions,
        "seconds": fit.seconds,
        "evidence": to_json(fit.evidence),
    }
    if fit.model.law.origin:
        text = source_text(fit.model.law)
        about["law"] = {"file": str(fit.model.law.origin), "text": text, "sha256": _sha256(text)}
    texts: dict[str, Any] = {"about": json.dumps(about)}
    for name in FRAMES:
        frame = getattr(fit.table, name)
        texts[name] = frame.to_csv(index=name in ("runs", "benchmarks"))
    texts["judged"] = fit.judged.elements.to_csv()
    texts["constant"] = fit.judged.constant.to_json()
    groups = {
        "/": xr.Dataset(texts),
        "/posterior": fit.posterior,
        "/sample_stats": fit.sample_stats,
    }
    sizes = fit.posterior.sizes
    if sizes["chain"] * sizes["draw"] * fit.table.n_rows <= STORED_LOG_LIKELIHOOD:
        groups["/log_likelihood"] = fit.log_likelihood().to_dataset()
    groups["/"] = groups["/"].assign({SEAL: digest(groups)})
    encoding = {
        group: {str(name): ENCODING for name in data.data_vars}
        for group, data in groups.items()
        if group != "/"
    }
    try:
        with atomic_path(path) as temporary:
            xr.DataTree.from_dict(groups).to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
    except BayescaleError as error:
        raise FitFileError(str(error)) from error
    except OSError as error:
        raise FitFileError(f"cannot write the fit to {path}: {error}") from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stored_law(path: Path) -> str:
    """Give the text of the user's law that a fit was made with, as it was then.

    Raises
    ------
    FitFileError
        The file is no fit, or its law is one that BayeScale ships.
    """
    about = _about(_open(path), path)
    if "law" not in about:
        raise FitFileError(f"the law of {path} is no file of yours: BayeScale ships it")
    return str(about["law"]["text"])


def _own_law(about: dict[str, Any], laws: Sequence[Law], path: Path) -> list[Law]:
    """Find, among the laws that the caller named, the one that a fit was made with.

    No file that a fit names is imported: a fit is data, and may be a stranger's.
    """
    named = str(tomllib.loads(about["model"]).get("law", ""))
    stored = about.get("law")
    if not of_file(named):
        if stored is not None:
            raise FitFileError(f"{path} keeps a law of a file, and its card another: {named}")
        return []
    if stored is None:
        raise FitFileError(f"{path} was fitted with {named}, of which it keeps no record")
    texts = [_sha256(source_text(law)) for law in laws]
    wanted = str(stored["sha256"])
    # One file may hold several laws; the card says which.
    if found := [law for law, text in zip(laws, texts, strict=True) if text == wanted]:
        return found
    told = f"bayescale laws --of {path} prints it as it was"
    if not laws:
        raise FitFileError(
            f"{path} was fitted with a law of a file, {named}, and loading a fit runs no file: "
            f"look at it ({told}), and name it with --law {named} (in Python, law={named!r})"
        )
    others = ", ".join(f"{law.origin} is {text}" for law, text in zip(laws, texts, strict=True))
    raise FitFileError(
        f"{path} was fitted with another law than the one named: by SHA-256 {others}; that of the "
        f"fit is {wanted}; {told}"
    )


def _check_card(model: Model) -> None:
    """Refuse a model that its card, all that a file keeps of it, would not bring back."""
    remedy = (
        "write what you changed into a card, mine.toml, and save "
        'dataclasses.replace(fit, model=bayescale.load_model("mine.toml"))'
    )
    try:
        described = model_from_card(model.card, laws=[model.law])
    except ModelError as error:
        raise FitFileError(
            f"a fit file keeps the card of the model, and that of this one is no card ({error}); "
            f"{remedy}"
        ) from error
    names = [field.name for field in fields(Model) if field.name != "card"]
    if other := [name for name in names if getattr(model, name) != getattr(described, name)]:
        raise FitFileError(
            "a fit file keeps the card of the model, and that of this one says something else "
            f"about {', '.join(other)}: it would be loaded as another model; {remedy}"
        )


def read_fit(path: str | os.PathLike[str], kind: type[P], laws: Sequence[Law] = ()) -> P:
    """Read a fit.

    Parameters
    ----------
    path
        The file.
    kind
        Class of what is given back.
    laws
        Laws of the user's own, of which the fit may be of one.

    Raises
    ------
    FitFileError
        There is no such file, or it is broken, no fit of BayeScale, or of a newer version; or its
        law is in a file, and none of the laws is that.
    """
    path = Path(path)
    tree = _open(path)
    about = _about(tree, path)
    if lacking := [name for name in FRAMES[:3] if name not in tree]:
        raise FitFileError(f"{path} lacks the {' and the '.join(lacking)} of its table")
    sealed = _check_seal(tree, path)
    try:
        own = _own_law(about, laws, path)
        words = {*WORDS, *about.get("groups", ())}
        frames = {name: _frame(str(tree[name].item()), words) for name in FRAMES if name in tree}
        stored = None
        if "log_likelihood" in tree.children:
            stored = tree["log_likelihood"].to_dataset()["log_likelihood"]
        fit = kind(
            model=model_from_card(about["model"], source=f"the card in {path}", laws=own),
            table=Table.from_long(**frames, name=about["table"]),
            posterior=tree["posterior"].to_dataset(),
            sample_stats=tree["sample_stats"].to_dataset(),
            seed=int(about["seed"]),
            versions=about["versions"],
            seconds=about["seconds"],
            stored_log_likelihood=stored,
            evidence=from_json(about.get("evidence", [])),
            stored_judged=_judged(tree) if "judged" in tree else None,
            sealed=sealed,
        )
    except FitFileError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, BayescaleError) as error:
        raise FitFileError(f"{path} lacks a part of a fit: {error}") from error
    try:
        check_agreement(fit)
    except FitFileError as error:
        raise FitFileError(f"{path} does not agree in itself: {error}") from None
    return fit


def _check_seal(tree: xr.DataTree, path: Path) -> bool:
    """Compare the content with its seal; tell whether there is one."""
    if SEAL not in tree:
        return False
    groups = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    told = str(groups["/"][SEAL].item())
    groups["/"] = groups["/"].drop_vars(SEAL)
    if digest(groups) != told:
        raise FitFileError(
            f"{path} has changed since it was saved: its content is not what its seal says; take "
            "an unchanged copy, or fit again"
        )
    return True


def _judged(tree: xr.DataTree) -> Judged:
    """Read what was judged of the draws when they were saved."""
    text = str(tree["judged"].item())
    words = dict.fromkeys(("element", "site", "group"), str)
    elements = pd.read_csv(io.StringIO(text), index_col="element", dtype=words)
    constant = pd.Series(json.loads(str(tree["constant"].item())), dtype="int64")
    return Judged(elements, constant)


def _open(path: Path) -> xr.DataTree:
    if not path.is_file():
        raise FitFileError(
            f"no fit file at {path}; make one with: bayescale fit skills --out {path}"
        )
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except (OSError, ValueError, KeyError, RuntimeError, EOFError) as error:
        raise FitFileError(
            f"{path} is not a readable netCDF file, it may be truncated ({error}); fit again"
        ) from error
    if "about" not in tree or "posterior" not in tree.children:
        raise FitFileError(f"{path} is a netCDF file but no fit of BayeScale")
    return tree


def _about(tree: xr.DataTree, path: Path) -> dict[str, Any]:
    """Read what a fit file says of itself, if it is one that this version reads."""
    try:
        about: dict[str, Any] = json.loads(str(tree["about"].item()))
        schema = int(about["schema"])
    except (ValueError, KeyError, TypeError) as error:
        raise FitFileError(f"{path} is a netCDF file but no fit of BayeScale") from error
    if schema != SCHEMA:
        version = about.get("versions", {}).get("bayescale", "another version")
        remedy = "upgrade bayescale" if schema > SCHEMA else "fit again"
        raise FitFileError(
            f"{path} was written by bayescale {version} (schema {schema}); this version reads "
            f"schema {SCHEMA}: {remedy}"
        )
    return about


def _frame(text: str, words: Iterable[str]) -> pd.DataFrame:
    """Read a frame; an empty field is "" in a column of words, else an unknown number."""
    header = pd.read_csv(io.StringIO(text), nrows=0).columns
    return pd.read_csv(
        io.StringIO(text),
        keep_default_na=False,
        na_values={name: [""] for name in header.difference(list(words))},
        dtype=dict.fromkeys(words, str),
    )
