"""What is refused before anything starts: found later, it would have cost the evaluation of the base, and so hours."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.tasks import registry as task_registry
from dtbench.training.data.sources import split_of
from dtbench.training.recipe.recipe import Recipe, StageRecipe
from dtbench.training.rewards import RewardSettings, check_reward_names, reward_settings
from dtbench.training.rewards import packaged_model as packaged
from dtbench.training.rewards.packaged_model import PACKAGE, split_package_name
from dtbench.training.rewards.settings import NGRAMS
from dtbench.training.stages.prepare import rows_of_stage

NEAR = ("evaluator", "embedding", "hybrid")
"""Rewards that ask how near two chains are as texts; the first of them where the evaluator fails."""


def check_rewards(recipe: Recipe) -> None:
    """A UserError for rewards that there are not, or that lack what they need; no network is asked."""
    settings = reward_settings(recipe.rewards)
    for stage in recipe.stage:
        try:
            check_reward_names(list(stage.rewards), settings)
        except UserError as error:
            raise UserError(f"stage {stage.name}: {error}") from None
    if settings.task:
        task_registry.get_task(settings.task)
    if _may_be_meant(NGRAMS, settings.embedding):
        raise UserError(
            f"rewards: embedding = {settings.embedding!r}: unknown. {did_you_mean(settings.embedding, [NGRAMS])}"
        )


def check_place(recipe: Recipe, place: Path) -> None:
    """A UserError where the engine's environment lacks the package of the recipe's embedding."""
    settings = reward_settings(recipe.rewards)
    if not _is_model(settings) or not any(name in NEAR for stage in recipe.stage for name in stage.rewards):
        return
    wanted: dict[str, tuple[str, ...]] = {"sentence-transformers": ("sentence_transformers",)}
    if settings.embedding.startswith(PACKAGE):
        package, inside = split_package_name(settings.embedding)
        wanted[f"the model {package}/{inside}"] = (package, inside)
    search = Path(packaged.__file__).read_text(encoding="utf-8")
    for what, arguments in wanted.items():
        asked = [str(place / "bin" / "python"), "-c", search, *arguments]
        if subprocess.run(asked, check=False, capture_output=True).returncode:
            raise UserError(
                f"rewards: embedding = {settings.embedding!r}: {what} is not in {place}, where rewards are computed. "
                f"Install 'dtbench[embedding]' and the model there, name an endpoint by its URL, or take {NGRAMS!r}."
            )


def check_rows(stages: Iterable[StageRecipe], clips: Path) -> None:
    """An error for a file of rows that is not there or cannot be trained on, and for a clip that is not there."""
    for stage in stages:
        for source in stage.data:
            if split_of(source) is None:  # the splits of mini are made when they are asked for
                deque(islice(rows_of_stage([source], clips), stage.questions), maxlen=0)


def _is_model(settings: RewardSettings) -> bool:
    return settings.embedding != NGRAMS and "://" not in settings.embedding


def _may_be_meant(known: str, name: str) -> bool:
    """Whether it is a slip of the pen: near the known name, and neither a folder nor an address."""
    import difflib

    far = name == known or "/" in name or Path(name).exists()
    return not far and bool(difflib.get_close_matches(name.lower(), [known], cutoff=0.6))
