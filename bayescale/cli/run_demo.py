"""`run_demo`: predict the largest models of the leaderboard from the smaller ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import bayescale as bs
from bayescale.base.files import atomic_path
from bayescale.base.intervals import quantiles
from bayescale.tables.table import Table

SIZES = 3  # fewer sizes in a lineage show no trend to continue
NEAR = 0.9  # nominal and true counts of one size differ by less than a tenth
DRAWS = 1600  # without the largest models slopes are known less, and mix more slowly
SHOWN = ("MMLU", "HellaSwag", "GSM8K")
SHOWN_PARAMS = 30e9
PICTURED_BENCHMARK = "MMLU"
PICTURED_FAMILIES = ["llama-2", "pythia", "qwen1.5", "qwen2"]


@dataclass(frozen=True)
class Demo:
    """What the demo found.

    Attributes
    ----------
    verdict
        Whether the sampler can be trusted, in words.
    shown
        One row per larger held-out base model, a column per benchmark: predicted median, 90%
        interval and measured score, in points; a star where the score lies outside.
    headline
        Coverage and mean absolute error over every held-out score.
    written
        The files: the fit, the predictions, the picture.
    """

    verdict: str
    shown: pd.DataFrame
    headline: str
    written: tuple[Path, ...]


def largest_of_each_lineage(table: Table) -> list[str]:
    """Name the runs to hold out: the largest size of each lineage that has three or more sizes.

    A lineage is a family of base models with its chat and instruct versions. These go together:
    a chat version left behind would give its base model away.

    Parameters
    ----------
    table
        A table whose runs have lineages.

    Returns
    -------
    list of str
        Names of runs, in the order of the table.
    """
    params, lineage = table.runs["params"], table.runs["lineage"]
    rounded = params.map(lambda value: float(f"{value:.1g}"))
    sizes = rounded.groupby(lineage).transform("nunique")
    largest = params >= NEAR * params.groupby(lineage).transform("max")
    return [str(run) for run in table.runs.index[(sizes >= SIZES) & largest]]


def run_demo(
    out: Path,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    progress: bool = True,
    tell: Callable[[str], None],
    **settings: Any,
) -> Demo:
    """Fit `skills` to the leaderboard without its largest models, predict them, and keep score.

    Parameters
    ----------
    out
        The folder for `skills.nc`, `predictions.csv` and `fans.png`.
    seed
        Seed of the fit and of the predictions.
    draws
        Draws of each chain.
    progress
        Whether the fit shows its progress.
    tell
        Is told each step in one line.
    **settings
        `chains` and `warmup` of `bayescale.fits`.

    Returns
    -------
    Demo

    Raises
    ------
    BayescaleError
        The folder cannot be written to.

    Examples
    --------
    >>> print(run_demo(Path("bayescale-demo")).headline)    # doctest: +SKIP
    """
    table = bs.load_table("open-llm-leaderboard")
    held_out = largest_of_each_lineage(table)
    rest = table.select(runs=[run for run in table.runs.index if run not in held_out])
    tell(
        f"{table.name}: fitting {len(rest.runs)} runs; {len(held_out)} held out, the largest size "
        f"of each line of models that has {SIZES} or more sizes"
    )
    fit = bs.fit("skills", rest, seed=seed, draws=draws, progress=progress, **settings)
    tell(f"predicting the {len(held_out)} held-out runs")
    predicted = predict_held_out(fit, table.select(runs=held_out), seed)

    written = (out / "skills.nc", out / "predictions.csv", out / "fans.png")
    fit.save(written[0])
    with atomic_path(written[1]) as temporary:
        predicted.to_csv(temporary, index=False)
    _draw(fit, predicted, written[2])
    return Demo(
        verdict=str(fit.summary()),
        shown=shown_frame(predicted),
        headline=headline_of(predicted),
        written=written,
    )


def predict_held_out(fit: bs.Fit, held_out: Table, seed: int) -> pd.DataFrame:
    """Give one row per held-out score: its run, what was measured, median and intervals."""
    runs = held_out.runs.reset_index()
    prediction = fit.predict(
        rows=runs[["family", "params", "params_active", "tokens"]],
        benchmark=list(held_out.benchmarks.index),
        kind="score",
        interval=0.9,
        seed=seed,
    )
    key = ["family", "params", "tokens", "benchmark"]
    levels = {"median": 0.5, "lower_0.9": 0.05, "upper_0.9": 0.95}
    levels |= {"lower_0.5": 0.25, "upper_0.5": 0.75}
    found = quantiles(prediction.draws, list(levels.values()))
    frame = prediction.frame[key].assign(**dict(zip(levels, found, strict=True)))
    measured = held_out.to_frame()[["run", "flops", "instruct", "score", *key]]
    return measured.merge(frame, on=key, validate="one_to_one")


def _inside(predicted: pd.DataFrame, level: str) -> pd.Series:
    return predicted["score"].between(predicted[f"lower_{level}"], predicted[f"upper_{level}"])


def shown_frame(predicted: pd.DataFrame) -> pd.DataFrame:
    points = (100 * predicted.select_dtypes("number")).round()
    star = _inside(predicted, "0.9").map({True: "", False: " *"})
    cells = [
        f"{row.median:.0f} [{row.low:.0f}, {row.high:.0f}] {row.score:.0f}"
        for row in points.rename(columns={"lower_0.9": "low", "upper_0.9": "high"}).itertuples()
    ]
    large = (predicted["params"] >= SHOWN_PARAMS) & ~predicted["instruct"]
    chosen = predicted.assign(cell=cells + star)[large & predicted["benchmark"].isin(SHOWN)]
    wide = chosen.pivot(index=["params", "run"], columns="benchmark", values="cell").fillna("")
    wide = wide.reindex(columns=list(SHOWN), fill_value="").reset_index()
    return wide.rename(columns={"run": "held-out model"})[["held-out model", "params", *SHOWN]]


def headline_of(predicted: pd.DataFrame) -> str:
    error = (predicted["median"] - predicted["score"]).abs().mean()
    return (
        f"Over all {len(predicted)} held-out scores of {predicted['run'].nunique()} models: the "
        f"90% intervals hold {_inside(predicted, '0.9').mean():.0%} and the 50% intervals "
        f"{_inside(predicted, '0.5').mean():.0%}; the median is off by {100 * error:.1f} points "
        "on average."
    )


def _draw(fit: bs.Fit, predicted: pd.DataFrame, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    benchmark, families = PICTURED_BENCHMARK, PICTURED_FAMILIES
    bs.plot_fans(fit, families=families, benchmarks=[benchmark], ax=axes)
    points = predicted[(predicted["benchmark"] == benchmark) & predicted["family"].isin(families)]
    axes.scatter(
        points["flops"], points["score"], marker="*", s=120, color="black", label="held out"
    )
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize="small",
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
