"""`hold_out`: folds by rule (size, family, date, benchmark), and what must not stay in training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.backtesting.splits import Fold, Rule, Split, check_folds
from bayescale.base.errors import SplitError
from bayescale.base.words import quoted, suggest
from bayescale.tables.frames import ACCURACY
from bayescale.tables.table import Table

RULES = ("size", "family", "date", "benchmark")
FOLDS = 10
KEPT_OF_BENCHMARK = 5  # scores that a held-out benchmark keeps: with none, only its prior is asked
TRAJECTORY = "trajectory"  # the column whose members are points read off one training run
SAME_SIZE = 0.1  # how far, in shares of a size, a derivative and the run it comes from may differ
FIRST_SHARE, LAST_SHARE = 1 / 3, 0.9  # of the dated runs, before the first and the last cutoff
Mask = NDArray[np.bool_]


def hold_out(
    table: Table,
    by: str,
    *,
    keep: int | None = None,
    folds: int = FOLDS,
    group: str = "family",
    size: str | None = None,
    cutoffs: tuple[str, ...] = (),
    seed: int = 0,
) -> Split:
    """Divide a table by a rule: what a forecast would not have known is tested.

    A derivative of a held-out run (`lineage`) is never trained on, nor is another point of its
    training run (a column `trajectory`): such rows are dropped.

    Parameters
    ----------
    table
        The table.
    by
        "size": the larger runs of every family at once; "family": families, dealt to folds;
        "date": runs released from a cutoff on, up to the next; "benchmark": each in turn.
    keep
        Of "size": the smallest sizes of each family that are trained on, half of them by default.
        Of "family": those of a held-out family, 0 by default. Of "benchmark": the scores that a
        held-out benchmark keeps, spread over sizes, 5 by default.
    folds
        At most how many folds families are dealt to.
    group
        The column of groups that takes the place of families, such as "corpus".
    size
        The column that tells sizes: by default params in a leaderboard, else flops, params, or the
        first input, whichever every run has.
    cutoffs
        ISO dates; by default the starts of half-years between the first third and the last tenth
        of dated runs.
    seed
        Seed of the dealing.

    Returns
    -------
    Split

    Raises
    ------
    SplitError
        An unknown rule or column, a group that is the only one of its kind, no dates, or a fold
        that would leave nothing to train on or to test.

    Examples
    --------
    >>> import bayescale as bs
    >>> split = bs.hold_out(bs.load_table("open-llm-leaderboard"), "family", keep=1)
    >>> len(split.folds)
    10
    """
    if by not in RULES:
        raise SplitError(f"no rule {by!r}{suggest(by, RULES)}: give one of {', '.join(RULES)}")
    if group not in table.groups:
        raise SplitError(
            f"table {table.name} has no groups {group!r}{suggest(group, table.groups)}; it has "
            f"{quoted(table.groups)}"
        )
    if (keep is not None and keep < 0) or folds < 2:
        raise SplitError(f"keep must be at least 0 and folds at least 2; given: {keep}, {folds}")
    if cutoffs and by != "date":
        raise SplitError(f"cutoffs are dates, of by='date'; given with by={by!r}")
    if keep is not None and by == "date":
        raise SplitError("keep is of sizes or scores; by='date' trains on what came before")
    needed = by in ("size", "family")
    rule = Rule(by, keep, folds, group, size_column(table, size, needed), tuple(cutoffs), seed)
    labelled, notes = {
        "size": _by_size,
        "family": _by_family,
        "date": _by_date,
        "benchmark": _by_benchmark,
    }[by](table, rule)
    made = []
    for label, test in labelled.items():
        train = ~test if by != "date" else _before(table, label)
        own = train  # rows that could tell what is held out
        if by == "benchmark":
            own = train & (table.scores["benchmark"] == label).to_numpy()
        kept = train & ~(own & _tainted(table, test, own))
        made.append(Fold(label, kept, test, 0))
    dropped = sum(int((~fold.train & ~fold.test).sum()) for fold in made)
    if dropped and by != "date":
        notes.append(f"{dropped} rows dropped over all folds: they derive from what is held out")
    name = f"by {by}" if group == "family" else f"by {by} of {group}"
    split = Split(name, tuple(made), notes=tuple(notes), rule=rule)
    check_folds(split, table, f"hold out {name}")
    return split


def size_column(table: Table, size: str | None = None, needed: bool = True) -> str:
    """Choose the column that tells which runs are larger; "" where there is none, nor needed.

    Raises
    ------
    SplitError
        The column is not there, or no input is known of every run and one is needed.
    """
    runs = table.runs
    if size is not None:
        if size not in table.inputs or runs[size].isna().any():
            raise SplitError(
                f"sizes need a number of every run in column {size!r}"
                f"{suggest(size, table.inputs)}; table {table.name} has {quoted(table.inputs)}"
            )
        return size
    leaderboard = (table.benchmarks["unit"] == ACCURACY).all() and table.families != ("all",)
    preferred = ("params",) if leaderboard else ("flops", "params")
    for name in (*preferred, *table.inputs):
        if name in table.inputs and runs[name].notna().all():
            return str(name)
    if not needed:
        return ""
    raise SplitError(f"table {table.name} has no input that is known of every run")


def log_compute(table: Table, split: Split) -> pd.Series:
    """Give the log10 of each run's FLOPs; of the size column where some are not known; else NaN."""
    column = "flops" if table.runs["flops"].notna().all() else ""
    column = column or (split.rule.size if split.rule else size_column(table, needed=False))
    if not column:
        return pd.Series(np.nan, table.runs.index)
    found: pd.Series = np.log10(table.runs[column])
    return found


def size_ranks(table: Table, rule: Rule) -> pd.DataFrame:
    """Rank each run's size within its group: columns `rank`, from 1, and `sizes`, how many."""
    # Sizes that agree to three digits are one: the same budget, or the same model.
    size = np.log10(table.runs[rule.size]).round(3)
    groups = size.groupby(table.runs[rule.group])
    return pd.DataFrame(
        {"rank": groups.rank("dense").astype(int), "sizes": groups.transform("nunique")}
    )


def _of_rows(table: Table, runs: pd.Series) -> Mask:
    """Give each score what is true of its run."""
    found: Mask = runs.loc[table.scores["run"]].to_numpy(bool)
    return found


def _by_size(table: Table, rule: Rule) -> tuple[dict[str, Mask], list[str]]:
    ranks = size_ranks(table, rule)
    kept = np.ceil(ranks["sizes"] / 2) if rule.keep is None else rule.keep
    larger = ranks["rank"] > kept
    return {"larger": _of_rows(table, larger)}, _only_trained(table, rule, larger)


def _by_family(table: Table, rule: Rule) -> tuple[dict[str, Mask], list[str]]:
    held = size_ranks(table, rule)["rank"] > (rule.keep or 0)
    member = table.runs[rule.group]
    count = member[table.scores["run"]][_of_rows(table, held)].value_counts()
    if len(count) == 1 and member.nunique() == 1 and not rule.keep:
        raise SplitError(
            f'"{count.index[0]}" is the only {rule.group} of table {table.name}: without it '
            'nothing is left to train on; keep some of its sizes (keep=1), hold out by "size", or '
            "name another group"
        )
    # Dealt out like cards, relatives one after another: a family seldom shares a fold with the one
    # that it derives from, which would cost it the runs that it keeps.
    lineage = table.runs.groupby(rule.group)["lineage"].first().loc[count.index]
    root = lineage.where(lineage != "", lineage.index.to_series())
    shuffled = np.random.default_rng(rule.seed).permutation(sorted(set(root)))
    place = pd.Series(range(len(shuffled)), index=shuffled)
    dealt = sorted(count.index, key=lambda name: (place[root[name]], name))
    number = min(rule.folds, len(dealt))
    if number == len(dealt):
        dealt = sorted(dealt)
    fold = {name: i % number for i, name in enumerate(dealt)}
    if number == len(dealt):
        names = {i: str(name) for name, i in fold.items()}
    else:
        names = {i: str(i + 1) for i in range(number)}
    labelled = {names[i]: _of_rows(table, held & (member.map(fold) == i)) for i in range(number)}
    return labelled, _only_trained(table, rule, held)


def _only_trained(table: Table, rule: Rule, held: pd.Series) -> list[str]:
    alone = sorted(set(table.runs[rule.group]) - set(table.runs[rule.group][held]))
    if not alone:
        return []
    return [f"only trained on, for want of larger sizes: {rule.group} {quoted(alone)}"]


def _by_date(table: Table, rule: Rule) -> tuple[dict[str, Mask], list[str]]:
    released = table.runs["released"]
    dated = released[released != ""].sort_values()
    if dated.empty:
        raise SplitError(f"no run of table {table.name} has a date: fill the column released")
    cutoffs = sorted(_as_dates(rule.cutoffs)) or _half_years(dated)
    first, last = dated.iloc[0], dated.iloc[-1]
    if outside := [day for day in cutoffs if not first < day <= last]:
        raise SplitError(
            f"nothing is released before, or from, {quoted(outside)}: dates of table {table.name} "
            f"run from {first} to {last}"
        )
    ends = [*cutoffs[1:], "9999"]
    labelled = {
        start: _of_rows(table, (released >= start) & (released < end))
        for start, end in zip(cutoffs, ends, strict=True)
    }
    undated = int((released == "").sum())
    return labelled, [f"{undated} undated runs left out"] if undated else []


def _as_dates(cutoffs: tuple[str, ...]) -> list[str]:
    try:
        return [f"{pd.Timestamp(text):%Y-%m-%d}" for text in cutoffs]
    except ValueError as error:
        raise SplitError(f"a cutoff is no date ({error}): write it as 2024-01-01") from None


def _half_years(dated: pd.Series) -> list[str]:
    first, last = (dated.iloc[int(share * (len(dated) - 1))] for share in (FIRST_SHARE, LAST_SHARE))
    years = range(int(first[:4]), int(last[:4]) + 1)
    starts = [f"{year}-{month}-01" for year in years for month in ("01", "07")]
    return [start for start in starts if first < start <= last] or [last]


def _before(table: Table, cutoff: str) -> Mask:
    released = table.runs["released"]
    return _of_rows(table, (released != "") & (released < cutoff))


def _by_benchmark(table: Table, rule: Rule) -> tuple[dict[str, Mask], list[str]]:
    keep = KEPT_OF_BENCHMARK if rule.keep is None else rule.keep
    if len(table.benchmarks) == 1:
        raise SplitError(
            f"table {table.name} has one benchmark: without it nothing is left to learn from; hold "
            "out by size, family or date"
        )
    scores, runs = table.scores, table.runs
    size = runs[rule.size] if rule.size else pd.Series(1.0, runs.index)
    size = size.loc[scores["run"]].to_numpy()
    # Scores of derivatives would give away those of the runs that they come from.
    first = _of_rows(table, (runs["lineage"] == "") | (runs["lineage"] == runs["family"]))
    labelled = {}
    for name in table.benchmarks.index:
        own = (scores["benchmark"] == name).to_numpy(copy=True)
        able = own & first if (own & first).sum() >= keep else own
        place = np.flatnonzero(able)[np.argsort(size[able], kind="stable")]
        own[place[np.linspace(0, len(place) - 1, min(keep, len(place))).round().astype(int)]] = (
            False
        )
        if own.any():
            labelled[str(name)] = own
    return labelled, [f"{keep} scores of a held-out benchmark are given, spread over sizes"]


def _tainted(table: Table, test: Mask, train: Mask) -> Mask:
    """Find the rows of runs that derive from a held-out run, or share its training run."""
    runs, names = table.runs, table.scores["run"].to_numpy()
    held = pd.Series(runs.index.isin(names[test]), runs.index)
    tainted = pd.Series(False, runs.index)
    if TRAJECTORY in table.groups:
        tainted = runs[TRAJECTORY].isin(runs[TRAJECTORY][held]) & ~held
    trained = pd.Series(runs.index.isin(names[train]), runs.index) & ~held & ~tainted
    while True:
        bases = runs[held | tainted]
        # A name may be both a family's and a run's ("bloom"): then the family is meant.
        of_a_run = ~runs["lineage"].isin(runs["family"])
        new = trained & of_a_run & runs["lineage"].isin(bases.index)
        for base in sorted(set(bases["family"]) & set(runs["lineage"][trained])):
            own = trained & (runs["lineage"] == base) & (runs["family"] != base)
            there = runs.loc[trained & (runs["family"] == base), "params"].to_numpy()
            # Its base is in training where a run of its size is; of any other it may be a copy.
            near = [
                bool((np.abs(there / params - 1) < SAME_SIZE).any())
                for params in runs.loc[own, "params"]
            ]
            new.loc[own[own].index] |= ~np.array(near, bool)
        if not new.any():
            return _of_rows(table, tainted)
        tainted, trained = tainted | new, trained & ~new


def inner(split: Split, fold: Fold, table: Table, folds: int) -> list[tuple[Mask, Mask]]:
    """Divide a fold's training rows as the split divides the table: pairs of train and test.

    What is recalibrated on these pairs has seen nothing of the fold's test rows. Dates before the
    fold's first are cut by half-years, other benchmarks than its own left out in turn, and of
    sizes the larger half, or those above one fewer than the fold keeps. A split file has no rule:
    its pairs are those of sizes.
    """
    rule = split.rule or Rule(
        "size", None, folds, "family", size_column(table, needed=False), (), 0
    )
    places = np.flatnonzero(fold.train)
    small = replace(
        table, scores=table.scores[fold.train].reset_index(drop=True), name="the training rows"
    )
    small = replace(small, runs=table.runs[table.runs.index.isin(small.scores["run"])])
    keep = rule.keep
    if rule.by == "size" and keep is not None:
        keep = max(1, min(keep, int(size_ranks(small, rule)["sizes"].max()) - 1))
    try:
        again = hold_out(
            small,
            rule.by,
            keep=keep,
            folds=folds,
            group=rule.group,
            size=rule.size or None,
            seed=rule.seed,
        )
    except SplitError:
        return []
    pairs = []
    for part in again.folds:
        masks = []
        for chosen in (part.train, part.test):
            mask = np.zeros(len(table.scores), bool)
            mask[places[chosen]] = True
            masks.append(mask)
        pairs.append((masks[0], masks[1]))
    return pairs
