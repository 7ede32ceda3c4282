"""Turn a stage of a recipe into the job that its engine gets."""

from __future__ import annotations

from pathlib import Path

from dtbench.training.engines.contract import Job
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages.dev_split import dev_batch_of
from dtbench.training.stages.layout import Layout


def stage_model(recipe: Recipe, stage: StageRecipe, layout: Layout) -> str:
    """Return the model that a stage starts from: the recipe's, or that of the stage before it."""
    index = recipe.stage.index(stage)
    return str(layout.stage(recipe.stage[index - 1].name).model) if index else recipe.model


def stage_job(recipe: Recipe, stage: StageRecipe, layout: Layout, resume: Path | None = None) -> Job:
    """Return a stage as the engine gets it."""
    own = layout.stage(stage.name)
    model = stage_model(recipe, stage, layout)
    dev, batch = own.dev_questions, dev_batch_of(recipe, stage, own.dev_questions)
    return Job(recipe, stage, model, own.questions, own.reward_plan, own.engine, own.stop_file, resume, dev, batch)
