"""`contributions`: what a prediction, and the width of its interval, is made of.

A walk from a usual run of the population to the run that is asked about, one step at a time: the
family's level, its size, its data, its own departure, and the noise of a measurement. The steps of
each draw add up to the predicted value, so that their covariances with it are shares of its
variance that add up to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.curve import law_columns, one_benchmark
from bayescale.base.between import Between
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, check_interval, intervals
from bayescale.base.words import percent
from bayescale.inference.posterior import Posterior
from bayescale.models.plan import RUN, TOKENS_UNKNOWN, plan
from bayescale.models.record import group_names
from bayescale.parts.drift import CELL, DRIFT
from bayescale.predict.predict import ask
from bayescale.predict.queries import Asked, query_columns
from bayescale.tables.compute import ACTIVE, COMPUTE, as_read, as_read_by

NOTHING = 1e-9  # a step that small is none
NARROW = -20.0  # log of a spread that is none
NOBODY = "a member that is as the population"
NAMES = {"params": "size", "tokens": "tokens", "flops": "compute", "multiplier": "tokens per param"}
NOISE, POPULATION, SHAPE = "noise", "population", "the law's shape"


def contributions(
    fit: Posterior,
    *,
    benchmark: str | None = None,
    interval: float = 0.9,
    seed: int = 0,
    **query: Any,
) -> Answer:
    """Take a prediction apart: population, family, size, tokens, the law's shape, run, noise.

    A walk from a usual run of the population to the one that is asked about. The steps of each
    draw add up to the predicted value, and their covariances with it are shares of its
    variance: a width budget. A share may be negative, where one step makes good another.

    Parameters
    ----------
    benchmark
        Of what; may be left out where the fit has one response.
    interval, seed
        As of `predict`.
    query
        One query, as in `predict`.

    Returns
    -------
    Answer
        `.frame`: for each part its median and interval, in units of the response, and its
        `share_of_variance`; last the total, a measured value. `.draws`, shape (draw, row).

    Raises
    ------
    AskError
        More than one query, or a benchmark that is not named.

    Examples
    --------
    >>> fit.contributions(benchmark="MMLU", family="mine", params=7e9)  # doctest: +SKIP
    """
    check_interval(interval)
    mark = one_benchmark(fit, benchmark)
    query = {name: value for name, value in query.items() if value is not None}
    column = list(fit.table.benchmarks.index).index(mark)
    asked = ask(fit, None, one=query, seed=seed)
    if len(asked.frame) > 1:
        raise AskError("one query at a time is taken apart: give one value of each input")
    steps = _walk(fit, query, seed, column, asked)
    last = asked.evaluate(seed, one_run=True)
    # Where runs have no departures of their own, the last input leads there already.
    departs = RUN in group_names(fit.model)
    steps[RUN if departs else list(steps)[-1]] = last.expected[:, 0, column]
    values = list(steps.values())
    parts = {
        name: v - before
        for (name, v), before in zip(list(steps.items())[1:], values[:-1], strict=True)
    }
    parts = {next(iter(steps)): values[0], **parts}
    total = last.score[:, 0, column]
    parts[NOISE] = total - values[-1]
    parts = {name: v for name, v in parts.items() if np.abs(v).max() > NOTHING}
    variance = float(np.var(total))
    shares = {n: float(np.cov(v, total, ddof=0)[0, 1] / variance) for n, v in parts.items()}
    draws = np.column_stack([*parts.values(), total])
    frame = pd.DataFrame(
        {"part": [*parts, "total"], "benchmark": mark, **intervals(draws, interval)}
    )
    frame["share_of_variance"] = [*shares.values(), 1.0]
    return Answer(
        question="contributions",
        frame=frame,
        draws=draws,
        sentence=_sentence(frame, shares, mark, interval),
        doubts=asked.doubts,
        interval=interval,
        picture=frame,
        about={"benchmark": mark, "query": {k: str(v) for k, v in query.items()}},
    )


def _without(fit: Posterior, asked: Asked, groups: set[str]) -> Asked:
    """Take the spread out of groups, so that a new member is as the population; and drift."""
    written = plan(fit.model).sites
    narrow = {n for n, site in written.items() if site.kind == "spread" and site.group in groups}
    still = {DRIFT} if CELL in groups else set()
    usual = {**dict.fromkeys(narrow, NARROW), **dict.fromkeys(still, 0.0)}
    sites = {
        name: np.full_like(values, usual[name]) if name in usual else values
        for name, values in asked.layout.sites.items()
    }
    return replace(asked, layout=replace(asked.layout, sites=sites))


def _walk(
    fit: Posterior, query: Mapping[str, Any], seed: int, column: int, asked: Asked
) -> dict[str, Floats]:
    """Give the expected value after each step, in the order of the steps."""
    told = asked.frame.iloc[0].dropna()
    known = {*query_columns(fit.model, fit.table)} - {RUN}  # a run that is named has its own facts
    facts = {name: told[name] for name in told.index if name in known}
    columns = law_columns(fit)
    query = as_read_by(columns, {**facts, **{n: v for n, v in query.items() if n != RUN}})
    groups = sorted({*group_names(fit.model)} - {RUN}, key=lambda name: (name not in query, name))
    shared = {
        rule.group
        for rules in (*fit.model.pooling.values(), [*fit.model.effects.values()])
        for rule in rules
        if rule.spread is not None
    }
    unsaid = {"tokens"} if TOKENS_UNKNOWN in plan(fit.model).sites else set()
    inputs = [n for n in columns if n in query or n in asked.drawn or n in unsaid]
    if {"flops", "multiplier"} & set(columns):
        inputs = [n for n in COMPUTE if n in query]
    usual = _usual(fit, inputs, query)
    flags = {n: v for n, v in query.items() if n not in inputs and n not in groups}
    steps: dict[str, Floats] = {}
    named: dict[str, Any] = {n: query[n] for n in groups if n in query and n not in shared}
    unknown: dict[str, Floats] = {}

    def expected(off: set[str], where: Mapping[str, Any]) -> Floats:
        row = {**flags, **where, **named, **dict.fromkeys(off - {RUN, CELL}, NOBODY)}
        if {ACTIVE, "params"} <= {*told.index} and ACTIVE in flags and "params" in where:
            row[ACTIVE] = where["params"] * told[ACTIVE] / told["params"]
        place = _without(fit, ask(fit, None, one=row, seed=seed), off)
        draws = place.layout.draws
        changed = {n: np.broadcast_to(v, (draws, 1)) for n, v in unknown.items()}
        return place.expected(seed, changed, one_run=True)[:, 0, column]

    off = (shared & {*group_names(fit.model)}) | ({CELL} if fit.model.drift else set())
    steps[POPULATION] = expected(off, usual)
    for group in [g for g in groups if g in shared]:
        off = off - {group}
        if group in query:
            named[group] = query[group]
        steps[group] = expected(off, usual)
    where = dict(usual)
    for name in inputs:
        if name in query:
            where[name] = told[name] if isinstance(query[name], Between) else query[name]
        elif name not in asked.drawn:
            del where[name]  # its prior tells it
        unknown |= {n: asked.drawn[n] for n in (name,) if n in asked.drawn}
        steps[NAMES.get(name, name)] = expected(off, where)
    if fit.model.drift:
        steps[SHAPE] = expected(off - {CELL}, where)
    return steps


def _usual(fit: Posterior, inputs: Sequence[str], query: Mapping[str, Any]) -> dict[str, float]:
    """Give the inputs that a walk starts from: of the runs where members are pinned down."""
    own = runs = fit.table.runs
    for group in {site.group for site in plan(fit.model).told()} - {RUN}:
        own = own[own[group] == query.get(group)]
    found = {}
    for name in inputs:
        values, every = as_read(own, name).dropna(), as_read(runs, name).dropna()
        middle = float(np.exp(np.log(every).mean()))
        found[name] = (
            float(np.exp(np.log(values).mean()))
            if len(values)
            else float(fit.model.reference.get(name, middle))
        )
    return found


def _sentence(frame: pd.DataFrame, shares: Mapping[str, float], mark: str, interval: float) -> str:
    total = frame.iloc[-1]
    ordered = sorted(shares.items(), key=lambda pair: -pair[1])
    parts = [f"{name} {share:.0%}" for name, share in ordered if abs(share) >= 0.005]
    return (
        f"{mark} is {total['median']:.3g} ({percent(interval)} interval "
        f"{total[f'lower_{interval:g}']:.3g} to {total[f'upper_{interval:g}']:.3g}); of the "
        f"variance of a measured value come from {', '.join(parts)}."
    )
