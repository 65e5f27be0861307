"""Laws, links and noises are parts: pure functions that declare their coefficients.

The decorator reads the annotations of keyword-only arguments; the function stays an ordinary
function, callable with numbers. A part is found by its name in its package (`laws/`, `links/`,
`noises/`), so that adding one is adding a file.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_type_hints

from bayescale.coefficients import Coefficient
from bayescale.errors import ModelError
from bayescale.inputs import Input
from bayescale.validation import suggest

Kind = Literal["law", "link", "noise"]
Status = Literal["checked", "unverified"]
Values = Mapping[str, Any]
Paper = Callable[[Values, Values], dict[str, Any]]
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
    columns
        The inputs of a law: unit, range and reference of each positional argument.
    coefficients
        One for each annotated keyword-only argument.
    response
        What a law gives: "skills" (one value a skill), "latent" (one value a benchmark), or the
        name of what its formula is of: "loss", "score", "optimum".
    source
        Where the formula was published.
    unit
        Unit of the response.
    status
        "unverified" where the formula could not be checked against the paper or its code.
    falls, rises
        Inputs that the response falls, or rises, with.
    floor
        Coefficient that the response comes to when every input it falls with grows.
    paper
        From coefficients and reference values of the inputs to the coefficients that the paper
        prints.
    published
        Source -> coefficients as printed.
    traps
        What users of the law trip over.
    """

    kind: Kind
    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    response: str
    source: str
    columns: tuple[Input, ...] = ()
    unit: str = ""
    status: Status = "checked"
    falls: tuple[str, ...] = ()
    rises: tuple[str, ...] = ()
    floor: str | None = None
    paper: Paper | None = None
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    traps: tuple[str, ...] = ()

    def __call__(self, *inputs: Any, **coefficients: Any) -> Any:
        """Evaluate the formula."""
        return self.function(*inputs, **coefficients)

    @property
    def claim(self) -> str:
        """First sentence of the formula's docstring."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")


def law(
    *,
    response: str,
    source: str,
    unit: str = "",
    status: Status = "checked",
    falls: tuple[str, ...] = (),
    rises: tuple[str, ...] = (),
    floor: str | None = None,
    paper: Paper | None = None,
    published: Mapping[str, Mapping[str, float]] | None = None,
    traps: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Part]:
    """Make a law of a function from inputs at reference scale to a latent quantity.

    The arguments are those of `Part`.
    """
    return lambda function: replace(
        _part("law", function, response, source),
        unit=unit,
        status=status,
        falls=falls,
        rises=rises,
        floor=floor,
        paper=paper,
        published=published or {},
        traps=traps,
    )


def amplitudes(**rescaled: Mapping[str, str]) -> Paper:
    """Give the paper's amplitudes of power terms: those at the reference run, times its powers.

    Parameters
    ----------
    rescaled
        For each amplitude, the inputs of its term and their exponents: a coefficient's name, or
        "-name" where the term grows. An amplitude A of a term A x^-p is A_0 x_0^p.

    Examples
    --------
    >>> amplitudes(A={"params": "alpha"})({"A": 2.0, "alpha": 0.5}, {"params": 100.0})
    {'A': 20.0, 'alpha': 0.5}
    """

    def paper(coefficients: Values, reference: Values) -> dict[str, Any]:
        found = dict(coefficients)
        for name, powers in rescaled.items():
            for column, exponent in powers.items():
                sign = -1 if exponent.startswith("-") else 1
                p = sign * coefficients[exponent.removeprefix("-")]
                found[name] = found[name] * reference[column] ** p
        return found

    return paper


def link(*, source: str) -> Callable[[Callable[..., Any]], Part]:
    """Make a link of a function from a latent quantity to an expected score."""
    return lambda function: _part("link", function, "score", source)


def noise(*, source: str) -> Callable[[Callable[..., Any]], Part]:
    """Make a noise of a function from an expected score to the distribution of a measured one."""
    return lambda function: _part("noise", function, "distribution", source)


def _part(kind: Kind, function: Callable[..., Any], response: str, source: str) -> Part:
    hints = get_type_hints(function, include_extras=True)
    inputs: list[str] = []
    columns: list[Input] = []
    coefficients: list[Coefficient] = []
    for name, parameter in inspect.signature(function).parameters.items():
        declared = getattr(hints.get(name), "__metadata__", ())
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            inputs.append(name)
            columns += [replace(part, name=name) for part in declared if isinstance(part, Input)]
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
        tuple(columns),
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
