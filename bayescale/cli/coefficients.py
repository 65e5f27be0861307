"""`bayescale coefficients`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bayescale.base.counts import format_count
from bayescale.base.files import check_writable
from bayescale.base.runtime import keep_compiled
from bayescale.cli.group import examples
from bayescale.cli.options import CsvOut, FitFile, Interval, Json
from bayescale.cli.output import COUNTS, note, save_csv, show_frame, show_json
from bayescale.cli.own_law import load_fit, with_law

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = examples(
    "bayescale coefficients chinchilla.nc",
    "bayescale coefficients chinchilla.nc --units paper --interval 0.5",
    "bayescale coefficients overtraining.nc --by corpus --csv coefficients.csv",
)


class Units(StrEnum):
    """What the coefficients' units are."""

    reference = "reference"
    paper = "paper"


@with_law
def coefficients(
    fit: FitFile,
    units: Annotated[
        Units, typer.Option(help="At the reference run, where priors are; or as the paper has it.")
    ] = Units.reference,
    by: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Also tell the members of a group that is pooled over."),
    ] = None,
    interval: Interval = 0.9,
    as_json: Json = False,
    csv: CsvOut = None,
) -> None:
    """Show the coefficients of a fit: posterior medians and intervals."""
    if csv is not None:
        check_writable(csv)
    keep_compiled()
    from bayescale.parts.part import unchanged

    posterior = load_fit(fit)
    frame = posterior.coefficients(interval, units=units.value, by=by)
    if csv is not None:
        save_csv(frame, csv)
    if as_json:
        show_json(frame)
    elif csv is None:
        show_frame(significant(frame))
        reference = posterior.model.reference
        law = posterior.model.law
        told = ", ".join(f"{name} {short(value)}" for name, value in reference.items())
        if told and units is Units.reference:
            note(f"the reference run: {told}")
        elif told and law.paper is unchanged and law.origin:
            note(f"{law.name} declares no units of a paper: these are at the reference run, {told}")


def significant(frame: pd.DataFrame) -> pd.DataFrame:
    """Write numbers but counts, which have their own way, with four significant digits."""
    numbers = [name for name in frame.select_dtypes("number") if name not in COUNTS]
    return frame.assign(**{name: frame[name].map(_digits) for name in numbers})


def _digits(value: float) -> str:
    return "" if value != value else f"{value:.4g}"  # NaN: there is none


def short(value: float) -> str:
    """Write an input as an option reads it: 7B, 320, 0.003."""
    return format_count(value) if value >= 1 else f"{value:.4g}"
