"""How far an optimiser can have moved a weight: by the log and the recipe of a training, or by what a user gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from dtbench.harness.store.weight_probe_types import OptimiserReach
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.recipe import stored_recipe
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import Layout


def given_reach(learning_rate: float, steps: int) -> OptimiserReach:
    """Return the reach of so many steps at one learning rate."""
    return _reach([learning_rate] * steps, f"--learning-rate {learning_rate:g}, --steps {steps}")


def reach_between(before: Path, after: Path) -> OptimiserReach | None:
    """Return the reach of the stages of a training that lie between two of its checkpoints; None where they are not.

    The first is the training's base or a stage of it, the second a later stage.
    """
    place = _place(after)
    if place is None:
        return None
    layout, last = place
    recipe = stored_recipe(state.read_state(layout.state).recipe)
    names = [stage.name for stage in recipe.stage]
    first = _place(before)
    if first is not None and first[0].root == layout.root and first[1] in names:
        begin = names.index(first[1]) + 1
    elif _is_base(recipe, before):
        begin = 0
    else:
        return None
    stages = recipe.stage[begin : names.index(last) + 1] if last in names else ()
    if not stages:
        return None
    rates = [rate for stage in stages for rate in _rates(layout, recipe, stage)]
    return _reach(rates, f"{', '.join(stage.name for stage in stages)} of {layout.root}") if rates else None


def _place(folder: Path) -> tuple[Layout, str] | None:
    """Return the training and the name of the stage that a folder of weights is in."""
    for parent in folder.resolve().parents:
        if Layout(parent).state.is_file():
            return Layout(parent), folder.resolve().relative_to(parent).parts[0]
    return None


def _is_base(recipe: Recipe, folder: Path) -> bool:
    checkpoint = resolve_checkpoint(recipe.model, ask=False)
    if checkpoint is None:
        return False
    if checkpoint.is_local:
        return Path(checkpoint.source).resolve() == folder.resolve()
    return f"models--{checkpoint.source.replace('/', '--')}" in folder.parts


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
