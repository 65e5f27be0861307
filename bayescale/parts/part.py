"""Laws, links and noises are parts: pure functions that declare their coefficients.

A part stays an ordinary function, callable with numbers; beside it stands what its decorator read
of its signature and was told. What all three kinds have is in `Part`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from bayescale.base.errors import ModelError
from bayescale.parts.coefficients import Coefficient
from bayescale.parts.inputs import Input

Status = Literal["checked", "unverified"]
Values = Mapping[str, Any]
Published = Mapping[str, Mapping[str, float]]


def unchanged(coefficients: Values, reference: Values) -> dict[str, Any]:
    """Give the coefficients of a law whose paper has the same ones."""
    del reference
    return dict(coefficients)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A formula with the coefficients it declares: a `Law`, a `Link` or a `Noise`.

    Parameters
    ----------
    name
        Its name in model cards.
    function
        The formula.
    inputs
        Names of the positional arguments.
    coefficients
        One for each annotated keyword-only argument.
    source
        Where the formula was published.
    status
        "unverified" where the formula could not be checked against the paper or its code.
    published
        Source -> coefficients as printed.
    """

    kind: ClassVar[str]  # in words: "law", "link" or "noise"

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    source: str
    status: Status = "checked"
    published: Published = field(default_factory=dict)

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
        module = inspect.getmodule(self.function)
        title = (module.__doc__ or "").split("\n")[0]
        return title.partition(":")[0].rstrip(".") or str(getattr(module, "__file__", None))


@dataclass(frozen=True, kw_only=True)
class Law(Part):
    """A formula from inputs at reference scale to skills, or to a quantity such as a loss.

    Parameters
    ----------
    response
        What it gives: "skills" (one value a skill), "latent" (one value a benchmark), or the name
        of what its formula is of, such as "loss", "error" or "optimum".
    unit
        Unit of the response.
    columns
        The inputs: unit, range and reference of each positional argument.
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
    traps
        What users of the law trip over.
    noise
        Name of the noise that its response has unless a card says otherwise.
    origin
        Path of the user's file that it comes from; None for a law that BayeScale ships.
    """

    kind: ClassVar[str] = "law"

    response: str
    unit: str = ""
    columns: tuple[Input, ...] = ()
    plausible: tuple[float, float] | None = None
    falls: tuple[str, ...] = ()
    rises: tuple[str, ...] = ()
    floor: str | None = None
    limits: Callable[[Values], tuple[Any, Any]] | None = None
    paper: Callable[[Values, Values], dict[str, Any]] = unchanged
    traps: tuple[str, ...] = ()
    noise: str = "student-t-log"
    origin: Path | None = None

    @property
    def latent(self) -> bool:
        """Whether it gives what lies behind scores, on logits: skills, or latent scores."""
        return self.response in ("skills", "latent")


@dataclass(frozen=True, kw_only=True)
class Link(Part):
    """A formula from a latent score, or a loss, to an expected score."""

    kind: ClassVar[str] = "link"

    @property
    def of(self) -> str:
        """What it takes: "loss", or "latent" for the latent scores of leaderboards."""
        return "loss" if "loss" in self.inputs else "latent"


@dataclass(frozen=True, kw_only=True)
class Noise(Part):
    """A formula from an expected value to the distribution of a measured one.

    Parameters
    ----------
    scores
        Whether it is for scores of leaderboards too: shares from 0 to 1, both ends included.
    positive
        Whether it is of positive values only.
    bounded
        Whether it is of shares from 0 to 1 only.
    counted
        Whether it needs the number of items of each benchmark.
    """

    kind: ClassVar[str] = "noise"

    scores: bool = False
    positive: bool = False
    bounded: bool = False
    counted: bool = False
