"""`bayescale data`: named tables, and tables of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.base.counts import format_count
from bayescale.cli.group import examples
from bayescale.cli.options import Json, Response, count
from bayescale.cli.output import check_free, note, save_csv, show_frame, show_json
from bayescale.cli.tables import left_out, open_table

if TYPE_CHECKING:
    from bayescale.tables.table import Table

app = typer.Typer(help="List, show, import and check tables of scores.", no_args_is_help=True)

TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", help="A table of `bayescale data list`, or your own file.")
]


@app.command("list", epilog=examples("bayescale data list"))
def list_tables(as_json: Json = False) -> None:
    """List the tables with their sizes and licences, and whether they come with BayeScale."""
    import pandas as pd

    import bayescale as bs
    from bayescale.tables.named import is_bundled, load_card

    cards = [load_card(name) for name in bs.list_tables()]
    frame = pd.DataFrame(
        {
            "name": [card["name"] for card in cards],
            "runs": [card["counts"]["runs"] for card in cards],
            "scores": [card["counts"]["scores"] for card in cards],
            "licence": [card["licence"] for card in cards],
            "from": ["bundled" if is_bundled(card) else "download" for card in cards],
            "claim": [card["claim"] for card in cards],
        }
    )
    if as_json:
        show_json(frame)
    else:
        show_frame(frame)


@app.command("card", epilog=examples("bayescale data card overtraining"))
def card(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="A table of `bayescale data list`.")],
    as_json: Json = False,
) -> None:
    """Show where a table comes from: source, licence, units, selection, traps. Reads no data."""
    from bayescale.tables.named import load_card

    found = load_card(name)
    if as_json:
        show_json(found)
        return
    for key in ("name", "claim", "author", "licence", "units", "selection"):
        typer.echo(f"{key}: {' '.join(found[key].split())}")
    for trap in found.get("traps", []):
        typer.echo(f"trap: {trap}")
    for source in found["source"]:
        where = f"{source['repository']} at {source['commit']}, {source['files']}"
        typer.echo(f"source: {where}; licence {source['licence']}; {source['paper']}")
    for entry in found.get("download", []):
        typer.echo(f"download: {entry.get('url', 'none')}; in a mirror: {entry['mirror']}")


@app.command(
    "show",
    epilog=examples(
        "bayescale data show open-llm-leaderboard",
        "bayescale data show my.csv --json",
        "bayescale data show my_runs.csv --response loss",
    ),
)
def show(table: TableArgument, response: Response = None, as_json: Json = False) -> None:
    """Show what a table holds: counts, benchmarks, families, what was left out and why."""
    data = open_table(table, response=response)
    facts = _facts(data)
    if as_json:
        show_json(facts)
        return
    typer.echo(_headline(data))
    show_frame(facts["benchmarks"], "benchmarks")
    if len(facts["inputs"]):
        ends = {key: facts["inputs"][key].map("{:.4g}".format) for key in ("smallest", "largest")}
        show_frame(facts["inputs"].assign(**ends), "inputs")
    if len(facts["groups"]):
        show_frame(facts["groups"], "groups")
    if len(facts["families"]):
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


@app.command(
    "check",
    epilog=examples(
        "bayescale data check my_scores.csv", "bayescale data check my_runs.csv --response loss"
    ),
)
def check(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A table to check.")],
    response: Response = None,
) -> None:
    """Check a file of scores: columns, units, ranges, duplicates; tell every problem at once."""
    import bayescale as bs

    table = bs.read_table(path, response=response or None)
    typer.echo(f"{path} is in order: {_headline(table)}")
    for doubt in [*left_out(table), *table.doubts()]:
        typer.echo(f"- {doubt}")


def _headline(table: Table) -> str:
    scores, runs, benchmarks = table.n_rows, len(table.runs), len(table.benchmarks)
    if _is_leaderboard(table):
        families = len(table.families)
        return f"{scores} scores of {runs} runs in {families} families on {benchmarks} benchmarks"
    measured = ", ".join(table.benchmarks["unit"].drop_duplicates())
    return f"{scores} values of {runs} runs on {benchmarks} responses ({measured})"


def _facts(table: Table) -> dict[str, Any]:
    """Count a table: families with their sizes in a leaderboard, else inputs and groups."""
    import pandas as pd

    scores = table.scores.groupby("benchmark")["score"]
    benchmarks = table.benchmarks.assign(
        scores=scores.size(), lowest=scores.min(), highest=scores.max()
    )
    numbers = table.runs[list(table.inputs)]
    inputs = pd.DataFrame(
        {"values": numbers.nunique(), "smallest": numbers.min(), "largest": numbers.max()}
    )
    inputs = inputs.rename_axis("input").reset_index()
    groups = table.runs[list(table.groups)].nunique().rename_axis("group")
    groups = groups.reset_index(name="members")
    runs = table.runs.groupby("family")["params"]
    families = runs.agg(runs="size", sizes="nunique", smallest="min", largest="max").reset_index()
    leaderboard = _is_leaderboard(table)
    return {
        "name": table.name,
        "scores": table.n_rows,
        "runs": len(table.runs),
        "benchmarks": benchmarks.reset_index(),
        "inputs": inputs[:0] if leaderboard else inputs,
        "groups": groups[:0] if leaderboard else groups[groups["members"] > 1],
        "families": families if leaderboard else families[:0],
        "excluded": len(table.excluded),
    }


def _is_leaderboard(table: Table) -> bool:
    """Whether a table holds accuracies alone, as its families' sizes then tell most."""
    from bayescale.tables.frames import ACCURACY

    return bool((table.benchmarks["unit"] == ACCURACY).all())
