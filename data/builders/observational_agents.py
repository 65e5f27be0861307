"""Instruct models on standard benchmarks and as agents: Ruan et al. 2024."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.frames import ACCURACY
from bayescale.tables.table import Table
from builders.obsscaling import STANDARD, facts, read

# Our name, and the largest score that the paper divides by.
AGENTS = {
    "ABench-OA": ("AgentBench", 10),
    "ABoard-Avg_SR": ("AgentBoard", 100),
    "ABoard-Avg_PR": ("AgentBoard progress", 100),
}
TESTED = [name for name in STANDARD if name != "XWinograd"]
NAMES = [*TESTED, *(name for name, _ in AGENTS.values())]
CLOSED = "params not published; scores in closed.csv"


def wide(raw: Path) -> pd.DataFrame:
    """Join both files, one row a model."""
    frame = read(raw, "instruct_llm_benchmark_eval.csv")
    agents = pd.read_csv(raw / "obsscaling/instruct_llm_agent_eval.csv")
    for column, (name, most) in AGENTS.items():
        agents[name] = (agents[column] / most).round(6)
    own = agents.rename(columns={"Model": "run"})[["run", *(name for name, _ in AGENTS.values())]]
    frame = frame.merge(own, on="run", how="left")
    runs = frame[["run", "family", "params", "tokens"]].assign(
        params_convention="nominal", lineage=frame["family"], instruct=True
    )
    return runs.join(frame[NAMES])


def build(raw: Path) -> Table:
    """Build the table of the models whose size is known; the others are excluded."""
    frame = wide(raw)
    closed = frame["params"].isna()
    new = pd.DataFrame({"benchmark": [name for name, _ in AGENTS.values()], "chance": 0.0})
    # Both publish one decimal of percent, or two of ten points.
    new = new.assign(ceiling=1.0, items=None, resolution=0.001, unit=ACCURACY)
    known = pd.concat([facts(raw, TESTED), new], ignore_index=True)
    table = Table.from_wide(frame[~closed], known, "observational-agents")
    excluded = frame.loc[closed, ["run"]].assign(reason=CLOSED).reset_index(drop=True)
    return Table(table.scores, table.runs, table.benchmarks, table.name, excluded)


def extra_files(raw: Path) -> dict[str, str]:
    """Give the scores of the models whose size is not published, which a table cannot hold."""
    frame = wide(raw)
    rows = frame[frame["params"].isna()].melt(
        ["run", "family"], NAMES, var_name="benchmark", value_name="score"
    )
    rows = rows.dropna().sort_values(["run", "benchmark"], kind="stable")
    return {"closed.csv": rows.to_csv(index=False, lineterminator="\n")}
