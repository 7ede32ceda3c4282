"""Extract the answer from a text, without guessing."""
