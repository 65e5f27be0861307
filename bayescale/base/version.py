"""The version, which fits and reports carry."""

__version__ = "0.1.0"
