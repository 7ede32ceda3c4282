"""Rewards for reinforcement learning, as plain functions of rows and completions: what engines call stands here."""

from dtbench.training.data.rows import Row
from dtbench.training.rewards.report import Report
from dtbench.training.rewards.score import Rewards, Scores, check, score
from dtbench.training.rewards.settings import RewardSettings, Template, reward_settings

__all__ = ["Report", "RewardSettings", "Rewards", "Row", "Scores", "Template", "check", "reward_settings", "score"]
