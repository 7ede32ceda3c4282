"""Several trainings of one recipe, by seed and arm: what they prove together, and what they do not."""
