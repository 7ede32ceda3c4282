"""Models as the loop sees them: endpoints, replayed answers, baselines."""
