"""`bayescale backtest`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescale.base.files import check_writable
from bayescale.base.runtime import keep_compiled
from bayescale.cli.fit import table_for
from bayescale.cli.group import examples
from bayescale.cli.options import (
    Added,
    Chains,
    CsvOut,
    Draws,
    Drifts,
    Effects,
    Inputs,
    Measured,
    OtherNoise,
    OwnTable,
    Pooled,
    Priors,
    Quiet,
    References,
    Response,
    Seed,
    columns,
    counts,
    drifts,
    pool_rules,
    pooling,
    priors,
)
from bayescale.cli.output import note, save_csv, save_json, show_json
from bayescale.cli.own_law import load_model, with_law

if TYPE_CHECKING:
    from bayescale.models.model import Model
    from bayescale.tables.table import Table

EXAMPLES = examples(
    "bayescale backtest skills compute --by family --keep 1",
    "bayescale backtest skills compute --by date --cutoff 2024-01-01 --json card.json",
    "bayescale backtest chinchilla --table my_runs.csv --response loss --pool corpus --by size "
    "--group corpus",
    "bayescale backtest chinchilla --table my_runs.csv --response loss --drift usual --by size",
    "bayescale backtest skills --table my_scores.csv --split split.csv --csv scores.csv",
    "bayescale backtest skills --by family --dask tcp://scheduler:8786",
)


class By(StrEnum):
    """Rules by which rows are held out."""

    size = "size"
    family = "family"
    date = "date"
    benchmark = "benchmark"


@with_law
def backtest(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="One or more models.")],
    by: Annotated[
        By | None,
        typer.Option(
            help="Hold out the larger sizes of every family; families; runs from a date on; each "
            "benchmark."
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Sizes of each family to train on (by size: half of them if left out; by family: "
            "0), or scores of a held-out benchmark (5).",
        ),
    ] = None,
    folds: Annotated[
        int, typer.Option(min=2, help="By family: at most so many folds, of several families each.")
    ] = 10,
    group: Annotated[
        str, typer.Option(help="The column of groups that stands for families, such as corpus.")
    ] = "family",
    size: Annotated[
        str | None,
        typer.Option(help="The column of sizes; params of a leaderboard, else flops."),
    ] = None,
    cutoff: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATE",
            help="By date: test from this day to the next cutoff; may be repeated; half-years if "
            "left out.",
        ),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            help="In place of --by: a CSV with columns run, role (train, test, drop), maybe fold, "
            "benchmark."
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
    chains: Chains = 2,
    draws: Draws = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; as many as leave each chain a processor if left out."),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask scheduler, whose workers fit the folds."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help='Write everything to this file ("-": print).')
    ] = None,
    csv: CsvOut = None,
    quiet: Quiet = False,
) -> None:
    """Hold rows out, fit, predict, and keep score beside baselines; finished folds are kept."""
    if (by is None) == (split is None):
        raise typer.BadParameter("give --by size|family|date|benchmark, or --split FILE, not both")
    changes = _Changes(
        pool_rules(pool),
        priors(prior),
        counts(reference),
        columns(inputs),
        effect or None,
        noise,
        drifts(drift),
    )
    to_stdout = json is not None and str(json) == "-"
    for path in (json, csv):
        if path is not None and str(path) != "-":
            check_writable(path)
    keep_compiled()

    import bayescale as bs

    loaded = [load_model(model) for model in models]  # all before the first is paid for
    data = table_for(loaded[0], table, added=add, response=response, benchmark=benchmark)
    changed = [changes.made_to(model, data) for model in loaded]
    _check_known(changed, changes.named)
    found = bs.backtest(
        changed,
        data,
        None if split is None else bs.read_split(split, data),
        by=None if by is None else by.value,
        keep=keep,
        folds=folds,
        group=group,
        size=size,
        cutoffs=cutoff or (),
        seed=seed,
        chains=chains,
        workers=workers,
        dask=dask,
        progress=not quiet,
        **({} if draws is None else {"draws": draws}),
    )
    if csv is not None:
        save_csv(found.to_frame(), csv)
    if to_stdout:
        show_json(found.to_dict())
        return
    typer.echo(str(found))
    if json is not None:
        save_json(found.to_dict(), json)


@dataclass(frozen=True)
class _Changes:
    """What options change in the models; each model takes what it has."""

    rules: Sequence[tuple[str, str, str]]
    priors: Mapping[str, tuple[float, float]]
    reference: Mapping[str, float]
    inputs: Mapping[str, str]
    effects: Sequence[str] | None
    noise: str | None
    drift: str | list[str] | None

    @property
    def named(self) -> list[str]:
        """List the coefficients and inputs that options name."""
        pooled = [coefficient for coefficient, _, _ in self.rules if coefficient]
        return [*pooled, *self.priors, *self.reference, *self.inputs]

    def made_to(self, model: Model, data: Table) -> Model:
        """Give a model for a table, with the changes that are about it."""
        from bayescale.models.cards import customise, for_other_table

        fitting, left_out = for_other_table(model, data)
        for name in left_out:
            note(f"note: {name}, of the card of {model.name}, is left out: {data.name} has none")
        own = _names(fitting)
        return customise(
            fitting,
            pool=pooling(fitting, [r for r in self.rules if not r[0] or r[0] in own]),
            effects=self.effects,
            noise=self.noise,
            priors={k: v for k, v in self.priors.items() if k in own},
            reference={k: v for k, v in self.reference.items() if k in own},
            inputs={k: v for k, v in self.inputs.items() if k in own},
            drift=self.drift,
        )


def _names(model: Model) -> set[str]:
    """List what options may name of a model: its coefficients and inputs."""
    return {*(c.name for c in model.coefficients), *model.law.inputs}


def _check_known(models: Iterable[Model], named: Iterable[str]) -> None:
    """Refuse a name that none of the models has: an option for some is for those that have it."""
    from bayescale.base.words import suggest

    known = {name for model in models for name in _names(model)}
    for name in named:
        if name not in known:
            raise typer.BadParameter(
                f"no model here has a coefficient or an input {name!r}{suggest(name, known)}"
            )
