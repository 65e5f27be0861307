"""A command that asks a fit the question of its own name.

A command's signature says which options there are; what each is given goes to the question's
parameter of the same name, and is spelled no third time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescale.cli.asking import opened, query, show

if TYPE_CHECKING:
    from bayescale.fits import Fit

Given = dict[str, Any]
Command = Callable[..., None]
QUERY = ("family", "params", "params_active", "tokens", "flops", "tokens_per_param")


def _as_given(_: Fit, given: Given) -> Given:
    return given


def question(read: Callable[[Fit, Given], Given] = _as_given) -> Callable[[Command], Command]:
    """Make a command of its signature and help.

    Parameters
    ----------
    read
        From the fit and what the command's own options were given to arguments of the question,
        where they differ.

    Returns
    -------
    callable
        From a function without a body to the command.
    """

    def made(command: Command) -> Command:
        @wraps(command)
        def run(
            fit: Path,
            at: list[str] | None = None,
            *,
            as_json: bool = False,
            csv: Path | None = None,
            plot: Path | None = None,
            **options: Any,
        ) -> None:
            asked = opened(fit, csv, plot)
            run_asked = query(asked, at, **{k: options.pop(k) for k in QUERY if k in options})
            answer = getattr(asked, command.__name__)(**read(asked, options), **run_asked)
            show(answer, as_json=as_json, csv=csv, plot=plot)

        return run

    return made
