"""How a window of adaptation tells the metric of the next: recipes that say what they need.

A recipe names, by the arguments of its function, what it reads of a window; the sampler checks that
before it compiles, and owns the windows and the step size. One more recipe is a function of one's
own, in any file: `compile_program(model, grid, recipe=Recipe(function, "dense"))`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayescale.base.intervals import Floats

TINY = 1e-300
METRIC_RANGE = (1e-10, 1e10)
MANY = 12  # draws for each unknown from which their covariance is the better metric
RIDGE = 1e-5  # keeps a direction that no draw has moved along
DENSE_UP_TO = 64  # a law's unknowns up to which the metric learns their correlations
DENSE_WITH_DRIFT = 512  # increments follow every change of the law, and each other


@dataclass(frozen=True)
class Recipe:
    """One way to learn a metric (NumPyro's inverse mass) from a window of adaptation.

    Parameters
    ----------
    learn
        The function; its arguments are what it needs, each of shape (draw, unknown), the draws of
        all chains together.
    provides
        Whether it gives the metric's diagonal, shape (unknown,), or the whole matrix.
    """

    learn: Callable[..., Floats]
    provides: Literal["diagonal", "dense"]

    @property
    def needs(self) -> tuple[str, ...]:
        """What of a window it reads: the names of its function's arguments."""
        return tuple(inspect.signature(self.learn).parameters)

    def from_diagonal(self, values: Floats) -> Floats:
        """Give a diagonal metric the shape of those that this recipe provides."""
        return np.diag(values) if self.provides == "dense" else values


def diagonal(positions: Floats, gradients: Floats) -> Floats:
    """Divide the spread of the positions by that of the gradients.

    Exact for a Gaussian with independent elements however few the draws, and the geometric mean
    of variance and inverse curvature otherwise (Seyboldt, Carlson, Carpenter 2026, the adaptation
    of nutpie).
    """
    ratio = positions.std(axis=0) / np.maximum(gradients.std(axis=0), TINY)
    metric: Floats = np.clip(ratio, *METRIC_RANGE)
    return metric


def covariance(positions: Floats) -> Floats:
    """Take the draws' covariance, its correlations shrunk towards none.

    The few coefficients of a law are nearly collinear (floor with exponent, say), and a few hundred
    draws tell how, curved ridges included.
    """
    count, dims = positions.shape
    found = np.cov(positions, rowvar=False).reshape(dims, dims)
    independent = np.diag(np.clip(np.diag(found), *METRIC_RANGE))
    metric: Floats = (count * found + dims * independent) / (count + dims)
    return metric


def between(positions: Floats, gradients: Floats) -> Floats:
    r"""Take the geometric mean of the draws' covariance and the inverse of the gradients'.

    For :math:`M = C_x \mathbin{\#} C_g^{-1}` the covariance of the gradients, carried over by M,
    is that of the draws: :math:`M C_g M = C_x`. Exact for any Gaussian as soon as draws span the
    space: few of them tell a narrow ridge, where shrinking their covariance would lose it.
    """
    scale = np.sqrt(diagonal(positions, gradients))
    ridge = RIDGE * np.eye(len(scale))
    of_draws = np.cov(positions / scale, rowvar=False).reshape(ridge.shape) + ridge
    of_gradients = np.cov(gradients * scale, rowvar=False).reshape(ridge.shape) + ridge
    root, inverse = _power(of_gradients, 0.5), _power(of_gradients, -0.5)
    middle = inverse @ _power(root @ of_draws @ root, 0.5) @ inverse
    return scale[:, None] * (middle + middle.T) / 2 * scale


def dense(positions: Floats, gradients: Floats) -> Floats:
    """Take the draws' covariance where they are many, and gradients too where they are few."""
    count, dims = positions.shape
    return covariance(positions) if count >= MANY * dims else between(positions, gradients)


def _power(matrix: Floats, exponent: float) -> Floats:
    """Power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    found: Floats = (vectors * np.maximum(values, TINY) ** exponent) @ vectors.T
    return found


DIAGONAL = Recipe(diagonal, "diagonal")
COVARIANCE = Recipe(covariance, "dense")
BETWEEN = Recipe(between, "dense")
DENSE = Recipe(dense, "dense")


def recipe_for(*, of_law: bool, unknowns: int, drifts: bool = False) -> Recipe:
    """Give the recipe of fits: correlations are worth learning where a law has few unknowns."""
    most = DENSE_WITH_DRIFT if drifts else DENSE_UP_TO
    return DENSE if of_law and unknowns <= most else DIAGONAL
