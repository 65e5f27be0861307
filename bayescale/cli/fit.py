"""`bayescale fit` and `bayescale summary`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescale.base.runtime import keep_compiled
from bayescale.cli.coefficients import short
from bayescale.cli.group import examples
from bayescale.cli.options import (
    MODEL,
    Added,
    Chains,
    Draws,
    Drifts,
    Effects,
    FitFile,
    Inputs,
    Json,
    Measured,
    OtherNoise,
    OwnTable,
    Pooled,
    Priors,
    Quiet,
    References,
    Response,
    Seed,
    Warmup,
    columns,
    counts,
    drifts,
    leaderboard_of,
    pool_rules,
    pooling,
    priors,
)
from bayescale.cli.output import check_free, note, show_frame, show_json
from bayescale.cli.own_law import load_fit, with_law
from bayescale.cli.tables import open_table

if TYPE_CHECKING:
    from bayescale.fits import Fit
    from bayescale.models.model import Model
    from bayescale.tables.table import Table

EXAMPLES = examples(
    "bayescale fit skills --out skills.nc",
    "bayescale fit skills --add my_runs.csv --out mine.nc",
    "bayescale fit data-constrained --noise normal-log --prior alpha=0.35,1.6",
    "bayescale fit chinchilla --table my_runs.csv --response loss --pool corpus",
    "bayescale fit chinchilla --table my_runs.csv --response loss --drift usual",
    "bayescale fit power-floor --table my_runs.csv --response loss --input x=flops",
    "bayescale fit --law my_law.py:my_law --table overtraining --benchmark loss",
)
COMMON = ("params", "tokens", "flops")  # inputs that have an option of their own in `predict`
SUMMARY_EXAMPLES = examples("bayescale summary skills.nc", "bayescale summary skills.nc --json")


def fit(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help=MODEL)] = None,
    law: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:LAW", help="A law of your own: in place of MODEL, or that of a card."
        ),
    ] = None,
    table: OwnTable = None,
    add: Added = None,
    response: Response = None,
    benchmark: Measured = None,
    pool: Pooled = None,
    effect: Effects = None,
    noise: OtherNoise = None,
    prior: Priors = None,
    reference: References = None,
    inputs: Inputs = None,
    drift: Drifts = None,
    seed: Seed = 0,
    chains: Chains = 4,
    warmup: Warmup = None,
    draws: Draws = None,
    out: Annotated[
        Path | None, typer.Option(help="The fit file to write; MODEL.nc if left out.")
    ] = None,
    quiet: Quiet = False,
    yes_overwrite: Annotated[
        bool, typer.Option("--yes-overwrite", help="Replace the fit file if there is one.")
    ] = False,
) -> None:
    """Fit a model or a law to what was measured, and write the posterior to one file."""
    name = _name(model, law)
    rules, given_priors = pool_rules(pool), priors(prior)
    references, given_columns = counts(reference), columns(inputs)
    stem = name.rpartition(":")[2] if ".py:" in name else Path(name).stem
    path = out or Path(f"{stem}.nc")
    check_free(path, yes_overwrite)
    keep_compiled()
    import bayescale as bs
    from bayescale.inference.run import DRAWS, WINDOWS
    from bayescale.inference.transition import WINDOW
    from bayescale.models.cards import customise, for_other_table
    from bayescale.parts.find import called

    loaded = bs.load_model(name, law=law or ())
    data = table_for(loaded, table, added=add, response=response, benchmark=benchmark)
    if table is not None:
        loaded, left_out = for_other_table(loaded, data)
        for group in left_out:
            note(f"note: {group}, of the card of {name}, is left out: {data.name} has none")
    chosen = customise(
        loaded,
        pool=pooling(loaded, rules),
        effects=effect or None,
        noise=noise,
        priors=given_priors,
        reference=references,
        inputs=given_columns,
        drift=drifts(drift),
    )
    for doubt in data.doubts():
        note(f"note: {doubt}")
    result = bs.fit(
        chosen,
        data,
        seed=seed,
        chains=chains,
        warmup=WINDOWS * WINDOW if warmup is None else warmup,
        draws=DRAWS if draws is None else draws,
        progress=not quiet,
    )
    result.save(path)
    typer.echo(str(result.summary()))
    own = f"--law {shlex.quote(called(loaded.law))} " if loaded.law.origin else ""
    note(f"wrote {path}; next: bayescale predict {path} {own}{question_of(result)}")


def _name(model: str | None, law: str | None) -> str:
    """Take the one of MODEL and --law that was given."""
    if model is not None and model.endswith(".toml"):
        return model
    if (model is None) == (law is None):
        told = "both" if model else "neither"
        raise typer.BadParameter(f"give MODEL or --law FILE.py:LAW; given: {told}")
    if law is not None and ".py:" not in law:
        raise typer.BadParameter(
            f"{law!r}: write the file and the law in it, as in my_law.py:my_law; a bundled law is "
            "given as MODEL",
            param_hint="--law",
        )
    return model or law or ""


def table_for(
    model: Model,
    name: str | None,
    *,
    added: Sequence[Path] | None = None,
    response: Sequence[str] | None = None,
    benchmark: Sequence[str] | None = None,
) -> Table:
    """Open the table that a command is about: the named one, or that of the model.

    `response` are the measured columns of a file; of a table, `benchmark` chooses among what it
    measures.
    """
    import bayescale as bs
    from bayescale.models.cards import own_table

    if name is None:
        name = leaderboard_of(model)
    if name is not None:
        given = open_table(name, added, response)
        return given.select(benchmarks=benchmark) if benchmark else given
    if not model.table or response:
        raise typer.BadParameter(
            f"--response needs --table with your file: the model's own table {model.table} knows "
            "what it measures"
            if model.table
            else f"{model.name} was not written for one table: give --table, a name of `bayescale "
            "data list` or a file of your runs"
        )
    own = own_table(replace(model, measured=tuple(benchmark)) if benchmark else model)
    units = own.benchmarks["unit"].to_dict()
    for path in added or ():
        own = own.add(bs.read_table(path, response=list(units), units=units))
    return own


def question_of(fit: Fit) -> str:
    """Give the options of a prediction: for a law, the inputs and groups of a run that it saw."""
    from bayescale.models.responses import own_responses
    from bayescale.predict.queries import own_groups, own_inputs

    if not own_responses(fit.model, fit.table):
        own = [*own_inputs(fit.model), *own_groups(fit.model)]
        return " ".join(
            ["--family NAME --params 72B --tokens 15T", *(f"--at {n}=..." for n in own)]
        )
    from bayescale.models.record import group_names
    from bayescale.tables.compute import DERIVED

    run = fit.table.runs.tail(1)
    given: dict[str, str] = {}
    for column in fit.model.law.columns:
        name = fit.model.inputs.get(column.name, column.name)
        if column.kind == "mixture":
            shares = [key for key in fit.table.inputs if key.startswith(f"{name}_")]
            given |= {key: f"{run[key].iloc[0]:.4g}" for key in shares}
        elif column.kind == "series":
            given |= {name: str(run[name].iloc[0]), "step": f"{run['step'].iloc[0]:.12g}"}
        elif name in run and run[name].notna().all():
            given[name] = short(run[name].iloc[0])
        else:
            given[name] = short(DERIVED[name](run).iloc[0])
    given |= {group: str(run[group].iloc[0]) for group in group_names(fit.model)}
    words = [
        (f"--{name}", value) if name in COMMON else ("--at", f"{name}={value}")
        for name, value in given.items()
    ]
    return " ".join(shlex.join(pair) for pair in words)


@with_law
def summary(
    fit: FitFile,
    all_sites: Annotated[
        bool, typer.Option("--all", help="Every element of every site, not the worst of each site.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether the sampler can be trusted, in words and by site."""
    keep_compiled()
    from bayescale.models.responses import own_responses

    posterior = load_fit(fit)
    found = posterior.summary()
    frame = found.elements if all_sites else found.frame
    if as_json:
        show_json(
            {
                "verdict": found.verdict.name.lower(),
                "sentences": [str(found.verdict), *found.sentences],
                "notes": list(found.notes),
                "max_r_hat": found.max_r_hat,
                "min_ess": found.min_ess,
                "divergences": found.divergences,
                "sites": frame,
            }
        )
        return
    typer.echo(str(found))
    show_frame(frame)
    if own_responses(posterior.model, posterior.table):
        show_frame(posterior.sensitivity().reset_index(names="coefficient"), "sensitivity")
