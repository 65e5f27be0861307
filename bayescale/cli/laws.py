"""`bayescale laws`: the formulas there are, and the card of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.cli.group import examples
from bayescale.cli.options import Json
from bayescale.cli.output import show_frame, show_json

if TYPE_CHECKING:
    from bayescale.parts.inputs import Input
    from bayescale.parts.part import Law

EXAMPLES = examples(
    "bayescale laws",
    "bayescale laws chinchilla",
    "bayescale laws my_law.py:my_law --json",
    "bayescale laws --of mine.nc > my_law.py",
)


def laws(
    law: Annotated[
        str | None,
        typer.Argument(metavar="LAW", help="A law, bundled or your own in FILE.py:NAME."),
    ] = None,
    as_json: Json = False,
    of: Annotated[
        Path | None,
        typer.Option(help="A fit of a law of your own: print that law's file as it was fitted."),
    ] = None,
) -> None:
    """List the laws by structure, or show one: formula, coefficients with priors, source, traps."""
    if of is not None:
        from bayescale.inference.storage import stored_law

        typer.echo(stored_law(of), nl=False)
        return
    import bayescale as bs

    if law is not None:
        found = card(bs.load_law(law))
        if as_json:
            show_json(found)
        else:
            _show(found)
        return
    rows = [_row(bs.load_law(name)) for name in bs.list_laws()]
    if as_json:
        show_json(rows)
        return
    import pandas as pd

    for group, members in pd.DataFrame(rows).groupby("group"):
        show_frame(members[["law", "inputs", "response", "unit", "status"]], str(group))
    typer.echo("`bayescale laws NAME` shows one.")


def _row(law: Law) -> dict[str, str]:
    return {
        "law": law.name,
        "group": law.group,
        "inputs": ", ".join(law.inputs),
        "response": law.response,
        "unit": law.unit,
        "status": law.status,
        "claim": law.claim,
    }


def card(law: Law) -> dict[str, Any]:
    """All that a law declares, as plain values."""
    inputs = [
        {
            "input": column.name,
            "unit": column.unit,
            "divided by": _divisor(column),
            "meaning": column.meaning,
        }
        for column in law.columns
    ]
    coefficients = []
    for c in law.coefficients:
        low, high = c.prior.interval()
        prior = {"median": c.prior.median, "q05": low, "q95": high}
        coefficients.append({"name": c.name, "unit": c.unit, **prior, "meaning": c.meaning})
    return {
        **_row(law),
        "formula": law.formula,
        "inputs": inputs,
        "coefficients": coefficients,
        "plausible": list(law.plausible or ()),
        "published": [{"from": source, **values} for source, values in law.published.items()],
        "source": law.source,
        "traps": list(law.traps),
        "file": str(law.origin or ""),
    }


def _divisor(column: Input) -> str:
    if column.reference is None:
        return "nothing"
    own = column.reference == column.name
    return "its reference" if own else f"the reference of {column.reference}"


def _show(found: dict[str, Any]) -> None:
    import pandas as pd

    expected = " to ".join(f"{end:g}" for end in found["plausible"])
    typer.echo(f"{found['law']}: {found['claim']}\n")
    if found["formula"]:
        typer.echo(f"    {found['formula']}\n")
    typer.echo(f"response: {found['response']}, in {found['unit']}; usually {expected or 'any'}")
    titles = {
        "inputs": "inputs",
        "coefficients": "coefficients at the reference run, with the central 90% of their priors",
        "published": "published, in the units of the source",
    }
    for key, title in titles.items():
        if found[key]:
            frame = pd.DataFrame(found[key])
            numeric = frame.select_dtypes("number").columns
            texts = {c: frame[c].map(_digits) for c in numeric}
            show_frame(frame.assign(**texts), title)
    typer.echo(f"source: {found['source']}")
    # Nobody has checked a law of the user's against a paper.
    typer.echo(f"from {found['file']}" if found["file"] else f"status: {found['status']}")
    for trap in found["traps"]:
        typer.echo(f"- {trap}")


def _digits(value: float) -> str:
    return "" if value != value else f"{value:.5g}"  # NaN: the source gives none
