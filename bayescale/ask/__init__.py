"""Questions to a fit, each mapped over its draws: one file a question."""
