"""Engines that train: each is a process of its own, and knows nothing of recipes, stages or evaluation."""
