"""Checks before anything starts: a mistake found later would have cost the base's evaluation, and so hours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.models.checkpoints import hub, trust
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.tasks import registry as task_registry
from dtbench.training.data.row_sources import split_task
from dtbench.training.engines.contract import EngineCommand
from dtbench.training.engines.launch import in_environment
from dtbench.training.recipe.reward_settings import NGRAMS
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.rewards import check_reward_names, packaged_model
from dtbench.training.rewards.packaged_model import PACKAGE, split_package_name
from dtbench.training.rewards.scoring import REWARDS
from dtbench.training.stages.dev_split import load_dev_rows
from dtbench.training.stages.stage_data import draw_stage_rows

EMBEDDING_REWARDS = frozenset({"evaluator", "embedding", "hybrid"})
"""The rewards that need an embedding; `evaluator` where it has no verdict."""


def check_rewards(recipe: Recipe) -> None:
    """Raise a UserError for rewards that are unknown or lack what they need; no network is used."""
    import difflib

    for stage in recipe.stage:
        try:
            check_reward_names(list(stage.rewards), recipe.rewards_of(stage))
        except UserError as error:
            raise UserError(f"stage {stage.name}: {error}") from None
    if recipe.rewards.task:
        task_registry.get_task(recipe.rewards.task)
    for name in dict.fromkeys(recipe.rewards_of(stage).embedding for stage in recipe.stage):
        is_path_or_url = "/" in name or Path(name).exists()
        if name != NGRAMS and not is_path_or_url and difflib.get_close_matches(name.lower(), [NGRAMS], cutoff=0.6):
            raise UserError(f"rewards: embedding = {name!r}: unknown. {did_you_mean(name, [NGRAMS])}")


def check_trust(recipe: Recipe) -> None:
    """Raise a UserError for a checkpoint that brings code, unless the recipe trusts it, and for one of pickles.

    ms-swift would run the code and read the pickles without a question. Of a hub id, what is here is looked at.
    """
    checkpoint = resolve_checkpoint(recipe.model)
    if checkpoint is None:
        return
    folder = Path(checkpoint.source) if checkpoint.is_local else hub.cached_snapshot(checkpoint.source)
    if folder is not None and not recipe.trust_remote_code and trust.names_code(folder):
        raise UserError(
            f"model = {recipe.model}: it brings code of its own (auto_map), and {trust.CODE_RISK}, as ms-swift asks "
            "nobody. Read it, and put trust_remote_code = true into the recipe where you trust it."
        )


def check_environment(recipe: Recipe, environment: Path) -> None:
    """Raise a UserError where the engine's environment lacks what rewards or the adapter of a recipe need."""
    check_embedding(recipe, environment)
    check_own_rewards(recipe, environment)
    check_quantiser(recipe, environment)


def check_embedding(recipe: Recipe, environment: Path) -> None:
    """Raise a UserError where the engine's environment lacks the package of an embedding."""
    embedding_stages = (stage for stage in recipe.stage if not EMBEDDING_REWARDS.isdisjoint(stage.rewards))
    for embedding in dict.fromkeys(recipe.rewards_of(stage).embedding for stage in embedding_stages):
        if embedding != NGRAMS and "://" not in embedding:
            _check_embedding_packages(embedding, environment)


def _check_embedding_packages(embedding: str, environment: Path) -> None:
    packages: dict[str, tuple[str, ...]] = {"sentence-transformers": ("sentence_transformers",)}
    if embedding.startswith(PACKAGE):
        package, inside = split_package_name(embedding)
        packages[f"the model {package}/{inside}"] = (package, inside)
    search = Path(packaged_model.__file__).read_text(encoding="utf-8")
    for what, arguments in packages.items():
        command = [str(environment / "bin" / "python"), "-c", search, *arguments]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            raise UserError(
                f"rewards: embedding = {embedding!r}: {what} is not in {environment}, where rewards are "
                f"computed. Install 'dtbench[embedding]' and the model there, name an endpoint by its URL, or take "
                f"{NGRAMS!r}."
            )


def check_own_rewards(recipe: Recipe, environment: Path) -> None:
    """Raise a UserError where a reward of a package or a module is not found where rewards are computed."""
    variables = in_environment(EngineCommand([""], {}), environment).environment
    named = {name for stage in recipe.stage for name in stage.rewards} - REWARDS.keys()
    search = "import sys; from dtbench.training.rewards.own_rewards import find_reward as f; f(sys.argv[1], ())"
    for name in sorted(named):
        command = [str(environment / "bin" / "python"), "-P", "-c", search, name]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **variables})
        if done.returncode:
            why = (done.stderr.strip() or "no reason given").splitlines()[-1].rstrip(".").rpartition("Error: ")[2]
            raise UserError(
                f"rewards: {name}: it cannot be loaded in {environment}, where rewards are computed ({why}): install "
                f"its package there, or put its folder into PYTHONPATH."
            )


def check_quantiser(recipe: Recipe, environment: Path) -> None:
    """Raise a UserError where the base of an adapter is to be quantised and the engine's environment cannot."""
    if recipe.adapter is None or recipe.adapter.base_bits == 16:
        return
    package = "bitsandbytes"
    search = f"import importlib.util as found, sys; sys.exit(found.find_spec({package!r}) is None)"
    command = [str(environment / "bin" / "python"), "-c", search]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        raise UserError(
            f"adapter: base_bits = {recipe.adapter.base_bits}: {package} is not in {environment}, which quantises the "
            f"base: `pip install {package}` there, or leave base_bits out."
        )


def check_stage_rows(recipe: Recipe, stages: Iterable[StageRecipe], clips: Path) -> None:
    """Raise an error where the questions of a stage cannot be drawn or trained on, or where a clip is missing.

    Of a stage that mines, these are the questions that an earlier model is to be asked.
    """
    for stage in stages:
        if stage.weights or any(split_task(source) is None for source in stage.data):  # of mini there is enough
            draw_stage_rows(recipe, stage, clips, load_dev_rows(recipe, clips))
