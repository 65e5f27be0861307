"""Pictures of answers: one file a question, by its name, with a function `draw`."""
