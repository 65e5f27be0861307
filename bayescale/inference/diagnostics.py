"""Can the draws be trusted? R-hat, ESS, divergences and energy, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

stats: Any = arviz_stats  # it says it is typed, but its functions are not

POPULATION, GROUP = "population", "group"
# With hundreds of members of groups the largest R-hat of a perfect sampler is near 1.02.
R_HAT_LIMIT = {POPULATION: 1.01, GROUP: 1.02}
R_HAT_BAD = 1.05
ESS_LIMIT, ESS_BAD = 400.0, 100.0
BFMI_LIMIT = 0.3
DIVERGENT_SHARE_BAD = 0.01
SMALLEST_SPREAD = 1e-12


class Verdict(Enum):
    """What may be done with a fit; the value is the message."""

    GOOD = "Good: the chains agree, and there are draws enough for the reported intervals."
    DOUBTFUL = (
        "Doubtful: good enough for a first look; do what is said below before you rely on it."
    )
    BAD = "Bad: do not use these numbers."

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """The sampler's own evidence on a fit.

    `frame` has one row per site (worst of its elements), `elements` one row per scalar that was
    judged. `bfmi` is per chain.
    `sentences` give each reason and what to do next, the gravest first; none when all is well.
    `notes` say what the draws, good or not, owe to the prior.
    """

    verdict: Verdict
    sentences: tuple[str, ...]
    frame: pd.DataFrame
    elements: pd.DataFrame
    bfmi: NDArray[np.float64]
    divergences: int
    chains: int
    draws: int
    notes: tuple[str, ...] = ()

    @property
    def max_r_hat(self) -> float:
        """Largest rank-normalised R-hat of all elements; NaN with one chain."""
        return float(self.elements["r_hat"].max())

    @property
    def min_ess(self) -> float:
        """Smallest bulk or tail effective sample size of all elements."""
        return float(self.elements[["ess_bulk", "ess_tail"]].min().min())

    def to_frame(self) -> pd.DataFrame:
        """Copy of `frame`."""
        return self.frame.copy()

    def __str__(self) -> str:
        least = f"least {self.bfmi.min():.2f}" if self.bfmi.size else "not recorded"
        facts = (
            f"{self.chains} chains x {self.draws} draws, {len(self.elements)} unknowns: "
            f"R-hat at most {self.max_r_hat:.3f}, ESS at least {self.min_ess:.0f}, "
            f"{self.divergences} divergences, energy (BFMI) {least}"
        )
        reasons = [f"  - {text}" for text in self.sentences]
        notes = [f"note: {text}" for text in self.notes]
        return "\n".join([str(self.verdict), *reasons, facts, *notes])

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class Judged:
    """What is judged of the draws: long work, which a fit file keeps.

    Parameters
    ----------
    elements
        A row for each scalar that moves: `site`, `group`, `r_hat`, `ess_bulk`, `ess_tail`,
        `finite`.
    constant
        For each site how many scalars never move.
    """

    elements: pd.DataFrame
    constant: pd.Series


def diagnose(
    posterior: xr.Dataset,
    sample_stats: xr.Dataset,
    groups: Mapping[str, str],
    judged: Judged | None = None,
) -> Diagnosis:
    """Judge the draws of a fit site by site.

    Good means: no divergence; bulk and tail ESS of at least 400; rank-normalised R-hat of at most
    1.01 for population sites and 1.02 for members of groups; BFMI of at least 0.3 in every chain.
    Elements that never move (such as the zeros of a Cholesky factor) are counted and left out.

    Parameters
    ----------
    posterior
        Sites, each with dims (chain, draw, ...).
    sample_stats
        `diverging`, and if recorded `energy`, dims (chain, draw).
    groups
        Site -> "population" or "group" (its elements are members of groups: families, runs,
        benchmarks); a site that is not named is held to the stricter limit of the population.
    judged
        What `judge` gave of these draws, where that is kept.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        A group is neither "population" nor "group", or names a site that does not exist.

    Examples
    --------
    >>> print(diagnose(posterior, sample_stats, {"offset": "group"}))  # doctest: +SKIP
    Good: the chains agree, and there are draws enough for the reported intervals.

    Source: Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021, Bayesian Analysis 16:667;
    Betancourt 2016, arXiv:1604.00695.
    """
    for site, group in groups.items():
        if group not in R_HAT_LIMIT or site not in posterior:
            raise ValueError(f'groups: no site "{site}" of group "{group}"')
    found = judged or judge(posterior, groups)
    elements, constant = found.elements, found.constant
    frame = _per_site(elements, constant, groups)
    divergences = int(sample_stats["diverging"].sum())
    total = int(sample_stats["diverging"].size)
    bfmi = np.array([])
    if "energy" in sample_stats:
        bfmi = np.asarray(stats.bfmi(sample_stats)["energy"], dtype=np.float64)
    findings = [
        *_findings_of_elements(elements, posterior.sizes["chain"]),
        *_findings_of_sampler(divergences, total, bfmi),
    ]
    order = list(Verdict)
    findings.sort(key=lambda finding: -order.index(finding[0]))
    return Diagnosis(
        verdict=findings[0][0] if findings else Verdict.GOOD,
        sentences=tuple(text for _, text in findings),
        frame=frame,
        elements=elements,
        bfmi=bfmi,
        divergences=divergences,
        chains=posterior.sizes["chain"],
        draws=posterior.sizes["draw"],
    )


def largest_r_hat(posterior: xr.Dataset) -> float:
    """Give the largest rank-normalised R-hat of all elements; a third of the cost of `diagnose`.

    Parameters
    ----------
    posterior
        Sites, each with dims (chain, draw, ...).
    """
    moving = [_moving(array)[0] for array in posterior.data_vars.values()]
    return float(_r_hat(_joined(moving)).max())


def _moving(array: xr.DataArray) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draws (chain, draw, element) of the elements that move, and which do."""
    values = array.transpose("chain", "draw", ...)
    flat = values.to_numpy().reshape(*values.shape[:2], -1).astype(np.float64)
    spread = np.ptp(flat, axis=(0, 1))
    # Not `spread > ...`: NaN draws must stay in and be reported.
    moves = ~(spread <= SMALLEST_SPREAD * np.abs(flat).max(axis=(0, 1)))
    return flat[:, :, moves], moves


def _joined(parts: list[NDArray[np.float64]]) -> xr.DataArray:
    return xr.DataArray(np.concatenate(parts, axis=2), dims=("chain", "draw", "element"))


def _r_hat(draws: xr.DataArray) -> NDArray[np.float64]:
    # Chains that are stuck at different values have R-hat infinity, from a division by zero.
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[np.float64] = stats.rhat(draws, method="rank").to_numpy()
    return found


def judge(posterior: xr.Dataset, groups: Mapping[str, str]) -> Judged:
    """Compute what a diagnosis is made from; arguments as of `diagnose`."""
    parts, labels, sites = [], [], []
    constant = {}
    for site, array in posterior.data_vars.items():
        moving, moves = _moving(array)
        constant[str(site)] = int((~moves).sum())
        parts.append(moving)
        named = _labels(array.transpose("chain", "draw", ...))
        labels += [label for label, keep in zip(named, moves, strict=True) if keep]
        sites += [str(site)] * int(moves.sum())
    draws = _joined(parts)
    frame = pd.DataFrame(
        {
            "site": sites,
            "group": [groups.get(site, POPULATION) for site in sites],
            "r_hat": _r_hat(draws),
            "ess_bulk": stats.ess(draws, method="bulk").to_numpy(),
            "ess_tail": stats.ess(draws, method="tail").to_numpy(),
            "finite": np.isfinite(draws.to_numpy()).all(axis=(0, 1)),
        },
        index=pd.Index(labels, name="element", dtype="str"),
    )
    return Judged(frame, pd.Series(constant, dtype=np.int64))


def _labels(array: xr.DataArray) -> list[str]:
    """Names such as `sd[MMLU, 2]`, in the order of the flattened array."""
    names = [str(array.name)]
    coordinates = [
        array[dim].to_numpy() if dim in array.coords else np.arange(array.sizes[dim])
        for dim in array.dims[2:]
    ]
    if not coordinates:
        return names
    grid = pd.MultiIndex.from_product(coordinates)
    return [f"{array.name}[{', '.join(str(part) for part in parts)}]" for parts in grid]


def _per_site(
    elements: pd.DataFrame, constant: pd.Series, groups: Mapping[str, str]
) -> pd.DataFrame:
    """Worst of each site's elements, sites with failing elements first."""
    few = elements[["ess_bulk", "ess_tail"]].min(axis=1) < ESS_LIMIT
    failing = _r_hat_fails(elements) | few | ~elements["finite"]
    by_site = elements.assign(failing=failing).groupby("site", sort=False)
    frame = pd.DataFrame(
        {
            "group": [groups.get(site, POPULATION) for site in constant.index],
            "elements": by_site.size(),
            "constant": constant,
            "failing": by_site["failing"].sum(),
            "r_hat": by_site["r_hat"].max(),
            "ess_bulk": by_site["ess_bulk"].min(),
            "ess_tail": by_site["ess_tail"].min(),
        },
        index=constant.index.rename("site"),
    )
    frame[["elements", "failing"]] = frame[["elements", "failing"]].fillna(0).astype(np.int64)
    return frame.sort_values(["failing", "r_hat"], ascending=False, kind="stable")


def _r_hat_fails(elements: pd.DataFrame) -> pd.Series:
    return elements["r_hat"] > elements["group"].map(R_HAT_LIMIT)


def _findings_of_elements(elements: pd.DataFrame, chains: int) -> list[tuple[Verdict, str]]:
    findings = []
    if broken := list(elements.index[~elements["finite"]]):
        text = (
            f"{len(broken)} unknowns have draws that are not finite, first {broken[0]}. "
            "Look for a prior or an input that lets the density overflow."
        )
        findings.append((Verdict.BAD, text))
    if chains < 2:
        text = "One chain cannot disagree with itself: run at least two chains."
        findings.append((Verdict.DOUBTFUL, text))
    for group, rows in elements[_r_hat_fails(elements)].groupby("group", sort=False):
        largest = rows["r_hat"].max()
        what = "population-level unknowns" if group == POPULATION else "members of groups"
        text = (
            f"The chains disagree: R-hat is above {R_HAT_LIMIT[group]} for {len(rows)} {what}, "
            f"worst {largest:.3f} at {rows['r_hat'].idxmax()}. Run longer "
            "(say warmup=1000, draws=1600); if it stays, the model cannot tell some of its parts "
            "apart on these data."
        )
        findings.append((Verdict.BAD if largest > R_HAT_BAD else Verdict.DOUBTFUL, text))
    ess = elements[["ess_bulk", "ess_tail"]].min(axis=1)
    if (few := ess[ess < ESS_LIMIT]).size:
        text = (
            f"Too few effective draws: ESS is below {ESS_LIMIT:.0f} for {few.size} unknowns, "
            f"least {few.min():.0f} at {few.idxmin()}. "
            f"About {ESS_LIMIT / few.min():.1f} times as many draws would do, once chains agree."
        )
        findings.append((Verdict.BAD if few.min() < ESS_BAD else Verdict.DOUBTFUL, text))
    return findings


def _findings_of_sampler(
    divergences: int, total: int, bfmi: NDArray[np.float64]
) -> list[tuple[Verdict, str]]:
    findings = []
    if divergences:
        share = divergences / total
        text = (
            f"{divergences} of {total} draws diverged ({share:.2%}): the sampler missed a part "
            "of the posterior where it is narrow. Run more warm-up (say warmup=1000); if some "
            "stay, tighten the priors of the spreads in the model's card."
        )
        findings.append((Verdict.BAD if share > DIVERGENT_SHARE_BAD else Verdict.DOUBTFUL, text))
    if (low := bfmi[bfmi < BFMI_LIMIT]).size:
        text = (
            f"Energy (BFMI) is below {BFMI_LIMIT} in {low.size} of {bfmi.size} chains, least "
            f"{low.min():.2f}: the tails were explored slowly. Run more warm-up and draws "
            "(say warmup=1000, draws=1600), or tighten the priors of the spreads in the model's "
            "card."
        )
        findings.append((Verdict.DOUBTFUL, text))
    return findings
