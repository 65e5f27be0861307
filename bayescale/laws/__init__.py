"""Scaling laws: each a pure function, the paper's formula; one file for each structural family."""
