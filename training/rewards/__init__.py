"""Rewards for reinforcement learning, as plain functions of rows and completions: what engines call stands here."""

from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards.report import RewardCounts
from dtbench.training.rewards.score import Rewards, Scores, check, score
from dtbench.training.rewards.settings import RewardSettings, Template, reward_settings

__all__ = [
    "RewardCounts",
    "RewardSettings",
    "Rewards",
    "Scores",
    "Template",
    "TrainingRow",
    "check",
    "reward_settings",
    "score",
]
