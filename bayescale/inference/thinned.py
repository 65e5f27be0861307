"""Fewer draws of a posterior, evenly spaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def thinned(draws: Mapping[str, Any], most: int, *, chains: int = 1) -> dict[str, Any]:
    """Keep evenly spaced draws.

    Parameters
    ----------
    draws
        Arrays of shape (draw, ...) by name; where there are several chains, one after the other.
    most
        How many to keep, at most.
    chains
        Number of chains; as many are kept of each, and one at least.

    Returns
    -------
    dict
    """
    count = len(next(iter(draws.values()))) // chains
    kept = np.linspace(0, count - 1, min(count, max(most // chains, 1))).astype(int)
    at = (count * np.arange(chains)[:, None] + kept).ravel()
    return {name: values[at] for name, values in draws.items()}
