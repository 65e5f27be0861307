"""`Table`: observed scores in long form, with what is known of their runs and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bayescale import validation as check
from bayescale.errors import TableError
from bayescale.files import atomic_path
from bayescale.validation import Source, fail

MOE_REASON = "mixture of experts without params_active: its training compute is unknown"
IN_MEMORY = Source()


def _no_exclusions() -> pd.DataFrame:
    return pd.DataFrame({"run": [], "reason": []}, dtype="str")


@dataclass(frozen=True, eq=False)
class Table:
    """Scores of runs on benchmarks, checked, in long form: a missing score is a missing row.

    Make one with `read_table`, `load_table`, `Table.from_long` or `Table.from_wide`; these check
    everything and report all problems at once.

    Parameters
    ----------
    scores
        One row per (run, benchmark): `run`, `benchmark`, `score` (float64 in [0, 1]), `stderr`
        (float64, NaN where not known); ordered as `runs`, then as `benchmarks`.
    runs
        Indexed by `run`: `family`, `params` (total count), `params_convention`, `params_active`
        (NaN unless a mixture of experts), `tokens` (NaN where unknown), `flops`, `released`
        (ISO date or ""), `lineage`, `instruct` (bool). Counts are float64.
    benchmarks
        Indexed by `benchmark`: `chance`, `ceiling`, `items` (NaN where unknown), `resolution`
        (rounding step of the published score, 0 for none), `unit`.
    name
        What messages and pictures call the table.
    excluded
        `run` and `reason` of runs that a rule left out.
    """

    scores: pd.DataFrame
    runs: pd.DataFrame
    benchmarks: pd.DataFrame
    name: str = "table"
    excluded: pd.DataFrame = field(default_factory=_no_exclusions)

    @classmethod
    def from_long(
        cls,
        scores: pd.DataFrame,
        runs: pd.DataFrame,
        benchmarks: pd.DataFrame | None = None,
        name: str = "table",
        *,
        excluded: pd.DataFrame | None = None,
        source: Source | Sequence[Source] = IN_MEMORY,
    ) -> Table:
        """Check three frames and make a table of them.

        FLOPs that are not given become 6 * (active or total params) * tokens.

        Parameters
        ----------
        scores
            Columns `run`, `benchmark`, `score` and optionally `stderr`.
        runs
            Columns (or index) `run`, and `family`, `params`, `tokens`; optional the others of
            `Table.runs`, and `moe` (bool): such runs need `params_active` or are excluded.
        benchmarks
            Columns (or index) `benchmark`, optional the others; None takes the names from
            `scores` with chance 0 and ceiling 1.
        name
            The table's name.
        excluded
            Runs left out before, with their reasons.
        source
            Where the frames came from, for messages: one, or three (scores, runs, benchmarks).

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
        sources = (source,) * 3 if isinstance(source, Source) else tuple(source)
        runs, problems = check.clean_runs(_with_column(runs, "run"), sources[1])
        scores, more = check.clean_scores(scores, sources[0])
        problems += more
        if benchmarks is None and "benchmark" in scores.columns:
            benchmarks = pd.DataFrame({"benchmark": scores["benchmark"].unique()})
        if benchmarks is not None:
            benchmarks, more = check.clean_benchmarks(
                _with_column(benchmarks, "benchmark"), sources[2]
            )
            problems += more
            for column, known in (("run", runs), ("benchmark", benchmarks)):
                if column in scores.columns and column in known.columns:
                    problems += check.unknown_names(scores, column, known[column], sources[0])
        fail(problems)
        assert benchmarks is not None  # a scores frame without a benchmark column has failed

        excluded = _no_exclusions() if excluded is None else excluded
        dropped = runs[check.MOE_COLUMN] & runs["params_active"].isna()
        if dropped.any():
            new = pd.DataFrame({"run": runs.loc[dropped, "run"], "reason": MOE_REASON})
            excluded = pd.concat([excluded, new], ignore_index=True)
            scores = scores[~scores["run"].isin(new["run"])]
            if scores.empty:
                rows = check.where(runs, dropped, sources[1])
                raise TableError(
                    sources[1].problem(
                        'column "params_active": is empty for mixtures of experts, and without '
                        f"these runs no score is left; fill it in: {rows}"
                    )
                )
            runs = runs[~dropped]
        used = runs["params_active"].fillna(runs["params"])
        runs["flops"] = runs["flops"].fillna(6.0 * used * runs["tokens"])
        runs = runs.set_index("run")[list(check.RUN_COLUMNS)]
        benchmarks = benchmarks.set_index("benchmark")[list(check.BENCHMARK_DEFAULTS)]
        return cls(_ordered(scores, runs, benchmarks), runs, benchmarks, name, excluded)

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
            benchmark (empty where not tested), optionally one named `<benchmark>_stderr`.
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
        known = None
        if benchmarks is not None:
            known = list(_with_column(benchmarks, "benchmark")["benchmark"])
        chosen, problems = check.score_columns(frame, known, source)
        fail(problems)
        parts = []
        for column in chosen:
            part = pd.DataFrame({"run": frame["run"], "benchmark": column, "score": frame[column]})
            spread = column + check.STDERR_SUFFIX
            part["stderr"] = frame[spread] if spread in frame.columns else float("nan")
            parts.append(part)
        runs = frame[[column for column in check.RUN_INPUTS if column in frame.columns]]
        return cls.from_long(pd.concat(parts), runs, benchmarks, name, source=source)

    @property
    def n_rows(self) -> int:
        """Number of scores."""
        return len(self.scores)

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the families, sorted."""
        return tuple(sorted(self.runs["family"].unique()))

    def to_frame(self) -> pd.DataFrame:
        """Join scores, runs and benchmarks into one long frame, one row per score."""
        return self.scores.join(self.runs, on="run").join(self.benchmarks, on="benchmark")

    def to_wide(self) -> pd.DataFrame:
        """Return one row per run: the run columns, then one column of scores per benchmark."""
        wide = self.runs
        for value, suffix in (("score", ""), ("stderr", check.STDERR_SUFFIX)):
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
        return Table(scores, kept_runs, kept_benchmarks, self.name, self.excluded)

    def add(self, other: Table) -> Table:
        """Join the runs of another table; the benchmarks' facts stay those of this table.

        Parameters
        ----------
        other
            For instance your own small models, on benchmarks that this table knows.

        Returns
        -------
        Table

        Raises
        ------
        TableError
            A run is in both tables, or a benchmark of `other` is not in this one.

        Examples
        --------
        >>> table.add(read_table("my_runs.csv", benchmarks=table.benchmarks))  # doctest: +SKIP
        """
        problems = []
        clash = [run for run in other.runs.index if run in self.runs.index]
        if clash:
            problems.append(
                f"cannot add {other.name} to {self.name}: both have run {check.quoted(clash)}; "
                "rename the new ones"
            )
        problems += [
            f'cannot add {other.name} to {self.name}: unknown benchmark "{benchmark}"'
            f"{check.suggest(benchmark, self.benchmarks.index)}; "
            f"known: {check.quoted(self.benchmarks.index, most=15)}"
            for benchmark in other.scores["benchmark"].unique()
            if benchmark not in self.benchmarks.index
        ]
        fail(problems)
        runs = pd.concat([self.runs, other.runs])
        scores = pd.concat([self.scores, other.scores])
        excluded = pd.concat([self.excluded, other.excluded], ignore_index=True)
        scores = _ordered(scores, runs, self.benchmarks)
        return Table(scores, runs, self.benchmarks, self.name, excluded)

    def doubts(self) -> list[str]:
        """Say in words what makes a fit of this table weak, though the table is valid."""
        doubts = []
        if len(self.families) == 1:
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
        empty = [name for name in self.benchmarks.index if name not in set(self.scores.benchmark)]
        if empty:
            doubts.append(f"no score on benchmark {check.quoted(empty)}")
        silent = [run for run in self.runs.index if run not in set(self.scores["run"])]
        if silent:
            doubts.append(f"no score of run {check.quoted(silent)}")
        return doubts

    def to_csv(self, folder: str | Path) -> None:
        """Write `runs.csv`, `scores.csv`, `benchmarks.csv` (and `excluded.csv`) into a folder."""
        folder = Path(folder)
        frames = {
            "runs": self.runs.reset_index(),
            "scores": self.scores,
            "benchmarks": self.benchmarks.reset_index(),
        }
        if len(self.excluded):
            frames["excluded"] = self.excluded
        else:  # one of an earlier table would be read with this one
            (folder / "excluded.csv").unlink(missing_ok=True)
        for stem, frame in frames.items():
            _write(folder / f"{stem}.csv", frame)

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
        }
        _write(Path(path), frame)


def _with_column(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.reset_index() if frame.index.name == column else frame


def _known(kind: str, names: Iterable[str], known: Iterable[str]) -> list[str]:
    names, known = list(names), list(known)
    fail(
        [
            f'no {kind} "{name}" in the table{check.suggest(name, known)}'
            for name in names
            if name not in known
        ]
    )
    return names


def _ordered(scores: pd.DataFrame, runs: pd.DataFrame, benchmarks: pd.DataFrame) -> pd.DataFrame:
    """Order scores as the runs, then as the benchmarks, so that equal tables are equal frames."""
    order = pd.DataFrame(
        {
            "run": runs.index.get_indexer(scores["run"]),
            "benchmark": benchmarks.index.get_indexer(scores["benchmark"]),
        }
    ).sort_values(["run", "benchmark"])
    return scores[list(check.SCORE_COLUMNS)].iloc[order.index].reset_index(drop=True)


def _write(path: Path, frame: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False, lineterminator="\n")
        else:
            frame.to_parquet(temporary, index=False)
