"""What the commands of `bayescale ask` share: options, and how an answer is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.base.files import check_writable
from bayescale.base.runtime import keep_compiled
from bayescale.cli.options import amount, pairs, values
from bayescale.cli.output import note, save_csv, show_frame, show_json
from bayescale.cli.own_law import load_fit

if TYPE_CHECKING:
    from bayescale.ask.answer import Answer
    from bayescale.fits import Fit

Family = Annotated[
    str | None, typer.Option("--family", help="A family, known or new; any if left out.")
]
Params = Annotated[
    float | None,
    typer.Option("--params", parser=amount, metavar="COUNT", help="7B; not known: 5B~9B."),
]
ParamsActive = Annotated[
    float | None,
    typer.Option(
        "--params-active", parser=amount, metavar="COUNT", help="Active, of a mixture of experts."
    ),
]
Tokens = Annotated[
    float | None,
    typer.Option("--tokens", parser=amount, metavar="COUNT", help="2T; not known: 1T~15T."),
]
Flops = Annotated[
    float | None, typer.Option("--flops", parser=amount, metavar="COUNT", help="1e24; of a law.")
]
Ratio = Annotated[
    float | None,
    typer.Option("--tokens-per-param", parser=amount, metavar="RATIO", help="20, or 20~200."),
]
Along = Annotated[str, typer.Option("--along", help="The input: flops, params, tokens, ...")]
OneBenchmark = Annotated[
    str | None,
    typer.Option("--benchmark", help="Of what; may be left out where the fit has one response."),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", help="Draw the answer to this .png, .svg or .pdf.")
]
EitherSide = "What tells it apart: family=qwen2 or corpus=c4; may be repeated."


def opened(fit: Path, *files: Path | None) -> Fit:
    """Load a fit; fail first where a result could not be written."""
    for file in files:
        if file is not None:
            check_writable(file)
    keep_compiled()

    return load_fit(fit)


def query(fit: Fit, at: list[str] | None, **given: Any) -> dict[str, Any]:
    """Join what options say and what --at says."""
    others = pairs(at, "--at", "unique_tokens=4B or corpus=c4")
    found = {name: value for name, value in given.items() if value is not None}
    if twice := sorted(found.keys() & others.keys()):
        raise typer.BadParameter(f"{', '.join(twice)} is given twice", param_hint="--at")
    return found | values(others, fit)


def one_side(fit: Fit, texts: list[str] | None, option: str) -> dict[str, Any]:
    """Read --a or --b."""
    return values(pairs(texts, option, "family=qwen2"), fit)


def show(
    answer: Answer, *, as_json: bool = False, csv: Path | None = None, plot: Path | None = None
) -> None:
    """Print an answer: its sentence and frame, or JSON; doubts on standard error."""
    from bayescale.ask.answer import shown_frame

    if plot is not None:
        from bayescale.cli.plot import check_out, save

        check_out(plot)
        import bayescale as bs

        save(bs.plot_answer(answer), plot)
    for doubt in answer.doubts:
        note(f"note: {doubt}")
    if csv is not None:
        save_csv(answer.frame, csv)
    if as_json:
        show_json(as_record(answer))
        return
    typer.echo(answer.sentence)
    if csv is None:
        show_frame(shown_frame(answer.frame))


def as_record(answer: Answer) -> Mapping[str, Any]:
    """Give an answer as plain values; infinite numbers, which JSON lacks, as "never"."""
    rows = answer.frame.to_dict(orient="records")
    told = [{k: "never" if v == float("inf") else v for k, v in row.items()} for row in rows]
    return {
        "question": answer.question,
        "sentence": answer.sentence,
        "interval": answer.interval,
        "frame": told,
        "about": dict(answer.about),
        "doubts": list(answer.doubts),
    }
