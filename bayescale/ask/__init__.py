"""Questions to a fit, one a file: each gives an `Answer`."""
