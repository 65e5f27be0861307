"""Whether a law is fully declared, and can be evaluated."""

from __future__ import annotations

import inspect
import traceback

import numpy as np

from bayescale.base.errors import ModelError
from bayescale.parts.part import Law
from bayescale.base.words import suggest


def check_declared(law: Law) -> None:
    """Fail with every argument that is not declared, and every name that is no argument."""
    known = {c.name for c in law.coefficients}
    parameters = inspect.signature(law.function).parameters.values()
    wrong = [
        f"input {name} has no unit: annotate it, as in `tokens: Tokens` with Tokens from "
        "bayescale.own, or with an Input of its own"
        for name in law.inputs
        if name not in {column.name for column in law.columns}
    ]
    wrong += [
        f"coefficient {p.name} has no prior: annotate it, as in "
        f"`{p.name}: Annotated[Array, positive(0.3, 2)]`"
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in known
    ]
    named = {"falls": law.falls, "rises": law.rises}
    named |= {
        f"scale of {column.name}": (column.reference,) for column in law.columns if column.reference
    }
    wrong += [
        f"{where} names {name!r}, which is no input{suggest(name, law.inputs)}"
        for where, names in named.items()
        for name in names
        if name not in law.inputs
    ]
    skills = law.response in ("skills", "latent")
    mixture = any(column.kind == "mixture" for column in law.columns)
    allowed = ["skill", "benchmark", "other"] if skills else ["contrast"] * mixture
    wrong += [
        f"coefficient {c.name} has a value for each {dim!r}, which a law of {law.response} has not"
        for c in law.coefficients
        for dim in c.dims
        if dim not in allowed
    ]
    if law.floor is not None and law.floor not in known:
        wrong.append(
            f"floor names {law.floor!r}, which is no coefficient{suggest(law.floor, known)}"
        )
    if wrong:
        raise ModelError(f"the law {law.name} is not fully declared:\n- " + "\n- ".join(wrong))


def try_once(law: Law) -> None:
    """Evaluate a user's law once, at ones and prior medians, so that a slip is told in a line."""
    if any(column.kind in ("series", "mixture") for column in law.columns):
        return
    medians = {c.name: c.prior.median for c in law.coefficients}
    try:
        law(*(np.ones(1) for _ in law.inputs), **medians)
    except Exception as error:
        lines = [
            f.lineno
            for f in traceback.extract_tb(error.__traceback__)
            if f.filename == str(law.origin)
        ]
        where = f" in line {lines[-1]}" if lines else ""
        raise ModelError(
            f"{law.origin}: {law.name} cannot be evaluated: {type(error).__name__}{where}: {error}"
        ) from error
