"""Runs, samples, flips and summaries as tables with typed columns."""
