"""Check what a recipe measures on questions apart: the table [validation]."""

from __future__ import annotations

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.training.recipe.settings import Recipe

WEIGHTED = "reward"
"""The metric that is the weighted sum of a stage's rewards."""
NO_MEGATRON = (
    "megatron goes through a dev split in an endless round, of which a measurement takes whole batches of training: "
    "no two figures would be of the same questions. Use engine = 'swift', or leave [validation] out"
)


def check_validation(recipe: Recipe, where: str) -> None:
    """Raise a UserError where the dev split cannot be measured as [validation] says."""
    validation = recipe.validation
    if validation is None:
        return
    place = f"{where}: validation"
    if recipe.engine == "megatron":
        raise UserError(f"{place}: {NO_MEGATRON}.")
    for stage in recipe.stage:
        if validation.metric not in (known := [*stage.rewards, WEIGHTED]):
            near = did_you_mean(validation.metric, known)
            raise UserError(f"{place}: metric = {validation.metric!r}: stage {stage.name} has no such reward. {near}")
        if validation.every % (save := recipe.training_of(stage).save_every):
            raise UserError(
                f"{place}: every = {validation.every}: a multiple of save_every = {save} is expected (stage "
                f"{stage.name}), so that each model that is measured is also saved."
            )
