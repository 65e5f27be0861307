"""The decorators that make a law, a link or a noise of a function.

They read the annotations of its signature: positional arguments are inputs, keyword-only ones are
coefficients.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypedDict, TypeVar, get_type_hints

from bayescale.parts.check import check_declared
from bayescale.parts.coefficients import Coefficient
from bayescale.parts.inputs import Input
from bayescale.parts.part import Law, Link, Noise, Published, Status, Values, unchanged

T = TypeVar("T")


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
) -> Callable[[Callable[..., Any]], Law]:
    """Make a law of a function from inputs at reference scale to a latent quantity.

    The arguments are those of `Law`.

    Raises
    ------
    ModelError
        An argument of the function is not declared, or the declaration names one it does not have.
    """

    def declare(function: Callable[..., Any]) -> Law:
        declared = Law(
            **_signature(function),
            columns=_columns(function),
            response=response,
            source=source,
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
        check_declared(declared)
        return declared

    return declare


def link(
    *, source: str, status: Status = "checked", published: Published | None = None
) -> Callable[[Callable[..., Any]], Link]:
    """Make a link of a function from a latent quantity, or a loss, to an expected score.

    It may name `latent` or `loss`, that at the reference run (`pivot`), and `chance` and `top`,
    the score of guessing and the largest possible one.
    """

    def declare(function: Callable[..., Any]) -> Link:
        signature = _signature(function)
        return Link(**signature, source=source, status=status, published=published or {})

    return declare


def noise(
    *,
    source: str,
    scores: bool = False,
    positive: bool = False,
    bounded: bool = False,
    counted: bool = False,
) -> Callable[[Callable[..., Any]], Noise]:
    """Make a noise of a function from an expected score to the distribution of a measured one.

    It may name `expected`, `stderr`, `items` and `resolution`; of laws of a quantity also
    `previous` and `gap`, its neighbour on a curve. The arguments are those of `Noise`.
    """

    def declare(function: Callable[..., Any]) -> Noise:
        return Noise(
            **_signature(function),
            source=source,
            scores=scores,
            positive=positive,
            bounded=bounded,
            counted=counted,
        )

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


class _Signature(TypedDict):
    """What every part takes from the signature of its function."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]


def _signature(function: Callable[..., Any]) -> _Signature:
    hints = get_type_hints(function, include_extras=True)
    inputs: list[str] = []
    coefficients: list[Coefficient] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            inputs.append(name)
        else:
            coefficients += [replace(c, name=name) for c in _said(hints, name, Coefficient)]
    return {
        "name": function.__name__.replace("_", "-"),
        "function": function,
        "inputs": tuple(inputs),
        "coefficients": tuple(coefficients),
    }


def _columns(function: Callable[..., Any]) -> tuple[Input, ...]:
    hints = get_type_hints(function, include_extras=True)
    return tuple(
        replace(column, name=name)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        for column in _said(hints, name, Input)
    )


def _said(hints: Mapping[str, Any], name: str, what: type[T]) -> list[T]:
    """Give what an annotation of an argument says beside its type."""
    return [said for said in getattr(hints.get(name), "__metadata__", ()) if isinstance(said, what)]
