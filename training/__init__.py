"""Reinforcement learning on an existing engine: rewards, data, stages, recipes."""
