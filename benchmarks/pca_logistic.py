"""The regression of Ruan, Maddison and Hashimoto 2024: principal components, then a logistic curve.

Written from the description of the paper and the settings of its code: missing standard scores are
filled in from one component of the standardised training runs, components are those of the plain
scores, and the curve is fitted by least squares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit

Floats = NDArray[np.float64]

COMPONENTS = 3
MOST_STEPS, SETTLED = 1000, 1e-9  # of filling in
LARGEST_FLOOR = 0.2  # of the curve that has one
SMALL = 0.01  # slope that the fit starts from


def predict(
    x: Floats, y: Floats, asked: Floats, *, chance: float, floor: bool, components: int = COMPONENTS
) -> Floats:
    """Predict a score from standard scores.

    Parameters
    ----------
    x, y
        Standard scores (run, benchmark), NaN where missing, and scores on the task, of the training
        runs.
    asked
        Standard scores of the runs to predict.
    chance
        Score of guessing, where the curve begins.
    floor
        Whether the curve begins at a floor that is fitted, between 0 and 0.2 of the room above
        chance, rather than at chance.
    components
        Number of principal components.
    """
    x, asked = fill(x, asked)
    middle = x.mean(axis=0)
    axes = principal(x - middle, min(components, *x.shape))
    features = np.column_stack([np.ones(len(x)), (x - middle) @ axes])
    target = (y - chance) / (1 - chance)
    width = features.shape[1]

    def curve(free: Floats, features: Floats) -> Floats:
        low = free[width] if floor else 0.0
        result: Floats = low + (1 - low) * expit(features @ free[:width])
        return result

    start = np.concatenate([[0.0], np.full(width - 1, SMALL), np.zeros(int(floor))])
    most = np.concatenate([np.full(width, np.inf), np.full(int(floor), LARGEST_FLOOR)])
    least = np.concatenate([np.full(width, -np.inf), np.zeros(int(floor))])
    free = least_squares(
        lambda free: curve(free, features) - target, start, bounds=(least, most), max_nfev=10_000
    ).x
    wanted = np.column_stack([np.ones(len(asked)), (asked - middle) @ axes])
    return chance + (1 - chance) * curve(free, wanted)


def fill(x: Floats, asked: Floats) -> tuple[Floats, Floats]:
    """Fill in missing scores from one component of the training runs, standardised."""
    middle, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    filled = []
    centre, axis = np.zeros(x.shape[1]), np.zeros((x.shape[1], 1))
    for rows in (x, asked):
        missing = np.isnan(rows)
        scaled = np.where(missing, 0.0, (rows - middle) / spread)
        for _ in range(MOST_STEPS):
            if rows is x:
                centre = scaled.mean(axis=0)
                axis = principal(scaled - centre, 1)
            guess = centre + (scaled - centre) @ axis @ axis.T
            step = np.abs(guess - scaled)[missing].max(initial=0.0)
            scaled[missing] = guess[missing]
            if step < SETTLED:
                break
        filled.append(np.clip(scaled * spread + middle, 0, 1))
    return filled[0], filled[1]


def principal(centred: Floats, number: int) -> Floats:
    """Return the first principal axes of centred rows, shape (benchmark, number)."""
    axes: Floats = np.linalg.svd(centred, full_matrices=False)[2][:number].T
    return axes
