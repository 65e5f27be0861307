"""How commands end: an error is one block of red text, an interrupt one line; no tracebacks."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from bayescale.base.errors import BayescaleError

FAILED = 1
INTERRUPTED = 130


class Group(TyperGroup):
    """Commands whose errors that a user can cause are told in plain words."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed; exit 1 after an error of the user's, 130 after Ctrl-C."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of our output went away, as in `bayescale ... | head`
        except (BayescaleError, OSError) as error:
            typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
            raise typer.Exit(FAILED) from None
        except KeyboardInterrupt:
            typer.secho("Stopped; no half-written file is left.", fg=typer.colors.YELLOW, err=True)
            raise typer.Exit(INTERRUPTED) from None


def examples(*lines: str) -> str:
    """Lay out example commands for the end of a help page; the mark keeps the line breaks."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
