"""The errors that a user can cause: each says what was wrong, what was given, and what to do."""

from __future__ import annotations


class BayescaleError(Exception):
    """Base of every error that BayeScale raises on purpose; its text is meant for the user."""


class TableError(BayescaleError):
    """A table, or a file that holds one, cannot be used as it stands."""


class RecordError(BayescaleError):
    """A bundled record (a card or a table under `data/` or `models/`) is missing or malformed."""


class ModelError(BayescaleError):
    """A model card or a combination of model parts makes no sense."""


class FitError(BayescaleError):
    """A model could not be fitted to a table."""


class FitFileError(BayescaleError):
    """A fit file is truncated, foreign, from a newer version, or cannot be written."""


class PredictError(BayescaleError):
    """A question to a fit names something that the fit does not know."""


class CompareError(BayescaleError):
    """Fits cannot be compared with each other."""


class SplitError(BayescaleError):
    """A split file does not fit its table, or leaves nothing to train on."""


class BacktestError(BayescaleError):
    """A backtest does not say what to hold out, or of which models."""


class AskError(PredictError):
    """A question that this fit cannot answer as it was put."""
