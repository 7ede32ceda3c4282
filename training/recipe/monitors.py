"""The figures that a recipe's rules can be about, and the check of the table [[monitor]]."""

from __future__ import annotations

from collections.abc import Iterable

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.training.recipe.reward_settings import GUARDS
from dtbench.training.recipe.settings import MonitorRule, Recipe

REWARD_FIGURES = (
    "guard_rate",
    "length_right",
    "length_wrong",
    "right_low_marks",
    "evaluator_minus_embedding",
    "spread_all_right",
    "groups_alike",
)
"""What the rewards of a step say."""
ENGINE_FIGURES = (
    "loss",
    "reward",
    "reward_std",
    "kl",
    "entropy",
    "completion_length",
    "completions_cut",
    "clip_ratio",
    "grad_norm",
    "learning_rate",
    "divergence",
    "seconds",
)
"""What the engine logs of a step."""


def known_figures(recipe: Recipe) -> list[str]:
    """Return every figure that steps of this recipe may have."""
    rewards = dict.fromkeys(name for stage in recipe.stage for name in stage.rewards)
    modules = ("audio_features", "audio_projector", "audio_tower", "language_model", "vision")
    parts: Iterable[tuple[str, Iterable[str]]] = (("reward", rewards), ("guard", GUARDS), ("grad_norm", modules))
    named = [f"{kind}/{name}" for kind, names in parts for name in names]
    dev = [f"dev/{name}" for name in ("reward", *rewards)] if recipe.validation is not None else []
    return [*REWARD_FIGURES, *ENGINE_FIGURES, *named, *dev]


def check_monitors(recipe: Recipe, where: str) -> None:
    """Raise a UserError for a rule about a figure that there is not, or without exactly one limit."""
    known = known_figures(recipe)
    for rule in recipe.monitor:
        if rule.figure not in known:
            raise UserError(f"{where}: monitor: figure = {rule.figure!r}: unknown. {did_you_mean(rule.figure, known)}")
        if (rule.above is None) == (rule.below is None):
            raise UserError(f"{where}: monitor {rule.figure}: either above or below is expected.")


def limit_text(rule: MonitorRule) -> str:
    """Return a rule in words, such as `guard_rate above 0.3`."""
    limit = f"above {rule.above:g}" if rule.above is not None else f"below {rule.below:g}"
    return f"{rule.figure} {limit}"
