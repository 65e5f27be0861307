"""`bayescale data`: bundled tables, and tables of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.cli.group import examples
from bayescale.cli.options import Json, count
from bayescale.cli.output import check_free, note, save_csv, show_frame, show_json
from bayescale.cli.tables import left_out, open_table
from bayescale.counts import format_count

if TYPE_CHECKING:
    from bayescale.table import Table

app = typer.Typer(help="List, show, import and check tables of scores.", no_args_is_help=True)

TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", help="A bundled table or a file of your own.")
]


@app.command("list", epilog=examples("bayescale data list"))
def list_tables(as_json: Json = False) -> None:
    """List the bundled tables with their licences."""
    import pandas as pd

    import bayescale as bs
    from bayescale.datasets import load_card

    keys = ("name", "claim", "licence")
    cards = [load_card(name) for name in bs.list_tables()]
    frame = pd.DataFrame([{key: card[key] for key in keys} for card in cards], columns=list(keys))
    if as_json:
        show_json(frame)
    else:
        show_frame(frame)


@app.command(
    "show",
    epilog=examples(
        "bayescale data show open-llm-leaderboard", "bayescale data show my.csv --json"
    ),
)
def show(table: TableArgument, as_json: Json = False) -> None:
    """Show what a table holds: counts, benchmarks, families, what was left out and why."""
    data = open_table(table)
    facts = _facts(data)
    if as_json:
        show_json(facts)
        return
    typer.echo(_headline(data))
    show_frame(facts["benchmarks"], "benchmarks")
    sizes = {key: facts["families"][key].map(format_count) for key in ("smallest", "largest")}
    show_frame(facts["families"].assign(**sizes), "families")
    if facts["excluded"]:
        show_frame(data.excluded.groupby("reason").size().reset_index(name="runs"), "left out")


@app.command(
    "import",
    epilog=examples(
        "bayescale data import results.json --family mine --params 1.3B --tokens 300B "
        "--out my_runs.csv",
    ),
)
def import_results(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="lm-evaluation-harness result JSON.")
    ],
    family: Annotated[str, typer.Option(help="The family of the run.")],
    params: Annotated[float, typer.Option(parser=count, metavar="COUNT", help="Parameters: 1.3B.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write, for --add.")],
    tokens: Annotated[
        float | None,
        typer.Option(
            parser=count, metavar="COUNT", help="Training tokens: 300B; leave out if unknown."
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="A name for the run; the one in the file if left out.")
    ] = None,
    yes_overwrite: Annotated[
        bool, typer.Option("--yes-overwrite", help="Replace the CSV file if there is one.")
    ] = False,
) -> None:
    """Turn a result file of lm-evaluation-harness into a CSV file of scores with their errors."""
    check_free(out, yes_overwrite)
    import bayescale as bs

    table = bs.read_harness(results, family=family, params=params, tokens=tokens, run=run)
    save_csv(table.to_wide(), out)
    note(f"{_headline(table)}; next: bayescale fit skills --add {out}")


@app.command("check", epilog=examples("bayescale data check my_runs.csv"))
def check(path: Annotated[Path, typer.Argument(metavar="FILE", help="A table to check.")]) -> None:
    """Check a file of scores: columns, units, ranges, duplicates; tell every problem at once."""
    import bayescale as bs

    table = bs.read_table(path)
    typer.echo(f"{path} is in order: {_headline(table)}")
    for doubt in [*left_out(table), *table.doubts()]:
        typer.echo(f"- {doubt}")


def _headline(table: Table) -> str:
    return (
        f"{table.n_rows} scores of {len(table.runs)} runs in {len(table.families)} families "
        f"on {len(table.benchmarks)} benchmarks"
    )


def _facts(table: Table) -> dict[str, Any]:
    scores = table.scores.groupby("benchmark")["score"]
    benchmarks = table.benchmarks.assign(
        scores=scores.size(), lowest=scores.min(), highest=scores.max()
    )
    runs = table.runs.groupby("family")["params"]
    families = runs.agg(runs="size", sizes="nunique", smallest="min", largest="max").reset_index()
    return {
        "name": table.name,
        "scores": table.n_rows,
        "runs": len(table.runs),
        "benchmarks": benchmarks.reset_index(),
        "families": families,
        "excluded": len(table.excluded),
    }
