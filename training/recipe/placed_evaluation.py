"""Put an evaluation on the GPUs of the node that evaluates: how many copies of the model, how long its context is."""

from __future__ import annotations

import dataclasses
from typing import Any

from dtbench.training.recipe.settings import Evaluation, Recipe


def placed_evaluation(recipe: Recipe) -> Evaluation:
    """Return the recipe's evaluation with the options that its machines call for; options that it names stay."""
    evaluation = recipe.evaluation
    copies = evaluation_copies(recipe)
    options: dict[str, Any] = {}
    if uses_gpus(recipe):
        options["tensor_parallel_size"] = evaluation.tensor
        options["data_parallel_size"] = copies
        options["max_model_len"] = context_tokens(recipe)
    return dataclasses.replace(
        evaluation, options={**options, **evaluation.options}, concurrency=evaluation.concurrency * copies
    )


def uses_gpus(recipe: Recipe) -> bool:
    """Return whether vLLM evaluates on GPUs; on CPUs, and by another backend, there is one copy."""
    return recipe.evaluation.backend == "vllm" and recipe.machines.device == "gpu"


def evaluation_gpus(recipe: Recipe) -> int:
    """Return how many GPUs of its node evaluate."""
    return recipe.evaluation.gpus or recipe.machines.processes


def evaluation_copies(recipe: Recipe) -> int:
    """Return how many copies of the model answer an evaluation; those that run at once share the GPUs."""
    gpus = evaluation_gpus(recipe) // recipe.evaluation.at_once
    return gpus // recipe.evaluation.tensor if uses_gpus(recipe) else 1


def context_tokens(recipe: Recipe) -> int:
    """Return the longest prompt with the longest answer of any stage, in tokens."""
    stages = [recipe.training_of(stage) for stage in recipe.stage]
    return max(training.max_prompt_tokens + training.max_new_tokens for training in stages)
