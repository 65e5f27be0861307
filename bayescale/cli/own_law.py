"""`--law FILE.py:LAW` of commands that read a fit or a card: the law of one's own that it is of.

Neither runs a file, so that one which a stranger sent is data; who made it with a law of their own
names that law again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bayescale.comparison.stacking import Stack
    from bayescale.fits import Fit
    from bayescale.models.model import Model

Command = Callable[..., None]
OwnLaw = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE.py:LAW",
        help="The law of your own that a fit or a card is of, and does not run by itself; may be "
        "repeated.",
    ),
]
_NAMED: ContextVar[tuple[str, ...]] = ContextVar("named", default=())


def with_law(command: Command) -> Command:
    """Give a command that reads fits or cards the option --law."""
    signature = inspect.signature(command, eval_str=True)

    @wraps(command)
    def run(*args: Any, law: list[str] | None = None, **options: Any) -> None:
        before = _NAMED.set(tuple(law or ()))
        try:
            command(*args, **options)
        finally:
            _NAMED.reset(before)

    option = inspect.Parameter(
        "law", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=OwnLaw
    )
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what typer reads
        parameters=[*signature.parameters.values(), option]
    )
    run.__annotations__ = {**command.__annotations__, "law": OwnLaw}
    return run


def load_fit(path: Path) -> Fit:
    """Load a fit, of whatever law the command was given."""
    import bayescale as bs

    return bs.load_fit(path, law=_NAMED.get())


def load_model(name: str) -> Model:
    """Load a model, of whatever law the command was given where its card has one of a file."""
    import bayescale as bs

    return bs.load_model(name, law=_NAMED.get())


def load_stack(path: Path) -> Stack:
    """Load a stack, whose fits are of whatever laws the command was given."""
    import bayescale as bs

    return bs.load_stack(path, law=_NAMED.get())
