"""WAIC from the pointwise log likelihood (ArviZ no longer has it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescale.backtesting.scores import log_score

P_WAIC_LIMIT = 0.4
Variance = Literal["n-1", "n"]


@dataclass(frozen=True)
class Waic:
    """WAIC on the log scale: larger is better; it predicts one more row like those seen.

    `pointwise` and `p_pointwise` have shape (row,) and sum to `elpd` and `p`; `se` is the standard
    error of `elpd`; `warning` is a sentence, empty when no row's p_waic is above 0.4.
    """

    elpd: float
    se: float
    p: float
    pointwise: NDArray[np.float64]
    p_pointwise: NDArray[np.float64]
    samples: int
    warning: str

    @property
    def above_limit(self) -> int:
        """Number of rows whose p_waic is above 0.4."""
        return int(np.sum(self.p_pointwise > P_WAIC_LIMIT))

    def __str__(self) -> str:
        head = (
            f"elpd_waic {self.elpd:.2f} (se {self.se:.2f}), p_waic {self.p:.2f}, "
            f"from {self.samples} samples and {self.pointwise.size} rows"
        )
        return f"{head}\n{self.warning}".rstrip()


def waic(log_lik: ArrayLike, variance: Variance = "n-1") -> Waic:
    r"""Widely applicable information criterion of a matrix of pointwise log likelihoods.

    ``elpd_waic = sum_i [ log mean_s p(y_i | s) - var_s log p(y_i | s) ]``.

    Parameters
    ----------
    log_lik
        Log likelihood of each row under each posterior sample, shape (sample, row), in nats.
    variance
        Divisor of both variances (over samples in p_waic, over rows in the standard error):
        "n-1", as in the code of the source, or "n", as in ArviZ up to 0.23.

    Returns
    -------
    Waic

    Raises
    ------
    ValueError
        When the matrix is not (sample, row) with two samples and two rows, or not finite.

    Examples
    --------
    >>> waic([[-1.0, -2.0], [-1.0, -2.0]]).elpd
    -3.0

    Source: Gelman, Hwang and Vehtari 2014, Statistics and Computing 24:997, eq. 11 to 13; the
    limit of 0.4 is from Vehtari, Gelman and Gabry 2017, Statistics and Computing 27:1413.
    """
    if variance not in ("n-1", "n"):
        raise ValueError(f'variance must be "n-1" or "n", got {variance!r}')
    values = np.asarray(log_lik, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(
            f"log_lik must have shape (sample, row), at least (2, 2), got {values.shape}"
        )
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values).all(axis=0))
        raise ValueError(f"log_lik is not finite in rows {bad[:10].tolist()}")
    ddof = 1 if variance == "n-1" else 0
    rows = values.shape[1]
    p_pointwise = np.var(values, axis=0, ddof=ddof)
    pointwise = log_score(values) - p_pointwise
    above = int(np.sum(p_pointwise > P_WAIC_LIMIT))
    return Waic(
        elpd=float(pointwise.sum()),
        se=float(np.sqrt(rows * np.var(pointwise, ddof=ddof))),
        p=float(p_pointwise.sum()),
        pointwise=pointwise,
        p_pointwise=p_pointwise,
        samples=values.shape[0],
        warning=(
            f"p_waic is above {P_WAIC_LIMIT} in {above} of {rows} rows: WAIC is unreliable there; "
            "trust LOO, or leave those rows out exactly by refitting."
            if above
            else ""
        ),
    )
