"""Rewards for reinforcement learning: what engines and stages import."""

from dtbench.training.data.rows import TrainingRow
from dtbench.training.recipe.reward_settings import RewardSettings, Template, reward_settings
from dtbench.training.rewards.counts import RewardCounts
from dtbench.training.rewards.scoring import Rewards, Scores, check_reward_names

__all__ = [
    "RewardCounts",
    "RewardSettings",
    "Rewards",
    "Scores",
    "Template",
    "TrainingRow",
    "check_reward_names",
    "reward_settings",
]
