"""Every row of the catalogue, by its number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.catalogue import (
    chinchilla,
    curves,
    leaderboards,
    loss_to_loss,
    mixtures,
    overtraining,
    resources,
    shapes,
)
from benchmarks.catalogue.common import Line

ROWS: Mapping[str, Callable[[], list[Line]]] = {
    "1": chinchilla.row_1,
    "1-time": chinchilla.row_1_time,
    "2": chinchilla.row_2,
    "5": overtraining.row_5,
    "6": overtraining.row_6,
    "7": resources.row_7,
    "8": resources.row_8,
    "9": resources.row_9,
    "10": resources.row_10,
    "11": curves.row_11,
    "12": loss_to_loss.row_12,
    "14": leaderboards.row_14,
    "18": curves.row_18,
    "22": shapes.row_22,
    "24-bimix": mixtures.row_24_bimix,
    "24-mixing": mixtures.row_24_mixing,
}
