"""`bayescale predict`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.cli.group import examples
from bayescale.cli.options import Benchmarks, CsvOut, FitFile, Json, Seed, count
from bayescale.cli.output import COUNTS, note, save_csv, show_frame, show_json
from bayescale.counts import parse_count
from bayescale.errors import BayescaleError, PredictError
from bayescale.files import check_writable
from bayescale.runtime import keep_compiled

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = examples(
    "bayescale predict skills.nc --family qwen2 --params 72B --tokens 7T",
    "bayescale predict skills.nc --params 8B --tokens 15T --benchmark MMLU --kind mean",
    "bayescale predict skills.nc --run google/gemma-2-9b --benchmark GSM8K --json",
    "bayescale predict skills.nc --rows rows.csv --csv predicted.csv",
)


class Kind(StrEnum):
    """What an interval is about."""

    score = "score"
    mean = "mean"


def predict(
    fit: FitFile,
    family: Annotated[
        str | None, typer.Option(help="A family, known or new; leave out for any family.")
    ] = None,
    params: Annotated[
        float | None, typer.Option(parser=count, metavar="COUNT", help="Parameters: 7B, 1.5e9.")
    ] = None,
    params_active: Annotated[
        float | None,
        typer.Option(parser=count, metavar="COUNT", help="Active, of a mixture of experts: 37B."),
    ] = None,
    tokens: Annotated[
        float | None, typer.Option(parser=count, metavar="COUNT", help="Training tokens: 15T.")
    ] = None,
    benchmark: Benchmarks = None,
    kind: Annotated[
        Kind, typer.Option(help="Interval of a measured score, or of the expected score.")
    ] = Kind.score,
    interval: Annotated[
        float, typer.Option(min=0.01, max=0.999, help="Probability of the central interval.")
    ] = 0.9,
    run: Annotated[
        str | None, typer.Option(help="A run of the fit's table, on benchmarks that it lacks.")
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            help="A CSV of queries: columns params and maybe family, params_active, tokens; or run."
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
) -> None:
    """Predict scores, with intervals, for a size and data budget that nobody has tested."""
    asked = {
        "family": family,
        "params": params,
        "params_active": params_active,
        "tokens": tokens,
    }
    query: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    ways = [name for name, given in (("--rows", rows), ("--run", run)) if given is not None]
    if query:
        ways.append("/".join(f"--{name.replace('_', '-')}" for name in query))
    if len(ways) != 1:
        told = " and ".join(ways) if ways else "none of them"
        raise typer.BadParameter(
            f"give one of --params (with --family, --tokens), --run or --rows; given: {told}"
        )
    if csv is not None:
        check_writable(csv)
    keep_compiled()
    import bayescale as bs

    posterior = bs.load_fit(fit)
    if rows is not None:
        query = {"rows": _read_rows(rows)}
    elif run is not None:
        query = {"run": run}
    prediction = posterior.predict(
        **query, benchmark=benchmark, kind=kind.value, interval=interval, seed=seed
    )
    for doubt in prediction.doubts:
        note(f"note: {doubt}")
    if csv is not None:
        save_csv(prediction.frame, csv)
    if as_json:
        show_json(prediction.frame)
    elif csv is None:
        show_frame(prediction.frame)


def _read_rows(path: Path) -> pd.DataFrame:
    """Read queries, with counts as people write them; keep where they came from, for errors."""
    import pandas as pd

    from bayescale.tablefiles import read_frame

    frame, source = read_frame(path)
    for column in frame.columns.intersection(COUNTS):
        values = []
        for label, value in frame[column].items():
            try:
                values.append(float("nan") if pd.isna(value) else parse_count(str(value)))
            except BayescaleError as error:
                text = f'column "{column}": {error}: {source.row} {label}'
                raise PredictError(source.problem(text)) from None
        frame[column] = values
    frame.attrs["bayescale_source"] = source
    return frame
