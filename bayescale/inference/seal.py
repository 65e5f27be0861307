"""What tells a fit file that has changed: a digest of its content, and whether it agrees in itself.

The seal is one against accidents and edits in good faith, not a signature: whoever changes a file
on purpose can seal it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from bayescale.base.errors import FitFileError
from bayescale.base.words import quoted
from bayescale.inference.labels import coordinates
from bayescale.inference.posterior import Posterior
from bayescale.models.lay_out import fitted_members
from bayescale.models.plan import Site, plan

CLOSE = 0.01  # of a log likelihood that another version of the libraries computed


def digest(groups: Mapping[str, xr.Dataset]) -> str:
    """Give the SHA-256 of all names, shapes and values of some datasets."""
    found = hashlib.sha256()
    for group, data in sorted(groups.items()):
        for name in sorted(map(str, data.variables)):
            values = data[name].to_numpy()
            found.update(f"{group} {name} {data[name].dims} {values.shape}\n".encode())
            found.update(_bytes(values))
    return found.hexdigest()


def _bytes(values: Any) -> bytes:
    """Give the same bytes before and after a file, which has its own kinds of text and truth."""
    if values.dtype.kind in "OSU":
        return "\0".join(map(str, values.ravel())).encode()
    plain = values.astype(np.uint8) if values.dtype == bool else values
    little: bytes = np.ascontiguousarray(plain.astype(plain.dtype.newbyteorder("<"))).tobytes()
    return little


def check_agreement(fit: Posterior) -> None:
    """Hold draws against the model and the table that they claim to be of.

    A file with a seal has every value that was saved; for one without, the log likelihoods that it
    keeps are computed again from the first and the last draws.

    Raises
    ------
    FitFileError
        A site is missing, of another shape, or of nothing that the model samples; a draw is no
        number; or draws, model and table give other log likelihoods than the file keeps.
    """
    written, there = plan(fit.model).sites, fit.posterior
    if strange := sorted({*map(str, there.data_vars)} - {*written}):
        raise FitFileError(f"its draws are of {quoted(strange)}, which its model does not sample")
    coords = coordinates(fit.model, fit.table)
    members = fitted_members(fit.model, fit.table) | coords
    separate = {
        name
        for name, rules in fit.model.pooling.items()
        if any(rule.spread is None for rule in rules)
    }
    for name, site in written.items():
        if name not in there:
            none = any(axis in members and not members[axis] for axis in site.dims)
            if none or (site.kind == "population" and name in separate):
                continue
            raise FitFileError(f"it has no draws of {name!r}, which its model samples")
        _check_site(there[name], site, coords)
    lengths = {dim: there.sizes[dim] for dim in ("chain", "draw")}
    if any(fit.sample_stats.sizes.get(dim) != size for dim, size in lengths.items()):
        raise FitFileError("the sampler's record is not of as many draws as there are")
    if not fit.sealed and fit.stored_log_likelihood is not None:
        _check_likelihood(fit, fit.stored_log_likelihood)


def _check_site(draws: xr.DataArray, site: Site, coords: Mapping[str, list[str]]) -> None:
    dims = ("chain", "draw", *site.dims)
    if draws.dims != dims:
        raise FitFileError(f"draws of {site.name!r} have the axes {draws.dims}, not {dims}")
    for axis in site.dims:
        if axis in coords and draws.sizes[axis] != len(coords[axis]):
            raise FitFileError(
                f"draws of {site.name!r} are of {draws.sizes[axis]} members of {axis}, and the "
                f"table has {len(coords[axis])}"
            )
        if axis in draws.coords and [*map(str, draws[axis].to_numpy())] != [*coords[axis]]:
            raise FitFileError(f"the members of {axis} of {site.name!r} are not those of the table")
    if draws.dtype.kind != "f" or not np.isfinite(draws.to_numpy()).all():
        raise FitFileError(f"a draw of {site.name!r} is no number")


def _check_likelihood(fit: Posterior, kept: xr.DataArray) -> None:
    ends = [0, -1]
    part = replace(
        fit,
        posterior=fit.posterior.isel(draw=ends),
        sample_stats=fit.sample_stats.isel(draw=ends),
        stored_log_likelihood=None,
    )
    found = part.log_likelihood().to_numpy()
    wanted = kept.isel(draw=ends).transpose("chain", "draw", "row").to_numpy()
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=CLOSE, atol=CLOSE):
        raise FitFileError(
            "its draws, model and table give other log likelihoods than it keeps: one of them was "
            "changed"
        )
