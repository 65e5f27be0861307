"""Both Open LLM Leaderboards: models of known tokens, published by their own makers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.tables.table import Table
from builders.leaderboard_facts import V1, V2, benchmarks, protocol

LINES = Path(__file__).resolve().parent.parent / "open-llm-leaderboard/lines.toml"
# For runs whose upload date is not when their weights were first public: the day, and who tells it.
DATES = LINES.with_name("dates.csv")
OBSSCALING_NAMES = {"ARC-C": "ARC", "Winograd": "Winogrande"}
ELSEWHERE = "a merge, or published by another organisation than its base model"
# In the order of preference.
PRECISIONS = ["bfloat16", "float16", "8bit", "4bit"]
NO_TOKENS = "training tokens not published"


def short(hub_name: str) -> str:
    """Return the lower-cased last part of a hub name, without the suffix of the file format."""
    return hub_name.split("/")[-1].lower().removesuffix("-hf")


def nominal_params(name: str) -> float:
    """Return the size that a name states, such as 1.1e9 in "bloom-1b1"; NaN when it states none."""
    found = re.search(r"(?:^|[-_])(\d+(?:[._]\d+)?)(b|m)(\d?)(?:$|[-_])", name)
    if not found:
        return float("nan")
    number = found[1].replace("_", ".") + (f".{found[3]}" if found[3] else "")
    return round(float(number) * (1e9 if found[2] == "b" else 1e6))


def known_inputs(raw: Path) -> pd.DataFrame:
    """Collect size and tokens by short name: one row for each source that knows the model."""
    parts = []
    sources = {
        "obsscaling/base_llm_benchmark_eval.csv": (
            "Model",
            "Model Size (B)",
            "Pretraining Data Size (T)",
        ),
        "sloth/data_v2.csv": ("Model", "#Params (B)", "Pretraining Data Size (T)"),
        "open-llm-leaderboard/df_full.csv": ("model", "size", "tokens"),
        "open-llm-leaderboard/df_full_v1.csv": ("model", "size", "tokens"),
        "open-llm-leaderboard/df_full_v2.csv": ("model", "size", "tokens"),
    }
    for file, columns in sources.items():
        part = pd.read_csv(raw / file)[list(columns)]
        part.columns = pd.Index(["run", "size", "tokens"])
        parts.append(part.assign(run=part["run"].map(short), source=file))
    return pd.concat(parts, ignore_index=True)


def scores_v2(raw: Path) -> pd.DataFrame:
    """Read the raw scores of the second leaderboard, one row per hub name.

    A model that was evaluated more than once keeps the row whose chat template fits its type,
    then bfloat16, then the latest submission.
    """
    frame = pd.read_csv(raw / "open-llm-leaderboard/open-llm-leaderboard_v2_2929.csv.gz")
    frame["fits"] = frame["Chat Template"] == frame["Type"].str.contains("chat")
    frame["bfloat16"] = frame["Precision"] == "bfloat16"
    order = ["fits", "bfloat16", "Submission Date", "eval_name"]
    frame = frame.sort_values(order, ascending=False, kind="stable")
    frame["evaluations"] = frame.groupby("fullname")["fullname"].transform("size")
    frame = frame.drop_duplicates("fullname").rename(columns={"fullname": "hub_name"})
    frame = frame.rename(columns={f"{name} Raw": f"raw {name}" for name in V2})
    kept = ["hub_name", "#Params (B)", "Upload To Hub Date", "evaluations", "Precision"]
    frame = frame[[*kept, *(f"raw {name}" for name in V2)]]
    return frame.rename(columns={f"raw {name}": name for name in V2})


def scores_v1(raw: Path) -> pd.DataFrame:
    """Read the scores of the first leaderboard, completed by those of the ObsScaling authors.

    A model that was evaluated more than once keeps the finest precision (a quantised row of
    Falcon-180B loses 13 points on GSM8K), then the latest submission.
    """
    board = pd.read_csv(raw / "sloth/open-llm-leaderboard_old.csv")
    board = board[(board["Weight type"] == "Original") & board["Precision"].isin(PRECISIONS)]
    board["rank"] = board["Precision"].map(PRECISIONS.index)
    board["submitted"] = board["date"].str[:10]
    # "Winogrande" and the others share their names with ours; the unit is percent.
    board[V1] = (board[V1] / 100).round(6)
    board = board.rename(columns={"Model": "hub_name"})
    board = board.sort_values("submitted", ascending=False).sort_values("rank", kind="stable")
    other = pd.read_csv(raw / "obsscaling/base_llm_benchmark_eval.csv")
    other = other.rename(columns={"Model": "hub_name"} | OBSSCALING_NAMES)
    kept = ["hub_name", *V1]
    frame = pd.concat([board[kept], other[kept]])
    return frame.drop_duplicates("hub_name")


def build(raw: Path) -> Table:
    """Build the table of both leaderboards for models of known tokens, by their own makers."""
    selection = tomllib.loads(LINES.read_text("utf-8"))
    known, first, second = known_inputs(raw), scores_v1(raw), scores_v2(raw)
    print_disagreements(known)
    both = first.merge(second, on="hub_name", how="outer")
    both["run"] = both["hub_name"].map(short)
    print_ambiguous(both, known)
    told = pd.read_csv(DATES, index_col="run")["released"]
    both["released"] = both["run"].map(told).fillna(both["Upload To Hub Date"]).fillna("")
    rows = [row for line in selection["line"] for row in line_rows(line, both, known)]
    frame = same_size_same_weights(pd.DataFrame(rows))
    assert not frame["run"].duplicated().any(), frame[frame["run"].duplicated(keep=False)]
    no_tokens = frame[frame["tokens"].isna()]
    excluded = dict.fromkeys(no_tokens["run"], NO_TOKENS)
    for run, inputs in known.groupby("run"):
        if run not in set(frame["run"]):
            reason = NO_TOKENS if inputs["tokens"].isna().all() else ELSEWHERE
            excluded[run] = selection["left_out"].get(run, reason)
    frame = frame[frame["tokens"].notna()].sort_values(["lineage", "family", "params", "run"])
    # The first leaderboard shows percent with two decimals.
    facts = benchmarks(protocol(raw)["lower_bounds"], dict.fromkeys(V1, 0.0001))
    table = Table.from_wide(frame, facts, "open-llm-leaderboard")
    left = pd.DataFrame(sorted(excluded.items()), columns=["run", "reason"])
    left = pd.concat([table.excluded, left], ignore_index=True)
    print(f"\n{len(left)} names of the source tables left out; see excluded.csv")
    return Table(table.scores, table.runs, table.benchmarks, table.name, left)


def line_rows(
    line: dict[str, Any], both: pd.DataFrame, known: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the runs of one line: scores, true or nominal size, tokens of the base model."""
    names = both["hub_name"].astype("str")
    mine = (names.str.split("/").str[0] == line["organisation"]) & names.str.split("/").str[
        -1
    ].str.lower().str.fullmatch(line["pattern"])
    rows = []
    for _, row in both[mine].iterrows():
        run = row["run"]
        base = run.replace(*line["base"]) if "base" in line else run
        stated = nominal_params(run)
        sizes = known.loc[known["run"] == run, "size"]
        nominal = stated if stated == stated else (sizes.iloc[0] * 1e9 if len(sizes) else None)
        weights = row["#Params (B)"] * 1e9
        # The leaderboard shows the size in the name where the weights do not tell.
        measured = weights > 0 and (nominal is None or abs(weights - nominal) > 0.005e9)
        params = line.get("params", {}).get(run, weights if measured else nominal)
        rows.append(
            {
                "run": run,
                "family": line["family"],
                "lineage": line["lineage"],
                "instruct": line["instruct"],
                "params": round(params),
                "params_convention": "weights"
                if measured and run not in line.get("params", {})
                else "nominal",
                "params_active": line.get("params_active", {}).get(run),
                "moe": "params_active" in line,
                "tokens": tokens_of(run, base, line, known),
                "released": row["released"],
                **{name: row[name] for name in V1 + V2},
            }
        )
    if not rows:
        print(f'no model matches line "{line["family"]}" ({line["organisation"]})')
    return rows


def same_size_same_weights(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a run of nominal size the true size of its lineage's run of the same stated size."""
    frame = frame.assign(stated=frame["run"].map(nominal_params))
    known = frame[frame["params_convention"] == "weights"]
    true = known.groupby(["lineage", "stated"])["params"].median().rename("true")
    frame = frame.join(true, on=["lineage", "stated"])
    better = (frame["params_convention"] == "nominal") & frame["true"].notna()
    frame["params"] = frame["params"].mask(better, frame["true"])
    frame["params_convention"] = frame["params_convention"].mask(better, "weights")
    return frame.drop(columns=["stated", "true"])


def tokens_of(run: str, base: str, line: dict[str, Any], known: pd.DataFrame) -> float:
    """Return training tokens: published figure for the run, source tables, figure for the line."""
    figure = line.get("tokens_by_run", {}).get(run)
    for name in (run, base):
        found = known.loc[(known["run"] == name) & known["tokens"].notna(), "tokens"]
        if figure is None and len(found):
            figure = found.iloc[0]
    figure = line.get("tokens") if figure is None else figure
    return float("nan") if figure is None else round(figure * 1e12)


def print_disagreements(known: pd.DataFrame) -> None:
    """Print models whose size or tokens differ between the source tables."""
    print("Source tables that disagree (the first named is used unless lines.toml says better):")
    for run, rows in known.dropna(subset=["tokens"]).groupby("run"):
        if rows["tokens"].nunique() > 1 or rows["size"].max() > 1.2 * rows["size"].min():
            facts = rows.drop_duplicates(["size", "tokens"])
            words = facts["source"] + ": " + facts["size"].astype("str") + "B, "
            words += facts["tokens"].astype("str") + "T"
            print(f"  {run}: {'; '.join(words)}")


def print_ambiguous(both: pd.DataFrame, known: pd.DataFrame) -> None:
    """Print short names that several organisations share, repeats, and names without a match."""
    print("\nShort names that several hub names share (lines.toml picks by organisation):")
    for run, rows in both[both["run"].isin(known["run"])].groupby("run"):
        if len(rows) > 1:
            print(f"  {run}: {', '.join(sorted(rows['hub_name']))}")
    print("\nHub names evaluated more than once in the second leaderboard, and the row kept:")
    for row in both[(both["evaluations"] > 1) & both["run"].isin(known["run"])].itertuples():
        print(f"  {row.hub_name}: {row.evaluations:.0f} rows, kept {row.Precision}")
    print("\nNames of the source tables without a match in either leaderboard:")
    missing = sorted(set(known["run"]) - set(both["run"]))
    print("  " + ", ".join(missing))
