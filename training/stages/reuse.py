"""What another run already holds and would come out the same is taken from it: the base's answers, and first stages.

Several seeds and arms of a recipe ask the same base the same questions, and an arm may begin as the recipe does. What
is taken is copied, so that either folder can go; `train.json` says from where.
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
from dtbench.training.recipe.load import stored_recipe
from dtbench.training.recipe.recipe import Recipe, StageRecipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import BASE, Layout

_OF_BASE = ("model", "prompt", "evaluation")
_NOT_OF_STAGES = {"title", "arm", "stage", "training"}
"""`training` is compared as each stage has it: where a figure was written does not matter."""
_LEFT = shutil.ignore_patterns("checkpoint-*")


def reuse(recipe: Recipe, layout: Layout, opened: state.State, other: Path) -> list[str]:
    """Take what is there and not begun here; what was taken, in lines. A UserError where there is nothing to take."""
    source = Layout(other.resolve())
    if source.root == layout.root:
        raise UserError(f"--reuse {other}: this is --out itself. Name another run.")
    if not source.state.is_file():
        raise UserError(f"--reuse {other}: no training: there is no train.json in it.")
    held = state.read(source.state)
    before = stored_recipe(held.recipe)
    if differing := _differing(before, recipe, _OF_BASE):
        raise UserError(f"--reuse {other}: nothing there is as here: {', '.join(differing[:4])} differ.")
    if held.base != state.DONE:
        raise UserError(f"--reuse {other}: its base is not evaluated yet. The same `dtbench train` goes on with it.")
    _refuse_other_weights(recipe, source, other)
    taken = []
    if opened.base == state.WAITING and _copied(source.root / BASE, layout.root / BASE):
        opened.set_base(state.DONE)
        taken.append(f"{BASE}: taken from {source.root}")
    for stage in _alike(before, recipe, held):
        if opened.stages[stage.name] == state.WAITING and _copied(
            source.stage(stage.name).root, layout.stage(stage.name).root
        ):
            opened.set(stage.name, state.DONE)
            taken.append(f"{stage.name}: taken from {source.root}")
    opened.starts[-1]["reused"] = taken
    return taken


def _alike(before: Recipe, now: Recipe, held: state.State) -> Iterator[StageRecipe]:
    """The first stages of both, as far as they are the same and done there."""
    names = [field.name for field in dataclasses.fields(Recipe) if field.name not in _NOT_OF_STAGES]
    if _differing(before, now, names):
        return
    for one, other in zip(before.stage, now.stage, strict=False):
        if _trained(before, one) != _trained(now, other) or held.stages[one.name] != state.DONE:
            return
        yield other


def _differing(before: Recipe, now: Recipe, names: tuple[str, ...] | list[str]) -> list[str]:
    one, other = ({name: value for name, value in _plain(each).items() if name in names} for each in (before, now))
    return sorted(state.differences(one, other))


def _trained(recipe: Recipe, stage: StageRecipe) -> Mapping[str, Any]:
    """A stage with every figure of its training."""
    return _plain(dataclasses.replace(stage, training=dataclasses.asdict(recipe.training_of(stage))))


def _plain(value: Recipe | StageRecipe) -> Mapping[str, Any]:
    """As JSON holds it: what was stored has lists where there were tuples."""
    found: Mapping[str, Any] = json.loads(json.dumps(dataclasses.asdict(value)))
    return found


def _refuse_other_weights(recipe: Recipe, source: Layout, other: Path) -> None:
    """The name of a checkpoint may be the same and its files others."""
    here = resolve_checkpoint(recipe.model)
    then = StoredRun.open(source.base_eval).info["model"].get("content")
    if here is not None and (now := here.content_hash()) != then:
        raise UserError(f"--reuse {other}: it began with other weights in {recipe.model} ({then}, and {now} today).")


def _copied(source: Path, target: Path) -> bool:
    """Copy a folder whole or not at all; False where something is there already."""
    if target.exists():
        return False
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part, ignore=_LEFT)
    part.rename(target)
    return True
