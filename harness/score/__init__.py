"""From answers to numbers: verdicts, counts, summaries."""
