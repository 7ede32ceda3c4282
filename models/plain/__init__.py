"""Models without weights: baselines, replayed and scripted answers."""
