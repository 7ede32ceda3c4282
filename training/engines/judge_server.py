"""The judge of a recipe's rewards: when one is needed, and the command that serves it on machines of its own."""

from __future__ import annotations

from dtbench.training.engines.contract import EngineCommand
from dtbench.training.recipe.recipe import asks_evaluator
from dtbench.training.recipe.reward_settings import JUDGE, NO_MODEL
from dtbench.training.recipe.settings import Recipe, StageRecipe

JUDGE_URL = "JUDGE_URL"
"""The placeholder of a command that stands for the judge's address, which is known once it runs."""


def asks_model(recipe: Recipe, stage: StageRecipe) -> bool:
    """Return whether a reward of the stage is computed by a language model over an endpoint."""
    settings = recipe.rewards_of(stage)
    return settings.evaluator not in NO_MODEL and asks_evaluator(stage.rewards, settings)


def needs_judge(recipe: Recipe, stage: StageRecipe) -> bool:
    """Return whether a reward of the stage is computed by the model of the table [judge]."""
    return recipe.rewards_of(stage).evaluator == JUDGE and asks_model(recipe, stage)


def judge_command(recipe: Recipe) -> EngineCommand:
    """Return the command that serves the judge; each of its nodes runs it by itself."""
    judge = recipe.judge
    assert judge is not None
    flags: dict[str, str | int] = {
        "served-model-name": judge.model,
        "tensor-parallel-size": judge.tensor,
        "data-parallel-size": judge.gpus // judge.tensor,
        "max-model-len": judge.max_model_tokens,
        "host": "0.0.0.0",  # the trainers are on other machines
        "port": judge.port,
    }
    if judge.revision is not None:
        flags["revision"] = judge.revision
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return EngineCommand(["vllm", "serve", judge.model, *words], {"VLLM_NO_USAGE_STATS": "1"})
