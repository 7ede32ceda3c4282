"""An evaluation takes all GPUs of the node that evaluates, and the context that the training has."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dtbench.training.recipe.placed_evaluation import placed_evaluation
from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages.evaluate import run_arguments
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.outcome import base_evaluations
from dtbench.training.stages.watch import planned_evaluations

OUT = Path("/runs/x")


def arguments(recipe: Recipe) -> str:
    return " ".join(run_arguments(base_evaluations(recipe, Layout(OUT))[0], placed_evaluation(recipe)))


@pytest.mark.parametrize(
    ("name", "placed"),
    [
        ("qwen3-omni-30b", ("tensor_parallel_size=4", "data_parallel_size=2", "--concurrency 128")),
        ("qwen2.5-omni-7b", ("tensor_parallel_size=1", "data_parallel_size=8", "--concurrency 512")),
    ],
)
def test_an_evaluation_takes_every_gpu_of_a_node(name: str, placed: tuple[str, ...]) -> None:
    recipe = load_recipe(name)
    given = arguments(recipe)
    assert [one for one in placed if one not in given] == []
    assert "-M max_model_len=5120" in given
    assert "-M max_tokens=1024" in given


def test_the_context_is_that_of_the_longest_stage_and_what_a_recipe_names_stays() -> None:
    recipe = load_recipe("qwen3-omni-30b")
    longer = dataclasses.replace(recipe.stage[1], training={"max_new_tokens": 2048})
    recipe = dataclasses.replace(recipe, stage=(recipe.stage[0], longer))
    assert "-M max_model_len=6144" in arguments(recipe)
    own = dataclasses.replace(recipe.evaluation, options={"max_model_len": 9000}, gpus=4)
    given = arguments(dataclasses.replace(recipe, evaluation=own))
    assert "-M max_model_len=9000" in given
    assert "-M data_parallel_size=1" in given


def test_evaluations_side_by_side_share_the_gpus() -> None:
    recipe = load_recipe("qwen3-omni-30b")
    own = dataclasses.replace(recipe.evaluation, at_once=2)
    assert "-M data_parallel_size=1" in arguments(dataclasses.replace(recipe, evaluation=own))


def test_on_a_cpu_there_is_one_copy_and_no_flag_of_vllm() -> None:
    recipe = load_recipe("mini")
    assert placed_evaluation(recipe) == recipe.evaluation


def test_only_the_checkpoint_of_the_recipe_has_its_revision() -> None:
    recipe = dataclasses.replace(load_recipe("qwen3-omni-30b"), revision="abc")
    runs = [one.run for one in planned_evaluations(recipe, Layout(OUT))]
    assert {run.model: run.revision for run in runs} == {
        recipe.model: "abc",
        "/runs/x/stage-1/model": None,
        "/runs/x/stage-2/model": None,
    }
    assert "-M revision=abc" in arguments(recipe)
