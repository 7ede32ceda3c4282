"""Rewards for reinforcement learning, as plain functions of rows and completions: what engines call stands here."""

from dtbench.training.rewards.report import Report
from dtbench.training.rewards.score import Rewards, Scores, check, score
from dtbench.training.rewards.settings import RewardSettings, Template, reward_settings
from dtbench.training.rows import Row

__all__ = ["Report", "RewardSettings", "Rewards", "Row", "Scores", "Template", "check", "reward_settings", "score"]
