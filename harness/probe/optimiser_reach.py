"""How far an optimiser can have moved a weight: by the log and the recipe of a training, or by what a user gives."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.weight_probe_types import OptimiserReach
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.recipe import stored_recipe
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.validation import read_best

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def given_reach(learning_rate: float, steps: int) -> OptimiserReach:
    """Return the reach of so many steps at one learning rate."""
    return _reach([learning_rate] * steps, f"--learning-rate {learning_rate:g}, --steps {steps}")


def reach_between(before: Path, after: Path) -> OptimiserReach | None:
    """Return the reach of the steps of a training that lie between two of its checkpoints; None where they are not.

    The first is the training's base or a checkpoint of one of its stages, the second a later one.
    """
    last = _place_of(after)
    if last is None:
        return None
    recipe = stored_recipe(state.read_state(last.layout.state).recipe)
    names = [stage.name for stage in recipe.stage]
    first = _place_of(before)
    if first is not None and first.layout.root == last.layout.root and first.stage in names:
        begin, done = names.index(first.stage), first.steps or _exported_steps(recipe, first.layout, first.stage)
    elif _is_base(recipe, last.layout, before):
        begin, done = 0, 0
    else:
        return None
    rates: list[float] = []
    taken = []
    for stage in recipe.stage[begin : names.index(last.stage) + 1] if last.stage in names else ():
        of_stage = _rates(last.layout, recipe, stage)
        whole = len(of_stage)
        start = (whole if done is None else done) if stage.name == names[begin] else 0
        end = (last.steps if stage.name == last.stage else None) or _exported_steps(recipe, last.layout, stage.name)
        if steps := of_stage[start : whole if end is None else end]:
            rates += steps
            taken.append(stage.name)
    return _reach(rates, f"{', '.join(taken)} of {last.layout.root}") if rates else None


class _TrainedPlace(NamedTuple):
    """Where in a training a checkpoint is."""

    layout: Layout
    stage: str
    steps: int | None
    """Of its stage, after which it was written; None for the stage's model."""


def _place_of(folder: Path) -> _TrainedPlace | None:
    """Return where in a training a folder of weights is; None where it is of none."""
    folder = folder.resolve()
    for parent in folder.parents:
        if Layout(parent).state.is_file():
            layout, parts = Layout(parent), folder.relative_to(parent).parts
            steps = next((int(found[1]) for part in parts if (found := _CHECKPOINT.fullmatch(part))), None)
            return _TrainedPlace(layout, parts[0], steps)
    return None


def _exported_steps(recipe: Recipe, layout: Layout, stage: str) -> int | None:
    """Return after how many steps of a stage its model was, where the dev split chose it; None for all of them."""
    if recipe.validation is None or not recipe.validation.keep_best:
        return None
    best = read_best(layout.stage(stage).best_step)
    return None if best is None else best.step


def _is_base(recipe: Recipe, layout: Layout, folder: Path) -> bool:
    """Return whether a training began with this folder: by its place, or by the content that was evaluated first."""
    if f"models--{recipe.model.replace('/', '--')}" in folder.parts:
        return True
    with contextlib.suppress(UserError):  # the folder that it began with may have moved
        checkpoint = resolve_checkpoint(recipe.model, ask=False)
        if checkpoint is not None and Path(checkpoint.source).resolve() == folder.resolve():
            return True
    if not (layout.base_eval / "run.json").is_file() or not (folder / "config.json").is_file():
        return False
    content = StoredRun.open(layout.base_eval).info["model"].get("content")
    here = resolve_checkpoint(str(folder), ask=False)
    return content is not None and here is not None and here.content_hash() == content


def _rates(layout: Layout, recipe: Recipe, stage: StageRecipe) -> Sequence[float]:
    """Return the learning rate of each step of a stage: as logged, else by the recipe."""
    training = recipe.training_of(stage)
    logged = [step["learning_rate"] for step in read_steps(layout.stage(stage.name).metrics) if "learning_rate" in step]
    if logged or stage.steps is None:
        return [float(rate) for rate in logged]
    return list(_planned(training.learning_rate, stage.steps, training.schedule))


def _planned(rate: float, steps: int, schedule: str) -> Iterator[float]:
    for step in range(steps):
        done = step / steps
        yield rate * {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}.get(schedule, 1.0)


def _reach(rates: Sequence[float], source: str) -> OptimiserReach:
    return {
        "steps": len(rates),
        "learning_rate": max(rates),
        "total": math.fsum(rates),
        "random": math.sqrt(math.fsum(rate * rate for rate in rates)),
        "source": source,
    }
