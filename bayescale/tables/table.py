"""`Table`: observed scores in long form, with what is known of their runs and benchmarks.

Longer than 400 lines for the docstrings of one value's public methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.base.errors import TableError
from bayescale.base.files import atomic_path
from bayescale.base.words import quoted, suggest
from bayescale.tables import frames
from bayescale.tables.series import clean_series, join_series, no_series
from bayescale.tables.validation import Source, fail, unknown_names, where

MOE_REASON = "mixture of experts without params_active: its training compute is unknown"
IN_MEMORY = Source()


def _no_exclusions() -> pd.DataFrame:
    return pd.DataFrame({"run": [], "reason": []}, dtype="str")


@dataclass(frozen=True, eq=False)
class Table:
    """Scores of runs on benchmarks, checked, in long form: a missing score is a missing row.

    A benchmark is whatever was measured, and its unit tells the scale: an "accuracy" lies in
    [0, 1]; a score of any other unit, such as a loss in "nats/token", is any finite number. A table
    with an accuracy is a leaderboard, whose runs need a family, params and tokens.

    Make one with `read_table`, `load_table`, `Table.from_long`, `Table.from_wide` or
    `Table.from_runs`; these check everything and report all problems at once.

    Parameters
    ----------
    scores
        One row per (run, benchmark): `run`, `benchmark`, `score` (float64), `stderr` (float64, NaN
        where not known); ordered as `runs`, then as `benchmarks`.
    runs
        Indexed by `run`: `family` ("all" where there are none), `params` (total count),
        `params_convention`, `params_active` (NaN unless a mixture of experts), `tokens`, `flops`,
        `released` (ISO date or ""), `lineage`, `instruct` (bool); then columns of the table's own:
        numbers are inputs, text is groups. Numbers are float64, NaN where unknown.
    benchmarks
        Indexed by `benchmark`: `chance`, `ceiling`, `items` (NaN where unknown, and where the unit
        is no accuracy), `resolution` (rounding step of the published score, 0 for none), `unit`.
    name
        What messages and pictures call the table.
    excluded
        `run` and `reason` of runs that a rule left out.
    series
        Curves that runs refer to by name, such as learning-rate schedules: `series` (name), `step`
        (increasing along each) and `value`, both float64.
    """

    scores: pd.DataFrame
    runs: pd.DataFrame
    benchmarks: pd.DataFrame
    name: str = "table"
    excluded: pd.DataFrame = field(default_factory=_no_exclusions)
    series: pd.DataFrame = field(default_factory=no_series)

    @classmethod
    def from_long(
        cls,
        scores: pd.DataFrame,
        runs: pd.DataFrame,
        benchmarks: pd.DataFrame | None = None,
        name: str = "table",
        *,
        excluded: pd.DataFrame | None = None,
        series: pd.DataFrame | None = None,
        source: Source | Sequence[Source] = IN_MEMORY,
    ) -> Table:
        """Check three frames and make a table of them.

        FLOPs that are not given become 6 * (active or total params) * tokens.

        Parameters
        ----------
        scores
            Columns `run`, `benchmark`, `score` and optionally `stderr`.
        runs
            Columns (or index) `run`, and for a leaderboard `family`, `params`, `tokens`; optional
            the others of `Table.runs`, and further columns: numbers and bools become inputs, text
            groups. In a leaderboard, runs that `moe` (bool) marks need `params_active` or are
            excluded.
        benchmarks
            Columns (or index) `benchmark`, optional the others; None takes the names from
            `scores`, accuracies with chance 0 and ceiling 1.
        name
            The table's name.
        excluded
            Runs left out before, with their reasons.
        series
            Curves that runs refer to by name: columns `series`, `step`, `value`.
        source
            Where the frames came from, for messages: one, or one for each (scores, runs,
            benchmarks, series).

        Returns
        -------
        Table

        Raises
        ------
        TableError
            Anything is wrong; the message lists every problem with its rows.

        Examples
        --------
        >>> scores = pd.DataFrame({"run": ["a"], "benchmark": ["MMLU"], "score": [0.6]})
        >>> runs = pd.DataFrame({"run": ["a"], "family": ["f"], "params": [7e9], "tokens": [2e12]})
        >>> float(Table.from_long(scores, runs).runs.loc["a", "flops"])
        8.4e+22
        """
        sources = (source,) * 4 if isinstance(source, Source) else tuple(source)
        leaderboard = frames.is_leaderboard(benchmarks)
        runs, problems = frames.clean_runs(_with_column(runs, "run"), sources[1], leaderboard)
        scores, more = frames.clean_scores(scores, sources[0])
        problems += more
        if benchmarks is None and "benchmark" in scores.columns:
            benchmarks = pd.DataFrame({"benchmark": scores["benchmark"].unique()})
        if benchmarks is not None:
            benchmarks, more = frames.clean_benchmarks(
                _with_column(benchmarks, "benchmark"), sources[2]
            )
            problems += more + frames.range_problems(scores, benchmarks, sources[0])
            for column, known in (("run", runs), ("benchmark", benchmarks)):
                if column in scores.columns and column in known.columns:
                    problems += unknown_names(scores, column, known[column], sources[0])
            if "benchmark" in benchmarks.columns:
                problems += frames.name_clashes(runs, benchmarks["benchmark"], sources[1])
        series, more = (no_series(), []) if series is None else clean_series(series, sources[-1])
        fail(problems + more)
        assert benchmarks is not None  # a scores frame without a benchmark column has failed

        excluded = _no_exclusions() if excluded is None else excluded
        if leaderboard:
            scores, runs, new = _without_unknown_compute(scores, runs, sources[1])
            if len(new):
                excluded = pd.concat([excluded, new], ignore_index=True)
        if "flops" not in set(benchmarks["benchmark"]):
            used = runs["params_active"].fillna(runs["params"])
            runs["flops"] = runs["flops"].fillna(6.0 * used * runs["tokens"])
        runs = runs.set_index("run")
        benchmarks = benchmarks.set_index("benchmark")[list(frames.BENCHMARK_DEFAULTS)]
        scores = _ordered(scores, runs, benchmarks)
        return cls(scores, runs, benchmarks, name, excluded, series)

    @classmethod
    def from_wide(
        cls,
        frame: pd.DataFrame,
        benchmarks: pd.DataFrame | None = None,
        name: str = "table",
        *,
        source: Source = IN_MEMORY,
    ) -> Table:
        """Check a frame with one row per run and one column per benchmark, and make a table.

        Parameters
        ----------
        frame
            Column (or index) `run`, the run columns of `from_long`, one column of scores for each
            benchmark (empty where not tested), optionally one named `<benchmark>_stderr`. Other
            columns of text are groups; where some cells are empty they are notes, and left out.
        benchmarks
            Known benchmarks; None takes every other numeric column for a benchmark.
        name
            The table's name.
        source
            Where the frame came from, for messages.

        Returns
        -------
        Table

        Raises
        ------
        TableError
            Anything is wrong, a column of numbers that is no known benchmark included.

        Examples
        --------
        >>> row = {"run": ["a"], "family": ["f"], "params": [7e9], "tokens": [2e12], "MMLU": [0.6]}
        >>> Table.from_wide(pd.DataFrame(row)).n_rows
        1
        """
        frame = _with_column(frame, "run")
        known = None if benchmarks is None else _with_column(benchmarks, "benchmark")
        chosen, problems = frames.score_columns(frame, known, source)
        fail(problems)
        told = [*chosen, *(column + frames.STDERR_SUFFIX for column in chosen)]
        left = [column for column in frame.columns if column not in told]
        standard = [column for column in left if column in frames.RUN_INPUTS]
        groups = frames.filled_columns(frame, [c for c in left if c not in standard])
        scores = frames.long_scores(frame, chosen)
        return cls.from_long(scores, frame[standard + groups], benchmarks, name, source=source)

    @classmethod
    def from_runs(
        cls,
        frame: pd.DataFrame,
        response: str | Sequence[str] = "loss",
        *,
        units: Mapping[str, str] | None = None,
        name: str = "table",
        series: pd.DataFrame | None = None,
        source: Source = IN_MEMORY,
    ) -> Table:
        """Check a frame with one row per measurement of a run, and make a table.

        Parameters
        ----------
        frame
            One or several columns of responses (empty where not measured), optionally of their
            standard errors, `<response>_stderr`, and `run` (or the index), unique; without it, rows
            are called 1, 2, ... All other columns describe the runs: numbers and bools are inputs,
            text is groups.
        response
            The column, or the columns, that were measured.
        units
            Unit of each response; "nats/token" for those that are not named.
        name
            The table's name.
        series
            Curves that runs refer to by name: columns `series`, `step`, `value`.
        source
            Where the frame came from, for messages.

        Returns
        -------
        Table

        Raises
        ------
        TableError
            A response is missing, or anything else is wrong; the message lists every problem.

        Examples
        --------
        >>> frame = pd.DataFrame({"params": [1e6, 4e6], "lr": [0.01, 0.02], "loss": [4.1, 3.7]})
        >>> Table.from_runs(frame).inputs
        ('params', 'lr')
        """
        responses = [response] if isinstance(response, str) else list(dict.fromkeys(response))
        scores, runs, benchmarks, problems = frames.split_responses(
            _with_column(frame, "run"), responses, units or {}, source
        )
        fail(problems)
        if "family" not in runs.columns:
            runs = runs.assign(family=frames.ONE_FAMILY)
        return cls.from_long(scores, runs, benchmarks, name, series=series, source=source)

    @property
    def n_rows(self) -> int:
        """Number of scores."""
        return len(self.scores)

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the families, sorted."""
        return tuple(sorted(self.runs["family"].unique()))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns of runs that are numbers, at least one of them known."""
        numbers = self.runs.select_dtypes("float64")
        return tuple(numbers.columns[numbers.notna().any()])

    @property
    def groups(self) -> tuple[str, ...]:
        """Columns of runs whose words are groups: `family`, and the table's own."""
        own = self.runs.columns.difference(frames.RUN_COLUMNS, sort=False)
        return ("family", *self.runs[own].select_dtypes(exclude="float64").columns)

    def to_frame(self) -> pd.DataFrame:
        """Join scores, runs and benchmarks into one long frame, one row per score."""
        return self.scores.join(self.runs, on="run").join(self.benchmarks, on="benchmark")

    def to_wide(self) -> pd.DataFrame:
        """Return one row per run: the run columns, then one column of scores per benchmark."""
        # A response may be what other tables have as a column of runs, such as params.
        wide = self.runs.drop(columns=self.benchmarks.index, errors="ignore")
        for value, suffix in (("score", ""), ("stderr", frames.STDERR_SUFFIX)):
            part = self.scores.pivot(index="run", columns="benchmark", values=value)
            part = part.reindex(index=self.runs.index, columns=self.benchmarks.index)
            if value == "stderr":
                part = part.dropna(axis="columns", how="all")
            wide = wide.join(part.add_suffix(suffix).rename_axis(columns=None))
        return wide

    def select(
        self,
        benchmarks: Iterable[str] | None = None,
        runs: Iterable[str] | None = None,
        families: Iterable[str] | None = None,
    ) -> Table:
        """Keep the named benchmarks, runs and families; runs left without a score go too.

        All series are kept.

        Parameters
        ----------
        benchmarks, runs, families
            Names to keep, each None for all. The table's order is kept.

        Returns
        -------
        Table

        Raises
        ------
        TableError
            A name is not in the table, or nothing is left.

        Examples
        --------
        >>> load_table("sloth-2024").select(benchmarks=["MMLU"]).n_rows  # doctest: +SKIP
        160
        """
        kept_runs, kept_benchmarks = self.runs, self.benchmarks
        if benchmarks is not None:
            names = _known("benchmark", benchmarks, self.benchmarks.index)
            kept_benchmarks = kept_benchmarks[kept_benchmarks.index.isin(names)]
        if runs is not None:
            kept_runs = kept_runs[kept_runs.index.isin(_known("run", runs, self.runs.index))]
        if families is not None:
            names = _known("family", families, self.families)
            kept_runs = kept_runs[kept_runs["family"].isin(names)]
        scores = self.scores[
            self.scores["run"].isin(kept_runs.index)
            & self.scores["benchmark"].isin(kept_benchmarks.index)
        ].reset_index(drop=True)
        if scores.empty:
            raise TableError(f"table {self.name}: no score is left by this selection")
        kept_runs = kept_runs[kept_runs.index.isin(scores["run"])]
        return replace(self, scores=scores, runs=kept_runs, benchmarks=kept_benchmarks)

    def where(self, **chosen: object) -> Table:
        """Keep the runs of given members of groups, or of given values of inputs.

        Parameters
        ----------
        chosen
            For columns of runs, a value or a list of values.

        Returns
        -------
        Table

        Raises
        ------
        TableError
            A column or a member of a group is not in the table, or nothing is left.

        Examples
        --------
        >>> load_table("overtraining").where(corpus=["c4", "redpajama"])  # doctest: +SKIP
        """
        keep = pd.Series(True, index=self.runs.index)
        for column, wanted in chosen.items():
            _known("column", [column], [*self.groups, *self.inputs])
            values = wanted if isinstance(wanted, list | tuple | set) else [wanted]
            if column in self.groups:
                _known(column, map(str, values), self.runs[column].unique())
            keep &= self.runs[column].isin(list(values))
        return self.select(runs=self.runs.index[keep])

    def add(self, other: Table) -> Table:
        """Join the runs of another table; the benchmarks' facts stay those of this table.

        Parameters
        ----------
        other
            For instance your own small models, on benchmarks that this table knows. Its runs need
            the groups of this table; inputs that one of the two lacks are unknown there, and groups
            that this table lacks are left out.

        Returns
        -------
        Table

        Raises
        ------
        TableError
            A run is in both tables; a benchmark of `other` is not in this one, or has another unit;
            a column is a group in one and an input in the other; a group is missing in `other`; a
            name stands for two series.

        Examples
        --------
        >>> table.add(read_table("my_runs.csv", benchmarks=table.benchmarks))  # doctest: +SKIP
        """
        problems = _why_not_together(self, other)
        series, curves = join_series(self.series, other.series)
        if curves:
            problems.append(f"series {quoted(curves)} differ between them; rename the new ones")
        fail([f"cannot add {other.name} to {self.name}: {problem}" for problem in problems])
        columns = [c for c in other.runs.columns if c in self.runs.columns or c in other.inputs]
        runs = pd.concat([self.runs, other.runs[columns]])
        scores = pd.concat([self.scores, other.scores])
        excluded = pd.concat([self.excluded, other.excluded], ignore_index=True)
        scores = _ordered(scores, runs, self.benchmarks)
        return Table(scores, runs, self.benchmarks, self.name, excluded, series)

    def doubts(self) -> list[str]:
        """Say in words what makes a fit of this table weak, though the table is valid."""
        doubts = []
        if len(self.families) == 1 and self.families != (frames.ONE_FAMILY,):
            doubts.append(
                f'table {self.name} has one family only ("{self.families[0]}"): the spread between '
                "families comes from the prior, and predictions for other families with it"
            )
        for benchmark, scores in self.scores.groupby("benchmark", sort=False)["score"]:
            if len(scores) == 1:
                doubts.append(f'benchmark "{benchmark}" has one score only: its curve is the prior')
            elif scores.nunique() == 1:
                doubts.append(
                    f'benchmark "{benchmark}": all {len(scores)} scores equal {scores.iloc[0]:g}; '
                    "check the file"
                )
        empty = self.benchmarks.index.difference(self.scores["benchmark"], sort=False)
        if len(empty):
            doubts.append(f"no score on benchmark {quoted(empty)}")
        silent = self.runs.index.difference(self.scores["run"], sort=False)
        if len(silent):
            doubts.append(f"no score of run {quoted(silent)}")
        return doubts

    def to_csv(self, folder: str | Path) -> None:
        """Write `runs.csv`, `scores.csv`, `benchmarks.csv` (`excluded.csv`, `series.csv`).

        CSV has no types: a group whose members all look like numbers is read back as an input.
        """
        folder = Path(folder)
        _write(folder / "runs.csv", self.runs.reset_index())
        _write(folder / "scores.csv", self.scores)
        _write(folder / "benchmarks.csv", self.benchmarks.reset_index())
        for name, frame in (("excluded", self.excluded), ("series", self.series)):
            if len(frame):
                _write(folder / f"{name}.csv", frame)
            else:  # one of an earlier table would be read with this one
                (folder / f"{name}.csv").unlink(missing_ok=True)

    def to_parquet(self, path: str | Path) -> None:
        """Write one Parquet file: the joined long frame; runs and benchmarks without scores too."""
        tested = self.scores
        runs = self.runs[~self.runs.index.isin(tested["run"])].reset_index()
        benchmarks = self.benchmarks[~self.benchmarks.index.isin(tested.benchmark)].reset_index()
        frame = pd.concat([self.to_frame(), runs, benchmarks], ignore_index=True)
        # pandas keeps `attrs` in the file's metadata.
        frame.attrs = {
            "name": self.name,
            "runs": list(self.runs.index),
            "benchmarks": list(self.benchmarks.index),
            "excluded": self.excluded.to_dict("records"),
            "series": self.series.to_dict("list"),
        }
        _write(Path(path), frame)


def group_columns(table: Table) -> tuple[str, ...]:
    """List the columns of runs that a coefficient may be pooled over."""
    return (*table.groups, *frames.WORDS)


def only_members(table: Table, group: str) -> pd.Series:
    """Give, by family, the member of a group that all its runs are in, where there is one."""
    runs = {"family": table.runs["family"], "member": table.runs[group].astype(str)}
    pairs = pd.DataFrame(runs).drop_duplicates()
    return pairs[~pairs["family"].duplicated(keep=False)].set_index("family")["member"]


def members(table: Table, group: str) -> list[str]:
    """List the members of a group, sorted."""
    return sorted(table.runs[group].astype(str).unique())


def grid_positions(table: Table) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the grid row and column of each score of a table."""
    row = pd.Index(table.runs.index).get_indexer(table.scores["run"])
    column = pd.Index(table.benchmarks.index).get_indexer(table.scores["benchmark"])
    return row, column


def _with_column(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.reset_index() if frame.index.name == column else frame


def _known(kind: str, names: Iterable[str], known: Iterable[str]) -> list[str]:
    names, known = list(names), list(known)
    among = set(known)
    fail(
        [
            f'no {kind} "{name}" in the table{suggest(name, known)}'
            for name in names
            if name not in among
        ]
    )
    return names


def _why_not_together(one: Table, other: Table) -> list[str]:
    """Say why the runs of one table cannot stand in another."""
    problems = []
    clash = [run for run in other.runs.index if run in one.runs.index]
    if clash:
        problems.append(f"both have run {quoted(clash)}; rename the new ones")
    known = one.benchmarks.index
    units = [table.benchmarks["unit"] for table in (one, other)]
    for benchmark in other.scores["benchmark"].unique():
        if benchmark not in known:
            problems.append(
                f'unknown benchmark "{benchmark}"{suggest(benchmark, known)}; '
                f"known: {quoted(known, most=15)}"
            )
        elif units[0][benchmark] != units[1][benchmark]:
            problems.append(
                f'benchmark "{benchmark}" is in "{units[1][benchmark]}" in {other.name} and in '
                f'"{units[0][benchmark]}" in {one.name}'
            )
    lacking = [group for group in one.groups if group not in other.runs.columns]
    if lacking:
        problems.append(f"the runs of {other.name} need column {quoted(lacking)}, a group each")
    mixed = [
        column
        for column in other.runs.columns.intersection(one.runs.columns)
        if (column in one.groups) != (column in other.groups)
    ]
    if mixed:
        problems.append(f"column {quoted(mixed)} is numbers in one of them and words in the other")
    both = [column for column in other.inputs if column in known]
    if both:
        problems.append(f"{quoted(both)} is a benchmark in one and a column of runs in the other")
    return problems


def _without_unknown_compute(
    scores: pd.DataFrame, runs: pd.DataFrame, source: Source
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Leave out mixtures of experts without active params; also say which and why."""
    dropped = runs[frames.MOE_COLUMN] & runs["params_active"].isna()
    new = pd.DataFrame({"run": runs.loc[dropped, "run"], "reason": MOE_REASON})
    scores = scores[~scores["run"].isin(new["run"])]
    if scores.empty:
        raise TableError(
            source.problem(
                'column "params_active": is empty for mixtures of experts, and without '
                f"these runs no score is left; fill it in: {where(runs, dropped, source)}"
            )
        )
    return scores, runs[~dropped].drop(columns=frames.MOE_COLUMN), new


def _ordered(scores: pd.DataFrame, runs: pd.DataFrame, benchmarks: pd.DataFrame) -> pd.DataFrame:
    """Order scores as the runs, then as the benchmarks, so that equal tables are equal frames."""
    order = pd.DataFrame(
        {
            "run": runs.index.get_indexer(scores["run"]),
            "benchmark": benchmarks.index.get_indexer(scores["benchmark"]),
        }
    ).sort_values(["run", "benchmark"])
    return scores[list(frames.SCORE_COLUMNS)].iloc[order.index].reset_index(drop=True)


def _write(path: Path, frame: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False, lineterminator="\n")
        else:
            frame.to_parquet(temporary, index=False)
