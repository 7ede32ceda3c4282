"""Scoring functions: a question and the text of an answer in, a mark out. Pure, each a few lines."""
