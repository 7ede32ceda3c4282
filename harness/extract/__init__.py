"""The answer out of a text, without guessing."""
