"""`update`: condition a fit on new runs without a refit.

Each draw of the population proposes its own new members, from where their likelihood lies, and is
weighted by the likelihood that remains once they are integrated out. The weights are smoothed by a
Pareto tail; where that is too heavy, few draws would decide, and the model is fitted again.

Longer than 400 lines: weighing, and putting draws and new members together, is one piece of work.

Source: Vehtari, Simpson, Gelman, Yao and Gabry 2024, JMLR 25:72 (Pareto smoothed importance
sampling); Vehtari et al. 2016, JMLR 17:103 (integrated importance sampling).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats as untyped
from numpy.typing import NDArray

from bayescale.ask.answer import Answer
from bayescale.base.errors import AskError, BayescaleError
from bayescale.base.intervals import Floats, check_interval, intervals
from bayescale.base.words import quoted
from bayescale.inference.evidence import Evidence
from bayescale.inference.labels import to_datasets
from bayescale.inference.marginal import TAKEN, condition_new_members, new_members
from bayescale.inference.posterior import Posterior
from bayescale.inference.run import run
from bayescale.inference.sampler import Draws
from bayescale.models.dates import usual_dates
from bayescale.models.lay_out import fitted_members, lay_out
from bayescale.models.level import reference_place
from bayescale.models.plan import UNKNOWN, plan
from bayescale.parts.drift import CELL, RELEASED
from bayescale.predict.layout import Layout, lay_out_queries
from bayescale.predict.predict import predict
from bayescale.predict.queries import query_columns
from bayescale.tables.compute import as_read
from bayescale.tables.table import Table, grid_positions

array_stats: Any = untyped  # it says it is typed, but its functions are not
REFIT = ("auto", "never", "always")
LEAST_EFFECTIVE = 100.0  # draws that must count
ODD = 0.01  # probability of a measurement so far out, on either side: worth a word
FEW = 20.0  # samples within a draw that must count, in the median


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Draws given new runs: which of the old ones, and a sample of the new members for each."""

    layout: Layout
    chosen: NDArray[np.int_]
    places: Floats
    pareto_k: float
    effective: float
    within: float  # samples within a draw that count, in the median


def update(
    fit: Posterior,
    new: Table,
    *,
    refit: str = "auto",
    interval: float = 0.9,
    seed: int = 0,
    progress: bool = False,
) -> Answer:
    r"""Condition the fit on new runs, such as one small run of a new family.

    .. math:: w_s \propto p(y_{new} \mid \theta_s) = \int p(y_{new} \mid u, \theta_s)\,
              p(u \mid \theta_s)\, du

    Each draw proposes the effects u of the new members from where their likelihood lies, and is
    weighted by it. Where the weights' tail is too heavy, the model is fitted again.

    Parameters
    ----------
    new
        Runs that are not in the fit's table, on benchmarks that are.
    refit
        "auto": where the weights are bad; "never", "always".
    interval
        Probability of the intervals of what was expected.
    seed
        Seed.
    progress
        Whether a refit shows progress.

    Returns
    -------
    Answer
        `.fit`: the fit given them, to be asked like any other; its `evidence` says how.
        `.frame`: each new score beside what the fit expected of it.

    Raises
    ------
    AskError
        The runs are known, or measured on other benchmarks, or lack what the law reads.

    Examples
    --------
    >>> mine = fit.update(bs.read_table("my_small_run.csv")).fit  # doctest: +SKIP

    Source: Vehtari et al. 2016, JMLR 17:103; Vehtari et al. 2024, JMLR 25:72.
    """
    check_interval(interval)
    if refit not in REFIT:
        raise AskError(f"refit must be one of {', '.join(REFIT)}; given: {refit!r}")
    joint = _joined(fit, new)
    if RELEASED in fit.model.drift:
        new = _dated(fit, new)
        joint = _joined(fit, new)
    before = _before(fit, new, interval, seed)
    weighted: _Weighted | None = None
    why = "asked for"
    if refit != "always":
        if fit.model.along is not None:
            why = "its noise goes on along a curve, which weights cannot condition on"
        elif not _same_cells(fit, joint):
            why = "its law drifts, and new runs lie beyond all that it was fitted to"
        else:
            weighted = _weigh(fit, new, seed)
            why = _too_few(weighted)
    again = weighted is None or (bool(why) and refit == "auto")
    if again:
        after, evidence = _fitted_again(fit, new, joint, weighted, why, seed, progress)
    else:
        assert weighted is not None
        after, evidence = _reweighted(fit, new, joint, weighted, why)
    frame, draws = before
    doubts = [] if fit.verdict_ok else [f"the sampler's verdict: {fit.diagnosis.verdict}"]
    odd = frame[(frame["probability_below"] - 0.5).abs() > 0.5 - ODD / 2]
    if len(odd):
        which = quoted([f"{row.run} on {row.benchmark}" for row in odd.itertuples()], most=5)
        doubts.append(
            f"the fit gave {which} a probability below {ODD:g} of being as far out: look at these "
            "measurements, and whether the law holds for their runs"
        )
    return Answer(
        question="update",
        frame=frame,
        draws=draws,
        sentence=_sentence(evidence, new, frame, interval),
        doubts=tuple(doubts),
        interval=interval,
        picture=_picture(fit, after, new, interval, seed),
        about=dataclasses.asdict(evidence),
        fit=after,
    )


def _joined(fit: Posterior, new: Table) -> Table:
    if not isinstance(new, Table):
        raise AskError(f"new evidence is a Table of runs, not {new!r:.60}; read_table reads one")
    unknown = [b for b in new.scores["benchmark"].unique() if b not in fit.table.benchmarks.index]
    if unknown:
        raise AskError(
            f"the fit knows no {quoted(unknown)}: place() finds where a new benchmark stands, "
            "update() takes runs on those that are known"
        )
    try:
        return fit.table.add(new)
    except BayescaleError as error:
        raise AskError(str(error)) from error


def _dated(fit: Posterior, new: Table) -> Table:
    """Give undated new runs the date that a query without one has."""
    dates, usual = new.runs[RELEASED], usual_dates(fit.table, new.runs["family"])
    return dataclasses.replace(
        new, runs=new.runs.assign(**{RELEASED: dates.where(dates != "", usual)})
    )


def _layout(fit: Posterior, new: Table, seed: int) -> Layout:
    """Lay new runs out with their scores."""
    asked = dataclasses.replace(new, benchmarks=fit.table.benchmarks, scores=new.scores.iloc[:0])
    layout = lay_out_queries(fit, asked, {}, seed=seed)
    row, column = grid_positions(dataclasses.replace(new, benchmarks=fit.table.benchmarks))
    at = layout.position[row]
    scores, weights, stderr = (
        np.array(getattr(layout.grid, name)) for name in ("scores", "weights", "stderr")
    )
    scores[at, column], weights[at, column] = new.scores["score"], 1.0
    stderr[at, column] = new.scores["stderr"]
    filled = dataclasses.replace(layout.grid, scores=scores, weights=weights, stderr=stderr)
    return dataclasses.replace(layout, grid=filled)


def _same_cells(fit: Posterior, joint: Table) -> bool:
    """Tell whether drifts are told in the same cells when new runs are added."""
    names = [fitted_members(fit.model, table)[CELL] for table in (fit.table, joint)]
    if not fit.model.drift:
        return True
    before, after = (lay_out(fit.model, table).cells for table in (fit.table, joint))
    edge = np.array(before.from_edge)
    return names[0] == names[1] and np.array_equal(before.edges[edge], after.edges[edge])


def _only_known_cells(layout: Layout) -> Layout:
    """Leave out increments of drifts beyond the fit's data, where no new run is."""
    grid = layout.grid
    known = next((k for name, k, _ in grid.members if name == CELL), 0)
    sizes = tuple((n, k, k if n == CELL else total) for n, k, total in grid.members)
    cut = dataclasses.replace(grid, cells=grid.cells.first(known), members=sizes)
    return dataclasses.replace(layout, grid=cut)


def _weigh(fit: Posterior, new: Table, seed: int) -> _Weighted:
    layout = _only_known_cells(_layout(fit, new, seed))
    found = condition_new_members(fit.model, layout.grid, layout.sites, seed=seed)
    chains, length = (fit.posterior.sizes[name] for name in ("chain", "draw"))
    likelihood = np.exp(found.log_density - found.log_density.max()).reshape(chains, length)
    # Draws of a chain, and more so those that were weighted before, are alike: they count for less.
    alike = float(array_stats.ess(likelihood, chain_axis=0, draw_axis=1, method="mean"))
    share = min(alike / likelihood.size, 1.0) if np.isfinite(alike) else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        smoothed, k = array_stats.psislw(-found.log_density, r_eff=share)
    weights = np.exp(np.asarray(smoothed)).reshape(chains, length)
    weights = weights / weights.sum(axis=1, keepdims=True)
    # Systematic, chain by chain: each draw is kept in proportion to its weight, in their order.
    offsets = np.random.default_rng(seed).uniform(size=chains)
    chosen = np.concatenate(
        [
            chain * length + _kept(own, offset)
            for chain, (own, offset) in enumerate(zip(weights, offsets, strict=True))
        ]
    )
    # A draw that is kept several times has different new members each time.
    copy = np.arange(len(chosen)) - np.searchsorted(chosen, chosen)
    return _Weighted(
        layout,
        chosen,
        found.places[chosen, copy % TAKEN],
        float(k),
        float(share * chains**2 / np.sum(weights**2)),
        float(np.median(found.effective)),
    )


def _kept(weights: Floats, offset: float) -> NDArray[np.int_]:
    """Choose as many draws as there are, each in proportion to its weight, in their order."""
    places = (np.arange(len(weights)) + offset) / len(weights)
    return np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)


def _new_places(
    fit: Posterior, layout: Layout, new: Table, joint: Table
) -> dict[str, dict[str, Floats]]:
    """Say where members of the layout are told once the new runs belong to them."""
    anchors = list(fit.model.anchors(fit.table).values())
    whole = lay_out(fit.model, joint, anchors=anchors).middle
    names = fitted_members(fit.model, joint)
    found = {}
    for group in whole:
        _, total = layout.grid.counts(group)
        found[group] = {k: np.full(total, v) for k, v in reference_place(fit.model).items()}
        for name, place in _places(layout, new, group).items():
            for column, values in found[group].items():
                mean = whole[group][column][names[group].index(name)]
                values[place] = values[place] if np.isnan(mean) else mean
    return found


def _new_holders(
    fit: Posterior, layout: Layout, new: Table, joint: Table
) -> dict[str, dict[str, NDArray[np.int_]]]:
    """Say which members of other groups then hold those that have new runs."""
    anchors = list(fit.model.anchors(fit.table).values())
    whole = lay_out(fit.model, joint, anchors=anchors).within
    names = fitted_members(fit.model, joint)
    found: dict[str, dict[str, NDArray[np.int_]]] = {}
    for group, others in whole.items():
        _, total = layout.grid.counts(group)
        found[group] = {other: np.full(total, -1) for other in others}
        for other, holder in others.items():
            there = _places(layout, new, other)
            for name, place in _places(layout, new, group).items():
                held = holder[names[group].index(name)]
                if held >= 0:
                    found[group][other][place] = there[names[other][held]]
    return found


def _places(layout: Layout, new: Table, group: str) -> dict[str, int]:
    """Give the place in the layout of each member that has new runs."""
    index = np.asarray(layout.grid.groups[group])[layout.position]
    return {str(name): int(at) for name, at in zip(new.runs[group], index, strict=True)}


def _too_few(weighted: _Weighted) -> str:
    """Say why the weights cannot be used; nothing where they can."""
    count = len(weighted.chosen)
    good = min(1 - 1 / np.log10(count), 0.7)
    if not weighted.pareto_k < good:
        return f"Pareto k is {weighted.pareto_k:.2f}, above {good:.2f}"
    if weighted.effective < LEAST_EFFECTIVE:
        return f"only {weighted.effective:.0f} draws would count"
    if weighted.within < FEW:
        return "the new members' own effects are hard to integrate out"
    return ""


def _fitted_again(
    fit: Posterior,
    new: Table,
    joint: Table,
    weighted: _Weighted | None,
    why: str,
    seed: int,
    progress: bool,
) -> tuple[Posterior, Evidence]:
    sizes = fit.posterior.sizes
    after = run(
        type(fit),
        fit.model,
        joint,
        seed=seed,
        chains=sizes["chain"],
        draws=sizes["draw"],
        progress=progress,
    )
    evidence = Evidence(
        runs=tuple(map(str, new.runs.index)),
        scores=new.n_rows,
        how="refitted",
        why=why,
        pareto_k=weighted.pareto_k if weighted else None,
        effective=weighted.effective if weighted else None,
    )
    # A fit of all scores owes nothing to how earlier ones had been taken in.
    return dataclasses.replace(after, evidence=(evidence,)), evidence


def _reweighted(
    fit: Posterior, new: Table, joint: Table, weighted: _Weighted, why: str
) -> tuple[Posterior, Evidence]:
    sites = _joint_sites(fit, new, joint, weighted)
    sizes = fit.posterior.sizes
    shape = (sizes["chain"], sizes["draw"])
    drawn = Draws(
        {name: values.reshape(*shape, *values.shape[1:]) for name, values in sites.items()},
        {},
        None,  # type: ignore[arg-type]  # weights have no chain to go on with
    )
    posterior, _ = to_datasets(fit.model, joint, drawn)
    evidence = Evidence(
        runs=tuple(map(str, new.runs.index)),
        scores=new.n_rows,
        how="reweighted",
        why=why,
        pareto_k=weighted.pareto_k,
        effective=weighted.effective,
    )
    after = dataclasses.replace(
        fit,
        table=joint,
        posterior=posterior,
        stored_log_likelihood=None,
        stored_judged=None,
        evidence=(*fit.evidence, evidence),
    )
    return after, evidence


def _joint_sites(
    fit: Posterior, new: Table, joint: Table, weighted: _Weighted
) -> dict[str, Floats]:
    """Put the draws that were chosen and their new members together, in the joint table's order."""
    layout, chosen = weighted.layout, weighted.chosen
    values, levels = new_members(
        fit.model,
        layout.grid,
        {name: old[chosen] for name, old in layout.sites.items()},
        weighted.places,
        (_new_places(fit, layout, new, joint), _new_holders(fit, layout, new, joint))
        if layout.grid.middle
        else None,
    )
    written, sites = plan(fit.model), fit.sites()
    members = written.members
    before, after, added = (fitted_members(fit.model, t) for t in (fit.table, joint, new))
    found: dict[str, Floats] = {}
    fresh_of = {written.new[name].name for name in values if written.new[name].group != CELL}
    for name in sites.keys() | fresh_of:
        empty = np.zeros((len(chosen), 0))
        kept = sites[name][chosen].astype(float) if name in sites else empty
        fresh = values.get(members[name].new) if name in members else None
        if fresh is not None:
            group = members[name].group
            names = [m for m in added[group] if group == UNKNOWN or m not in before[group]]
            whole = np.concatenate([kept, fresh[:, : len(names)]], axis=1)
            order = [*before[group], *names]
            kept = whole[:, [order.index(member) for member in after[group]]]
        found[name] = kept
    # Members that have new runs are told at another place.
    for name, moved in levels.items():
        group = members[name].group
        for member, place in _places(layout, new, group).items():
            found[name][:, after[group].index(member)] = moved[:, place]
    return found


def _before(fit: Posterior, new: Table, interval: float, seed: int) -> tuple[pd.DataFrame, Floats]:
    """Say what the fit expected of the new scores, and how far off it was."""
    prediction = predict(fit, _rows(fit, new), kind="score", interval=interval, seed=seed)
    marks = list(fit.table.benchmarks.index)
    row, column = grid_positions(dataclasses.replace(new, benchmarks=fit.table.benchmarks))
    draws = prediction.draws[:, row * len(marks) + column]
    observed = new.scores["score"].to_numpy(float)
    frame = new.scores[["run", "benchmark"]].reset_index(drop=True)
    frame["observed"] = observed
    expected = {f"expected_{k}": v for k, v in intervals(draws, interval).items()}
    frame = frame.assign(**expected)
    below = (draws < observed).mean(axis=0) + 0.5 * (draws == observed).mean(axis=0)
    frame["probability_below"] = below
    return frame, draws


def _rows(fit: Posterior, new: Table) -> pd.DataFrame:
    """Describe new runs as queries."""
    asked = new.runs.assign(tokens=as_read(new.runs, "tokens"))
    known = [name for name in asked if name in query_columns(fit.model, fit.table)]
    return asked[known].dropna(axis="columns", how="all").reset_index(drop=True)


def _sentence(evidence: Evidence, new: Table, frame: pd.DataFrame, interval: float) -> str:
    low, high = frame[f"expected_lower_{interval:g}"], frame[f"expected_upper_{interval:g}"]
    outside = int(((frame["observed"] < low) | (frame["observed"] > high)).sum())
    surprise = f"{outside} of {len(frame)} lay outside the {interval:.0%} interval expected of them"
    return f"{evidence} {surprise[0].upper()}{surprise[1:]}." if new.n_rows else str(evidence)


def _picture(
    fit: Posterior, after: Posterior, new: Table, interval: float, seed: int
) -> pd.DataFrame:
    """Give what the new runs would be measured at on every benchmark, before and after."""
    marks = list(fit.table.benchmarks.index)
    names = np.repeat([str(run) for run in new.runs.index], len(marks))
    parts = []
    for when, one in (("before", fit), ("after", after)):
        # `predict` would judge all draws of the new fit first, longer work than all else.
        layout = _layout(one, new, seed)
        draws = layout.evaluate(seed).score.reshape(layout.draws, -1)
        summary = pd.DataFrame({"benchmark": marks * len(new.runs), "when": when, "run": names})
        parts.append(summary.assign(**intervals(draws, interval)))
    return pd.concat(parts, ignore_index=True)
