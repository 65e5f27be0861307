"""Laws of one input along a curve."""

from __future__ import annotations

import numpy as np

import bayescale as bs
from bayescale.models.cards import model_of_law
from benchmarks.catalogue.common import Line, at_most, means, of_card, quiet, sampled_well


def row_11() -> list[Line]:
    name = "MBZUAI/LaMini-GPT-124M"
    table = bs.load_table("finetuning").where(task="flan", model=name)
    fit = quiet(model_of_law("rectified"), table)  # alone: there is nothing to pool
    found = means(fit)
    median = np.median(
        fit.predict(rows=table.runs[["examples"]].reset_index(drop=True), kind="mean").draws, 0
    )
    loss = table.scores.set_index("run")["score"].loc[table.runs.index].to_numpy()
    rms = float(np.sqrt((np.log(median / loss) ** 2).mean()))
    other = quiet("power-floor", table, inputs={"x": "examples"}, noise="student-t-log")
    frame = bs.compare({"rectified": fit, "power-floor": other}).loo
    gap = float(frame["rectified"].elpd - frame["power-floor"].elpd)
    law = "rectified"
    return [
        Line(law, "LaMini-GPT-124M, mean beta", 0.455, 0.05, found["beta"]),
        Line(law, "LaMini-GPT-124M, mean E", 1.07, 0.15, found["E"]),
        at_most(law, "LaMini-GPT-124M, RMS log residual", 0.005, rms),
        # Ten nats are a factor of 22,000 in how likely the left-out points were.
        Line(law, "LOO ahead of power-floor, nats", None, None, gap, least=10.0),
        *sampled_well(law, "LaMini-GPT-124M", fit),
    ]


def row_18() -> list[Line]:
    whole = bs.load_table("bnsl-addition")
    fit = of_card("bnsl")
    last = whole.where(training=0)
    rows = last.runs[["examples"]].reset_index(drop=True)
    found = np.median(fit.predict(rows=rows, kind="mean").draws, axis=0)
    loss = last.scores.set_index("run")["score"].loc[last.runs.index].to_numpy()
    return [
        Line("bnsl", "mean d_1", 613.0, None, means(fit)["d_1"]),
        *(
            Line("bnsl", f"loss at {x:g} examples", y, 0.03 * y, got)
            for x, y, got in zip(rows["examples"], loss, found, strict=True)
        ),
        *sampled_well("bnsl", "14 points", fit),
    ]
