"""Laws, links and noises are parts: pure functions that declare their coefficients.

The decorator reads the annotations of keyword-only arguments; the function stays an ordinary
function, callable with numbers. A part is found by its name in its package (`laws/`, `links/`,
`noises/`), so that adding one is adding a file.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_type_hints

from bayescale.coefficients import Coefficient
from bayescale.errors import ModelError
from bayescale.validation import suggest

Kind = Literal["law", "link", "noise"]
PACKAGES: dict[Kind, str] = {"law": "laws", "link": "links", "noise": "noises"}


@dataclass(frozen=True)
class Part:
    """A formula with the coefficients it declares.

    Parameters
    ----------
    kind
        "law", "link" or "noise".
    name
        Its name in model cards.
    function
        The formula.
    inputs
        Names of the positional arguments.
    coefficients
        One for each annotated keyword-only argument.
    response
        What a law gives: "skills" (one value a skill) or "latent" (one value a benchmark).
    source
        Where the formula was published.
    """

    kind: Kind
    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    response: str
    source: str

    def __call__(self, *inputs: Any, **coefficients: Any) -> Any:
        """Evaluate the formula."""
        return self.function(*inputs, **coefficients)

    @property
    def claim(self) -> str:
        """First sentence of the formula's docstring."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")


def law(*, response: str, source: str) -> Callable[[Callable[..., Any]], Part]:
    """Make a law of a function from inputs at reference scale to a latent quantity."""
    return lambda function: _part("law", function, response, source)


def link(*, source: str) -> Callable[[Callable[..., Any]], Part]:
    """Make a link of a function from a latent quantity to an expected score."""
    return lambda function: _part("link", function, "score", source)


def noise(*, source: str) -> Callable[[Callable[..., Any]], Part]:
    """Make a noise of a function from an expected score to the distribution of a measured one."""
    return lambda function: _part("noise", function, "distribution", source)


def _part(kind: Kind, function: Callable[..., Any], response: str, source: str) -> Part:
    hints = get_type_hints(function, include_extras=True)
    inputs: list[str] = []
    coefficients: list[Coefficient] = []
    for name, parameter in inspect.signature(function).parameters.items():
        declared = getattr(hints.get(name), "__metadata__", ())
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            inputs.append(name)
        elif declared:
            coefficients.append(replace(declared[0], name=name))
    return Part(
        kind,
        function.__name__.replace("_", "-"),
        function,
        tuple(inputs),
        tuple(coefficients),
        response,
        source,
    )


def parts(kind: Kind) -> dict[str, Part]:
    """Find every part of a kind that BayeScale ships, by name."""
    package = importlib.import_module(f"bayescale.{PACKAGES[kind]}")
    found: dict[str, Part] = {}
    for module in pkgutil.iter_modules(package.__path__):
        namespace = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        for value in namespace.values():
            if isinstance(value, Part) and value.kind == kind:
                found[value.name] = value
    return dict(sorted(found.items()))


def find_part(kind: Kind, name: str) -> Part:
    """Find one part by name.

    Raises
    ------
    ModelError
        There is none of that name.
    """
    known = parts(kind)
    if name not in known:
        raise ModelError(
            f"no {kind} is called {name!r}{suggest(name, known)}; there are: {', '.join(known)}"
        )
    return known[name]
