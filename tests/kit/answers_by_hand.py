"""Answers made by hand, one or more of each question: what pictures of answers are tried on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer

LOW, HIGH = "lower_0.9", "upper_0.9"
ALONG = np.geomspace(1e18, 1e26, 9)


def made(question: str, frame: pd.DataFrame, picture: pd.DataFrame, **about: Any) -> Answer:
    draws = np.zeros((4, len(frame)))
    return Answer(
        question=question, frame=frame, draws=draws, sentence="", picture=picture, about=about
    )


def around(middle: Any, factor: float, before: str = "") -> dict[str, Any]:
    return {
        f"{before}median": middle,
        f"{before}{LOW}": np.asarray(middle) / factor,
        f"{before}{HIGH}": np.asarray(middle) * factor,
    }


def required(never: float = 0.2, asked: float = 0.6, enough: float = 4e10) -> Answer:
    sizes = np.geomspace(1e9, 1e11, 21)
    share = (1 - never) * np.linspace(0, 1, 21)
    row = {"quantity": "params", "benchmark": "MMLU", "target": 0.8, "probability": asked}
    row |= {"enough": enough, "median": 2e10, LOW: 3e9, HIGH: np.inf, "never": never}
    picture = pd.DataFrame({"params": sizes, "probability": share})
    about = {"want": "params", "target": 0.8, "benchmark": "MMLU"}
    return made("required", pd.DataFrame([row]), picture, **about)


def exceed(benchmarks: int = 2, rivals: tuple[str, ...] = ("a-7b", "0.5", "all of them")) -> Answer:
    rows = [(f"mark_{i}", rival) for i in range(benchmarks) for rival in rivals]
    frame = pd.DataFrame(rows, columns=["benchmark", "rival"])
    frame["probability"] = np.linspace(1.0, 0.0, len(rows))
    return made("exceed", frame, frame, kind="score")


def allocate(rival: dict[str, float] | None = None, more: tuple[str, ...] = ()) -> Answer:
    budgets = np.geomspace(1e20, 1e24, 9)
    values = {"params": 1e10, "tokens": 2e11, **dict.fromkeys(more, 3e-4)}
    values |= {"tokens_per_param": 20.0, "loss": 2.0}
    grown = {name: value * (budgets / 1e22) ** 0.4 for name, value in values.items()}
    picture = pd.concat(
        pd.DataFrame({"budget": budgets, "quantity": name, **around(line, 1.2)})
        for name, line in grown.items()
    )
    frame = pd.DataFrame({"quantity": list(values), **around(np.array([*values.values()]), 1.2)})
    about: dict[str, Any] = {"budget": 1e22}
    if rival is not None:
        chosen = {"params": 5e9, "tokens": 4e11, "tokens_per_param": 80.0}
        frame["rival"] = [chosen.get(name, np.nan) for name in values]
        about["rival"] = rival
    return made("allocate", frame, picture, **about)


def curves() -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame({"of": name, "flops": ALONG, **around(end + 3 * (ALONG / 1e18) ** -0.2, 1.02)})
        for name, end in (("web", 1.7), ("code", 1.8))
    )


def crossing(middle: float = 1e20, high: float = 1e22, never: float = 0.03) -> Answer:
    row = {"a": "web", "b": "code", "along": "flops", "benchmark": "loss", "median": middle}
    row |= {LOW: 1e19, HIGH: high, "never": never, "from": 1e18, "to": 1e28}
    return made("crossing", pd.DataFrame([row]), curves(), along="flops", benchmark="loss")


def gain(middle: float = 10.0, high: float = 100.0, never: float = 0.0) -> Answer:
    row = {"a": "web", "b": "code", "along": "flops", "benchmark": "loss", "at": 1e22}
    row |= {"gain_median": middle, f"gain_{LOW}": 2.0, f"gain_{HIGH}": high, "never": never}
    about = {"along": "flops", "benchmark": "loss", "at": 1e22}
    return made("gain", pd.DataFrame([row]), curves(), **about)


def elasticity(benchmarks: int = 1, sign: float = 1.0, factor: float = 2.0) -> Answer:
    names = ["params", "tokens", "params and tokens"]
    rows = [(name, f"mark_{i}") for i in range(benchmarks) for name in names]
    frame = pd.DataFrame(rows, columns=["input", "benchmark"])
    change = sign * np.linspace(0.02, 0.08, len(frame))
    spread = {f"change_{LOW}": change - 0.01, f"change_{HIGH}": change + 0.01}
    frame = frame.assign(change_median=change, **spread)
    return made("elasticity", frame, frame, factor=factor)


def contributions() -> Answer:
    parts = ["population", "family", "size", "noise", "total"]
    middle = np.array([0.5, 0.2, -0.05, 0.0, 0.64])
    frame = pd.DataFrame({"part": parts, "benchmark": "MMLU", "median": middle})
    frame = frame.assign(**{LOW: middle - 0.02, HIGH: middle + 0.02})
    frame["share_of_variance"] = [0.3, 0.9, -0.3, 0.1, 1.0]
    return made("contributions", frame, frame, benchmark="MMLU")


def update(runs: int = 1, benchmarks: int = 4) -> Answer:
    names, marks = [f"run-{i}" for i in range(runs)], [f"mark-{i}" for i in range(benchmarks)]
    pairs = pd.MultiIndex.from_product([names, marks], names=["run", "benchmark"]).to_frame(False)
    middle = np.linspace(0.3, 0.7, len(pairs))
    picture = pd.concat(
        pairs.assign(when=when, **around(middle + shift, factor))
        for when, shift, factor in (("before", 0.0, 1.3), ("after", 0.05, 1.1))
    )
    observed = pairs.assign(observed=middle + 0.1).iloc[::2]
    return made("update", observed.reset_index(drop=True), picture)


def place(runs: int = 12) -> Answer:
    middle = np.linspace(0.2, 0.8, runs)  # the worst first: the picture is to turn it round
    frame = pd.DataFrame({"run": [f"run-{i}" for i in range(runs)], "benchmark": "new_mark"})
    frame["observed"] = np.where(np.arange(runs) % 5 == 0, middle + 0.02, np.nan)
    return made("place", frame := frame.assign(**around(middle, 1.1)), frame)


def next_run(chosen: tuple[int, ...] = (0, 2, 0, 1)) -> Answer:
    frame = pd.DataFrame({"params": [1e8, 1e9, 1e9, 1e10], "tokens": 1e11})
    frame["corpus"] = ["c4", "web", "c4", "web"]
    frame["cost"] = 6 * frame["params"] * frame["tokens"]
    frame = frame.assign(reduction=[0.1, 0.25, 0.2, 0.4], rank=[4, 2, 3, 1], chosen=chosen)
    return made("next_run", frame, frame[["cost", "reduction", "chosen"]])


EXAMPLES: dict[str, Answer] = {
    "required": required(),
    "required, no amount": required(asked=0.9, enough=np.inf),
    "exceed": exceed(),
    "exceed, many": exceed(5),
    "exceed, one rival": exceed(5, ("a-7b",)),
    "allocate": allocate({"tokens_per_param": 80.0}),
    "allocate, more inputs": allocate({"params": 5e9}, ("learning_rate", "batch")),
    "crossing": crossing(),
    "crossing, never": crossing(np.inf, np.inf, 0.8),
    "gain": gain(),
    "gain, never": gain(np.inf, np.inf, 0.7),
    "elasticity": elasticity(),
    "elasticity, many": elasticity(5, -1.0),
    "contributions": contributions(),
    "update": update(),
    "update, many runs": update(9, 1),
    "place": place(),
    "place, many": place(150),
    "next_run": next_run(),
}
