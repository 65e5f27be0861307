"""Laws, links and noises are parts: pure functions that declare their coefficients.

The decorator reads the annotations of keyword-only arguments; the function stays an ordinary
function, callable with numbers. A part is found by its name in its package (`laws/`, `links/`,
`noises/`), so that adding one is adding a file; a law may also come from a file of the user's.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

from bayescale.base.errors import ModelError
from bayescale.parts.check import check_declared, try_once
from bayescale.parts.coefficients import Coefficient
from bayescale.parts.inputs import Input
from bayescale.parts.userfile import TEXT, import_file
from bayescale.tables.validation import suggest

Kind = Literal["law", "link", "noise"]
Status = Literal["checked", "unverified"]
Values = Mapping[str, Any]
Published = Mapping[str, Mapping[str, float]]
PACKAGES: dict[Kind, str] = {"law": "laws", "link": "links", "noise": "noises"}


def unchanged(coefficients: Values, reference: Values) -> dict[str, Any]:
    """Give the coefficients of a law whose paper has the same ones."""
    del reference
    return dict(coefficients)


@dataclass(frozen=True)
class Part:
    """A formula with the coefficients it declares: a law, a link or a noise.

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
        What a law gives: "skills" (one value a skill), "latent" (one value a benchmark), or the
        name of what its formula is of, such as "loss", "error" or "optimum".
    source
        Where the formula was published.
    columns
        The inputs of a law: unit, range and reference of each positional argument.
    unit
        Unit of the response.
    status
        "unverified" where the formula could not be checked against the paper or its code.
    plausible
        Range that the response is expected in: where coefficients are drawn from their priors,
        inputs log-uniform over their usual range, and the reference is its geometric middle, four
        draws of five lie within.
    falls, rises
        Inputs that the response falls, or rises, with, whatever the coefficients.
    floor
        Coefficient that the response comes to when every input it falls with grows.
    limits
        From coefficients to the values at which the response levels off when the inputs it falls
        with go to zero and to infinity.
    paper
        From coefficients and reference values of the inputs to the coefficients that the paper
        prints.
    published
        Source -> coefficients as printed.
    traps
        What users of the law trip over.
    origin
        Path of the user's file that it comes from; None for a part that BayeScale ships.
    noise
        Name of the noise that a law's response has unless a card says otherwise.
    positive
        Whether a noise is of positive values only.
    bounded
        Whether a noise is of shares from 0 to 1 only.
    counted
        Whether a noise needs the number of items of each benchmark.
    of
        What a link takes: "latent" or "loss".
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
    plausible: tuple[float, float] | None = None
    falls: tuple[str, ...] = ()
    rises: tuple[str, ...] = ()
    floor: str | None = None
    limits: Callable[[Values], tuple[Any, Any]] | None = None
    paper: Callable[[Values, Values], dict[str, Any]] = field(default_factory=lambda: unchanged)
    published: Published = field(default_factory=dict)
    traps: tuple[str, ...] = ()
    origin: Path | None = None
    noise: str = "student-t-log"
    positive: bool = False
    bounded: bool = False
    counted: bool = False
    of: str = "latent"

    def __call__(self, *inputs: Any, **coefficients: Any) -> Any:
        """Evaluate the formula."""
        return self.function(*inputs, **coefficients)

    def given(self, known: Values, coefficients: Values) -> Any:
        """Evaluate the formula with what is known, by the names in its signature.

        Parameters
        ----------
        known
            Values by name; those that the formula does not name are left out.
        coefficients
            Every coefficient that it declares.

        Raises
        ------
        ModelError
            The formula names what is not known.
        """
        if lacking := [name for name in self.inputs if name not in known]:
            raise ModelError(
                f"{self.kind} {self.name} needs {', '.join(lacking)}, which is not known here; "
                f"known: {', '.join(known)}"
            )
        return self.function(*(known[name] for name in self.inputs), **coefficients)

    @property
    def claim(self) -> str:
        """First sentence of the formula's docstring."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def formula(self) -> str:
        """The formula of the docstring, in LaTeX, on one line."""
        text = (inspect.getdoc(self.function) or "").partition(".. math::")[2]
        return " ".join(text.split("\n\n")[0].split())

    @property
    def group(self) -> str:
        """Title of the file that it stands in, among others of its structure."""
        title = (inspect.getmodule(self.function).__doc__ or "").split("\n")[0]
        return title.partition(":")[0].rstrip(".") or str(self.origin)


def law(
    *,
    response: str,
    source: str,
    unit: str = "",
    status: Status = "checked",
    plausible: tuple[float, float] | None = None,
    falls: tuple[str, ...] = (),
    rises: tuple[str, ...] = (),
    floor: str | None = None,
    limits: Callable[[Values], tuple[Any, Any]] | None = None,
    paper: Callable[[Values, Values], dict[str, Any]] = unchanged,
    published: Published | None = None,
    traps: tuple[str, ...] = (),
    noise: str = "student-t-log",
) -> Callable[[Callable[..., Any]], Part]:
    """Make a law of a function from inputs at reference scale to a latent quantity.

    The arguments are those of `Part`.

    Raises
    ------
    ModelError
        An argument of the function is not declared, or the declaration names one it does not have.
    """

    def declare(function: Callable[..., Any]) -> Part:
        part = replace(
            _part("law", function, response, source),
            unit=unit,
            status=status,
            plausible=plausible,
            falls=falls,
            rises=rises,
            floor=floor,
            limits=limits,
            paper=paper,
            published=published or {},
            traps=traps,
            noise=noise,
        )
        check_declared(part)
        return part

    return declare


def amplitudes(**rescaled: Mapping[str, str]) -> Callable[[Values, Values], dict[str, Any]]:
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


def printed(**coefficients: float) -> dict[str, float]:
    """Give coefficients as a source prints them, for `published`."""
    return coefficients


def link(
    *,
    source: str,
    of: str = "latent",
    status: Status = "checked",
    published: Published | None = None,
) -> Callable[[Callable[..., Any]], Part]:
    """Make a link of a function from a latent quantity, or a loss, to an expected score."""
    return lambda function: replace(
        _part("link", function, "score", source), of=of, status=status, published=published or {}
    )


def noise(
    *, source: str, positive: bool = False, bounded: bool = False, counted: bool = False
) -> Callable[[Callable[..., Any]], Part]:
    """Make a noise of a function from an expected score to the distribution of a measured one."""
    return lambda function: replace(
        _part("noise", function, "distribution", source),
        positive=positive,
        bounded=bounded,
        counted=counted,
    )


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
        else:
            coefficients += [
                replace(part, name=name) for part in declared if isinstance(part, Coefficient)
            ]
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


def list_laws() -> list[str]:
    """List the names of the laws that BayeScale ships.

    Examples
    --------
    >>> "chinchilla" in list_laws()
    True
    """
    return list(parts("law"))


def load_law(name: str) -> Part:
    """Load a law: a bundled one by name, or one of your own by file and name.

    Importing a file runs it, as Python does with any module.

    Parameters
    ----------
    name
        A bundled law (see `list_laws`), or "path/to/file.py:name": the name of a function under
        the decorator `bayescale.parts.part.law`.

    Returns
    -------
    Part
        The law: callable with numbers, and with its coefficients, inputs and source.

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
        return find_part("law", name)
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise ModelError(f"there is no file {path} to load the law {variable} from")
    namespace = vars(import_file(path))
    laws = [key for key, value in namespace.items() if isinstance(value, Part)]
    there = f"the laws in it are: {', '.join(laws) or 'none'}"
    if variable not in namespace:
        raise ModelError(f"{path} has no {variable!r}{suggest(variable, laws)}; {there}")
    found = namespace[variable]
    if not isinstance(found, Part) or found.kind != "law":
        raise ModelError(
            f"{variable} in {path} is not a law: put @law(response=..., source=...) of "
            f"bayescale.parts.part above the function; {there}"
        )
    found = replace(found, origin=path)
    try_once(found)
    return found


def source_text(part: Part) -> str:
    """Give the text of the file that a part was imported from, as it was then.

    Its SHA-256 (`hashlib.sha256(text.encode())`) tells whether a law is still the one of a fit.
    """
    module = sys.modules[part.function.__module__]
    text = getattr(module, TEXT, None)
    return text if isinstance(text, str) else inspect.getsource(module)
