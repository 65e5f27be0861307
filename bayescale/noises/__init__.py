"""Noises: the distribution of a measured score around its expected value."""
