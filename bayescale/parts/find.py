"""Parts found by name.

A part that BayeScale ships is found in the package of its kind (`laws/`, `links/`, `noises/`), so
that adding one is adding a file; a law may also come from a file of the user's.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bayescale.base.errors import ModelError
from bayescale.base.words import suggest
from bayescale.parts.check import try_once
from bayescale.parts.part import Law, Link, Noise, Part
from bayescale.parts.userfile import TEXT, import_file

P = TypeVar("P", bound=Part)
Own = str | Law | Sequence[str | Law]  # a law of the user's own, or several
PACKAGES: dict[type[Part], str] = {Law: "laws", Link: "links", Noise: "noises"}


def parts(kind: type[P]) -> dict[str, P]:
    """Find every part of a kind that BayeScale ships, by name."""
    package = importlib.import_module(f"bayescale.{PACKAGES[kind]}")
    found: dict[str, P] = {}
    for module in pkgutil.iter_modules(package.__path__):
        namespace = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        found |= {value.name: value for value in namespace.values() if isinstance(value, kind)}
    return dict(sorted(found.items()))


def find_part(kind: type[P], name: str) -> P:
    """Find one part by name.

    Raises
    ------
    ModelError
        There is none of that name.
    """
    known = parts(kind)
    if name not in known:
        raise ModelError(
            f"no {kind.kind} is called {name!r}{suggest(name, known)}; there are: "
            f"{', '.join(known)}"
        )
    return known[name]


def list_laws() -> list[str]:
    """List the names of the laws that BayeScale ships.

    Examples
    --------
    >>> "chinchilla" in list_laws()
    True
    """
    return list(parts(Law))


def load_law(name: str) -> Law:
    """Load a law: a bundled one by name, or one of your own by file and name.

    Importing a file runs it, as Python does with any module.

    Parameters
    ----------
    name
        A bundled law (see `list_laws`), or "path/to/file.py:name": the name of a function under
        the decorator `bayescale.own.law`.

    Returns
    -------
    Law
        Callable with numbers, and with its coefficients, inputs and source.

    Raises
    ------
    ModelError
        There is no such law, no such file, or the file cannot be imported.

    Examples
    --------
    >>> law = load_law("chinchilla")
    >>> loss = law(1.0, 1.0, E=1.8, A=0.2, B=0.3, alpha=0.35, beta=0.37)
    >>> round(float(loss), 3)
    2.3
    """
    file, colon, variable = name.rpartition(":")
    if not colon or not file.endswith(".py"):
        if name.endswith(".py"):
            raise ModelError(f"{name} may hold several laws: say which, as in {name}:my_law")
        return find_part(Law, name)
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise ModelError(f"there is no file {path} to load the law {variable} from")
    namespace = vars(import_file(path))
    laws = [key for key, value in namespace.items() if isinstance(value, Law)]
    there = f"the laws in it are: {', '.join(laws) or 'none'}"
    if variable not in namespace:
        raise ModelError(f"{path} has no {variable!r}{suggest(variable, laws)}; {there}")
    found = namespace[variable]
    if not isinstance(found, Law):
        raise ModelError(
            f"{variable} in {path} is not a law: put @law(response=..., source=...) of "
            f"bayescale.own above the function; {there}"
        )
    found = replace(found, origin=path)
    try_once(found)
    return found


def own_laws(given: Own) -> list[Law]:
    """Load the laws of their own that a caller names."""
    named = [given] if isinstance(given, str | Law) else given
    return [load_law(each) if isinstance(each, str) else each for each in named]


def is_called(law: Law, variable: str) -> bool:
    """Tell whether a law from a file has a name there."""
    there = getattr(sys.modules[law.function.__module__], variable, None)
    return isinstance(there, Law) and there.function is law.function


def called(law: Law) -> str:
    """Give the name that brings a law back: FILE.py:LAW where it is from a file."""
    if law.origin is None:
        return law.name
    there = vars(sys.modules[law.function.__module__])
    return f"{law.origin}:{next(name for name in there if is_called(law, name))}"


def source_text(part: Part) -> str:
    """Give the text of the file that a part was imported from, as it was then.

    Its SHA-256 (`hashlib.sha256(text.encode())`) tells whether a law is still the one of a fit.
    """
    module = sys.modules[part.function.__module__]
    text = getattr(module, TEXT, None)
    return text if isinstance(text, str) else inspect.getsource(module)
