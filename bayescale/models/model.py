"""`Model`: the record of a model with what can be asked of it."""

from __future__ import annotations

from bayescale.models import simulate
from bayescale.models.record import ModelRecord


class Model(ModelRecord):  # noqa: D101  # told once, with the fields
    __doc__ = ModelRecord.__doc__

    prior_scores = simulate.prior_scores
