"""Copy from another training what would be identical: the base's answers, and first stages.

Seeds and arms of a recipe evaluate the same base, and an arm may begin as the recipe does. Folders are copied, so that
either training can be deleted; `train.json` says where they came from.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.training.recipe.recipe import stored_recipe, with_bundled_name
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import BASE, Layout

_OF_BASE = ("model", "prompt", "system", "evaluation")
_NOT_OF_STAGES = {"title", "arm", "stage", "training"}
"""`training` is compared stage by stage: it does not matter where a setting was written."""
_IGNORED = shutil.ignore_patterns("checkpoint-*", "last-checkpoint")
"""The engine's checkpoints, and its link to the last of them, which may have been deleted to save space."""


def reuse_run(recipe: Recipe, layout: Layout, progress: state.TrainingState, other: Path) -> list[str]:
    """Copy what is done there and not begun here; return notes. A UserError where nothing can be reused."""
    source = Layout(other.resolve())
    if source.root == layout.root:
        raise UserError(f"--reuse {other}: this is --out itself: name another training.")
    if not source.state.is_file():
        raise UserError(f"--reuse {other}: not a training: there is no train.json in it.")
    source_state = state.read_state(source.state)
    before = stored_recipe(source_state.recipe)
    if differing := _differing(before, recipe, _OF_BASE):
        raise UserError(f"--reuse {other}: nothing can be reused, as {', '.join(differing[:4])} differ.")
    if source_state.base != state.DONE:
        raise UserError(
            f"--reuse {other}: its base is not evaluated yet: finish it with its own `dtbench train` command."
        )
    here, asked = resolve_checkpoint(recipe.model), StoredRun.open(source.base_eval).info
    then, is_endpoint = asked["model"].get("content"), bool(asked["endpoint"].get("urls"))
    # A checkpoint may keep its name and get other files; an endpoint says nothing of those that it serves.
    if here is not None and not is_endpoint and (now := here.content_hash()) != then:
        raise UserError(f"--reuse {other}: it started from other weights of {recipe.model} ({then}; now {now}).")
    notes = []
    if progress.base == state.WAITING and _copy(source.root / BASE, layout.root / BASE):
        progress.set_base(state.DONE)
        notes.append(f"{BASE}: reused from {source.root}")
    for stage in _common_stages(before, recipe, source_state):
        folders = source.stage(stage.name).root, layout.stage(stage.name).root
        if progress.stages[stage.name] == state.WAITING and _copy(*folders):
            progress.set(stage.name, state.DONE)
            notes.append(f"{stage.name}: reused from {source.root}")
    progress.starts[-1]["reused"] = notes
    return notes


def _common_stages(before: Recipe, now: Recipe, source_state: state.TrainingState) -> Iterator[StageRecipe]:
    """Yield the stages that both recipes begin with, as long as they are the same and done in the source run."""
    names = [field.name for field in dataclasses.fields(Recipe) if field.name not in _NOT_OF_STAGES]
    if _differing(before, now, names):
        return
    for old, new in zip(before.stage, now.stage, strict=False):
        if _with_training(before, old) != _with_training(now, new) or source_state.stages[old.name] != state.DONE:
            return
        yield new


def _differing(before: Recipe, now: Recipe, names: tuple[str, ...] | list[str]) -> list[str]:
    recipes = (before, with_bundled_name(now))
    old, new = ({name: value for name, value in _plain(recipe).items() if name in names} for recipe in recipes)
    return sorted(state.differing_settings(old, new))


def _with_training(recipe: Recipe, stage: StageRecipe) -> Mapping[str, Any]:
    return _plain(dataclasses.replace(stage, training=dataclasses.asdict(recipe.training_of(stage))))


def _plain(value: Recipe | StageRecipe) -> Mapping[str, Any]:
    """Convert a value to what JSON stores, with lists in place of tuples."""
    plain: Mapping[str, Any] = json.loads(json.dumps(dataclasses.asdict(value)))
    return plain


def _copy(source: Path, target: Path) -> bool:
    """Copy a folder completely or not at all; False where the target exists."""
    if target.exists():
        return False
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part, ignore=_IGNORED)
    part.rename(target)
    return True
