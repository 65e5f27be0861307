"""The command line: each command turns what was typed into one call of the public API."""

from __future__ import annotations

from typing import Annotated

import typer

from bayescale.base.version import __version__
from bayescale.cli import (
    ask,
    ask_learn,
    backtest,
    coefficients,
    compare,
    data,
    demo,
    doctor,
    fit,
    laws,
    models,
    plot,
    plot_backtest,
    predict,
    stack,
)
from bayescale.cli.group import Group, examples

app = typer.Typer(
    cls=Group,
    help="Bayesian scaling laws: predict losses and scores with credible intervals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=examples(
        "bayescale demo",
        "bayescale fit skills --out skills.nc",
        "bayescale predict skills.nc --family qwen2 --params 72B --tokens 7T",
        "bayescale fit chinchilla --table my_runs.csv --response loss",
        "bayescale predict chinchilla.nc --params 7B --tokens 2T",
    ),
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"bayescale {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("fit", epilog=fit.EXAMPLES)(fit.fit)
app.command("summary", epilog=fit.SUMMARY_EXAMPLES)(fit.summary)
app.command("coefficients", epilog=coefficients.EXAMPLES)(coefficients.coefficients)
app.command("predict", epilog=predict.EXAMPLES)(predict.predict)
ask.app.command("update", epilog=ask_learn.UPDATE_EXAMPLES)(ask_learn.update)
ask.app.command("place", epilog=ask_learn.PLACE_EXAMPLES)(ask_learn.place)
ask.app.command("next-run", epilog=ask_learn.NEXT_RUN_EXAMPLES)(ask_learn.next_run)
app.add_typer(ask.app, name="ask")
app.command("compare", epilog=compare.EXAMPLES)(compare.compare)
app.command("backtest", epilog=backtest.EXAMPLES)(backtest.backtest)
app.command("stack", epilog=stack.EXAMPLES)(stack.stack)
app.command("models", epilog=models.EXAMPLES)(models.models)
app.command("laws", epilog=laws.EXAMPLES)(laws.laws)
app.command("priors", epilog=models.PRIORS_EXAMPLES)(models.priors)
app.add_typer(data.app, name="data")
plot.app.command("coverage", epilog=plot_backtest.COVERAGE_EXAMPLES)(plot_backtest.coverage)
plot.app.command("pit", epilog=plot_backtest.PIT_EXAMPLES)(plot_backtest.pit)
plot.app.command("predicted", epilog=plot_backtest.PREDICTED_EXAMPLES)(plot_backtest.predicted)
plot.app.command("skill", epilog=plot_backtest.SKILL_EXAMPLES)(plot_backtest.skill)
plot.app.command("comparison", epilog=plot_backtest.COMPARISON_EXAMPLES)(plot_backtest.comparison)
app.add_typer(plot.app, name="plot")
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)


def main() -> None:
    """Run the command line; the console script `bayescale` calls this."""
    app(prog_name="bayescale")
