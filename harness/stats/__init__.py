"""Intervals and tests, as pure functions."""
