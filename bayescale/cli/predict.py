"""`bayescale predict`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.base.between import parse_amount
from bayescale.base.errors import BayescaleError, PredictError
from bayescale.base.files import check_writable
from bayescale.base.runtime import keep_compiled
from bayescale.cli.cards import read_backtest
from bayescale.cli.coefficients import short, significant
from bayescale.cli.group import examples
from bayescale.cli.options import (
    At,
    Benchmarks,
    CsvOut,
    FitFile,
    Interval,
    Json,
    Seed,
    amounts,
    number,
    pairs,
    values,
)
from bayescale.cli.output import COUNTS, note, save_csv, show_frame, show_json
from bayescale.cli.own_law import load_fit, load_stack, with_law

if TYPE_CHECKING:
    import pandas as pd

    from bayescale.comparison.stacking import Stack
    from bayescale.fits import Fit
    from bayescale.inference.posterior import Posterior
    from bayescale.models.model import Model
    from bayescale.predict.prediction import Prediction
    from bayescale.tables.validation import Sourced

EXAMPLES = examples(
    "bayescale predict skills.nc --family qwen2 --params 72B --tokens 7T",
    "bayescale predict skills.nc --params 8B --tokens 15T --benchmark MMLU --kind mean",
    "bayescale predict skills.nc --family qwen2 --family mine --params 1B..1T --tokens 1T~15T",
    "bayescale predict skills.nc --run gemma-2-9b --benchmark GSM8K --json",
    "bayescale predict skills.nc --rows rows.csv --csv predicted.csv",
    "bayescale predict chinchilla.nc --params 7B --tokens 2T --kind mean",
    "bayescale predict skills.nc --params 70B --tokens 15T --backtest card.json",
    "bayescale predict stack.json --params 7B --tokens 2T",
    "bayescale predict overtraining.nc --flops 1e21 --at multiplier=320 --at corpus=c4",
)


class Kind(StrEnum):
    """What an interval is about."""

    score = "score"
    mean = "mean"


@with_law
def predict(
    fit: FitFile,
    family: Annotated[
        list[str] | None,
        typer.Option(help="A family, known or new; may be repeated; any family if left out."),
    ] = None,
    params: Annotated[
        float | None,
        typer.Option(
            parser=amounts,
            metavar="COUNT",
            help="Parameters: 7B; several with 1B..1T (or 1B..1T:20); not known: 5B~9B.",
        ),
    ] = None,
    params_active: Annotated[
        float | None,
        typer.Option(parser=amounts, metavar="COUNT", help="Active, of a mixture of experts: 37B."),
    ] = None,
    tokens: Annotated[
        float | None,
        typer.Option(
            parser=amounts, metavar="COUNT", help="Training tokens: 15T, 1T..15T, 1T~15T."
        ),
    ] = None,
    flops: Annotated[
        float | None,
        typer.Option(parser=amounts, metavar="COUNT", help="Training compute, for a law: 1e21."),
    ] = None,
    at: At = None,
    benchmark: Benchmarks = None,
    kind: Annotated[
        Kind, typer.Option(help="Interval of a measured score (or loss), or of the expected one.")
    ] = Kind.score,
    interval: Interval = 0.9,
    run: Annotated[
        str | None, typer.Option(help="A run of the fit's table, on benchmarks that it lacks.")
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            help="A CSV of queries: columns params and maybe family, params_active, tokens; or "
            "run; for a law, its inputs and groups."
        ),
    ] = None,
    backtest: Annotated[
        Path | None,
        typer.Option(
            help="JSON of `bayescale backtest` of this model: its verdict on each benchmark is set "
            "beside the prediction."
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
    csv: CsvOut = None,
) -> None:
    """Predict scores or losses, with intervals, at a scale that nobody has tested."""
    others = pairs(at, "--at", "unique_tokens=4B or corpus=c4")
    asked = {
        "family": family,
        "params": params,
        "params_active": params_active,
        "tokens": tokens,
        "flops": flops,
    }
    query: dict[str, Any] = {name: value for name, value in asked.items() if value}
    _check_one_way(query, others, rows, run)
    if csv is not None:
        check_writable(csv)
    keep_compiled()

    from bayescale.base.words import quoted, suggest
    from bayescale.models.responses import own_responses
    from bayescale.parts.drift import RELEASED
    from bayescale.predict.queries import own_groups, own_inputs

    if stacked := fit.suffix == ".json":
        if backtest is not None:
            raise typer.BadParameter("a backtest is of one model: leave --backtest out for a stack")
        stack = load_stack(fit)
        forecaster: Fit | Stack = stack
        posterior = next(iter(stack.fits.values()))
    else:
        forecaster = posterior = load_fit(fit)
    verdicts = None if backtest is None else _verdicts(backtest, posterior.model)
    law = bool(own_responses(posterior.model, posterior.table))
    may = {
        *own_inputs(posterior.model),
        *own_groups(posterior.model),
        *({RELEASED} & {*posterior.model.drift}),
    }
    if not law and flops is None and (odd := sorted(others.keys() - may)):
        raise typer.BadParameter(
            f"{posterior.model.name} has no {odd[0]!r}{suggest(odd[0], may)}; it takes "
            f"{quoted(sorted(may)) or 'nothing'} there, and --params, --tokens and --family",
            param_hint="--at",
        )
    if not law and flops is not None:
        raise typer.BadParameter(
            f"--flops is for fits of a law; {fit} is of {posterior.model.name}, a model "
            "of leaderboards: give --params, --tokens and --family"
        )
    if rows is not None:
        query = {"rows": read_rows(rows, posterior)}
    elif run is not None:
        query = {"run": run}
    else:
        query |= values(others, posterior)
    prediction = forecaster.predict(
        **query, benchmark=benchmark, kind=kind.value, interval=interval, seed=seed
    )
    if verdicts is not None:
        prediction = prediction.beside(verdicts)
    _show(prediction, csv, as_json=as_json, stacked=stacked, law=law)


def _check_one_way(
    query: Mapping[str, Any], others: Mapping[str, str], rows: Path | None, run: str | None
) -> None:
    """Refuse a query that is given twice, or not at all."""
    ways = [name for name, given in (("--rows", rows), ("--run", run)) if given is not None]
    if twice := sorted(query.keys() & others.keys()):
        raise typer.BadParameter(f"{', '.join(twice)} is given twice", param_hint="--at")
    if facts := [f"--{name.replace('_', '-')}" for name in query] + ["--at"] * bool(others):
        ways.append("/".join(facts))
    if len(ways) != 1:
        told = " and ".join(ways) if ways else "none of them"
        raise typer.BadParameter(
            "give one of --params (with --family, --tokens; of a law --flops, --at), --run or "
            f"--rows; given: {told}"
        )


def _show(
    prediction: Prediction, csv: Path | None, *, as_json: bool, stacked: bool, law: bool
) -> None:
    """Print a prediction, of a stack with those of its parts; doubts on standard error."""
    for doubt in prediction.doubts:
        note(f"note: {doubt}")
    if csv is not None:
        save_csv(prediction.frame, csv)
    frames = {"predictions": prediction.frame}
    if prediction.parts is not None:
        frames["parts"] = prediction.parts
    if as_json:
        show_json(frames if stacked else prediction.frame)
    elif csv is None:
        for title, frame in frames.items():
            show_frame(_readable(frame) if law else frame, title if stacked else None)


def _verdicts(path: Path, fitted: Model) -> pd.DataFrame:
    """Read what a backtest says of the benchmarks of a model."""
    import pandas as pd

    from bayescale.base.words import quoted

    found, model = read_backtest(path), fitted.name
    known = found["verdicts"]
    if model in known and found.get("models", {}).get(model) != fitted.card:
        note(
            f"note: {path} is of a model {model} with other options (pooling, noise, priors, "
            "table) than this fit: its verdicts may not hold here"
        )
    if model not in known:
        raise PredictError(
            f"{path} is no backtest of {model}: it has verdicts of {quoted(known) or 'no model'}"
        )
    frame = pd.DataFrame.from_dict(known[model], orient="index")
    return frame.astype(dict.fromkeys(frame.columns.drop("verdict"), float))


def _readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Write inputs the short way, and what is predicted with four significant digits."""
    inputs = frame.loc[:, :"benchmark"].select_dtypes("number").columns.difference(COUNTS)
    return significant(frame.assign(**{name: frame[name].map(short) for name in inputs}))


def read_rows(path: Path, fit: Posterior | None = None, extra: str | None = None) -> Sourced:
    """Read queries, with counts as people write them; keep where they came from, for errors.

    Of a law, every column but groups is a number; so is `extra`. Without a fit they are of scores.
    """
    import pandas as pd

    from bayescale.models.responses import own_responses
    from bayescale.tables.read import read_frame
    from bayescale.tables.validation import Sourced

    law = fit if fit is not None and own_responses(fit.model, fit.table) else None
    frame, source = read_frame(path)
    numbers = [
        str(column)
        for column in frame.columns
        if column == extra
        or (column not in law.table.groups if law is not None else column in COUNTS)
    ]
    read = parse_amount if law is None else number
    for column in numbers:
        told = []
        for label, value in frame[column].items():
            try:
                told.append(float("nan") if pd.isna(value) else read(str(value)))
            except BayescaleError as error:
                text = f'column "{column}": {error}: {source.row} {label}'
                raise PredictError(source.problem(text)) from None
        frame[column] = told
    return Sourced(frame, source)
