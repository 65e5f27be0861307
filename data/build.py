"""Rebuild the bundled tables from the public files that their cards name.

    python data/build.py --raw DIR [--out DIR] [TABLE ...]

DIR holds the folders of those files. Writes each table's CSV files, the generated end of its
card.toml (of tables that are downloaded too), sloth-2024/protocol.json and NOTICE. A table is one
folder with a card here, and one module in builders/ (bundled) or bayescale/tables/readers/
(downloaded).
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.base.files import atomic_path
from bayescale.tables.table import Table

HERE = Path(__file__).resolve().parent
MARK = "# ---- written by data/build.py from here on ----\n"
# What columns of runs hold where a table has nothing to say; these are read back as the same.
NOTHING = {
    "family": "all",
    "params": "",
    "params_convention": "",
    "params_active": "",
    "tokens": "",
    "flops": "",
    "released": "",
    "lineage": "",
    "instruct": "False",
}
MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
CC_BY = """\
Tables under CC-BY-4.0, the Creative Commons Attribution 4.0 International licence, are used under
its terms: https://creativecommons.org/licenses/by/4.0/legalcode
"""


def main() -> None:
    """Build the tables and the notice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", default=os.environ.get("BAYESCALE_MIRROR"), help="source folder")
    parser.add_argument("--out", type=Path, default=HERE, help="where to write (default: data/)")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="all of them if left out")
    arguments = parser.parse_args()
    if not arguments.raw:
        parser.error("give --raw DIR or set BAYESCALE_MIRROR")
    raw, out = Path(arguments.raw), arguments.out
    for name in arguments.tables or sorted(path.parent.name for path in HERE.glob("*/card.toml")):
        head = (HERE / name / "card.toml").read_text("utf-8").split(MARK)[0]
        table = make(name, tomllib.loads(head), raw, out / name)
        lines = leaderboard_counts(table) if is_leaderboard(table) else run_counts(table)
        write_text(out / name / "card.toml", head + "\n".join([MARK, *lines]) + "\n")
        print(f"\n== {name}: {len(table.runs)} runs, {table.n_rows} measurements\n")
    write_notice(out)


def make(name: str, card: dict[str, Any], raw: Path, folder: Path) -> Table:
    """Make a table from the public files; write it unless it is one to be downloaded."""
    module = name.replace("-", "_")
    if "download" in card:
        reader = importlib.import_module(f"bayescale.tables.readers.{module}")
        table: Table = reader.read([raw / entry["mirror"] for entry in card["download"]])
        return table
    builder = importlib.import_module(f"builders.{module}")
    table = with_ceilings(builder.build(raw), card.get("ceiling", []))
    table.to_csv(folder)
    if not is_leaderboard(table):
        make_lean(folder / "runs.csv")
    if hasattr(builder, "extra_files"):
        for file, text in builder.extra_files(raw).items():
            write_text(folder / file, text)
    return table


def with_ceilings(table: Table, audits: list[dict[str, Any]]) -> Table:
    """Take the share of wrong or ambiguous questions that audits found off the best score."""
    facts = table.benchmarks.copy()
    for audit in audits:
        if audit["benchmark"] not in facts.index or not 0 < audit["share"] < 1:
            raise SystemExit(
                f"{table.name}: a ceiling is of one of {', '.join(facts.index)}, with a share "
                f"between 0 and 1; given: {audit['benchmark']}, {audit['share']}"
            )
        facts.loc[audit["benchmark"], "ceiling"] = round(1.0 - audit["share"], 6)
    return dataclasses.replace(table, benchmarks=facts)


def is_leaderboard(table: Table) -> bool:
    """Whether a table holds accuracies alone."""
    return bool((table.benchmarks["unit"] == "accuracy").all())


def make_lean(path: Path) -> None:
    """Drop columns that say nothing, and the fraction of whole numbers, from a file of runs."""
    runs = pd.read_csv(path, dtype="str", keep_default_na=False)
    silent = [column for column, nothing in NOTHING.items() if (runs[column] == nothing).all()]
    runs = runs.drop(columns=silent).replace(r"^(\d+)\.0$", r"\1", regex=True)
    with atomic_path(path) as temporary:
        runs.to_csv(temporary, index=False)


def leaderboard_counts(table: Table) -> list[str]:
    """Return the counts of a leaderboard, and why runs were left out, as TOML."""
    sizes = table.runs.groupby("family")["params"].nunique()
    lines = [
        "[counts]",
        f"runs = {len(table.runs)}",
        f"families = {len(table.families)}",
        f"families_with_several_sizes = {int((sizes > 1).sum())}",
        f"lineages = {table.runs['lineage'].nunique()}",
        f"scores = {table.n_rows}",
        f"runs_of_unknown_tokens = {int(table.runs['tokens'].isna().sum())}",
        f"excluded = {len(table.excluded)}",
        *benchmark_counts(table),
    ]
    for reason, count in table.excluded["reason"].value_counts().sort_index().items():
        lines += ["", "[[exclusion]]", f"reason = {json.dumps(reason)}", f"count = {count}"]
    return lines


def run_counts(table: Table) -> list[str]:
    """Return the counts of a table of runs as TOML."""
    groups = [group for group in table.groups if (table.runs[group] != NOTHING["family"]).any()]
    return [
        "[counts]",
        f"runs = {len(table.runs)}",
        f"scores = {table.n_rows}",
        *benchmark_counts(table),
        "",
        "[counts.by_group]",
        *(f"{json.dumps(group)} = {table.runs[group].nunique()}" for group in groups),
    ]


def benchmark_counts(table: Table) -> list[str]:
    """Return how often each benchmark was measured as TOML."""
    tested = table.scores["benchmark"].value_counts()
    names = table.benchmarks.index
    return [
        "",
        "[counts.by_benchmark]",
        *(f"{json.dumps(name)} = {tested[name]}" for name in names),
    ]


def write_notice(out: Path) -> None:
    """Write NOTICE from the cards: author, licence, source and changes of each bundled table."""
    parts = ["Data bundled with BayeScale, made from public files under their own licences.\n"]
    for path in sorted(HERE.glob("*/card.toml")):
        card = tomllib.loads(path.read_text("utf-8"))
        if "download" in card:
            continue
        parts.append(f"{card['name']}\n{'-' * len(card['name'])}\nAuthor: {card['author']}")
        parts += [
            f"Source: {source['repository']} at {source['commit']} ({source['files']}); "
            f"licence {source['licence']}; {source['copyright']}; {source['paper']}"
            for source in card["source"]
        ]
        parts.append(f"Licence: {card['licence']}\nChanges: {' '.join(card['changes'].split())}\n")
    parts += [
        "The Apache License 2.0 is BayeScale's own, in LICENSE. The MIT License:\n",
        MIT,
        CC_BY,
    ]
    write_text(out / "NOTICE", "\n".join(parts))


def write_text(path: Path, text: str) -> None:
    """Write a file in one step, so that a stop leaves no half of it."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
