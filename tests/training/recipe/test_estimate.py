from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from command import call
from trainer import model_in_the_box

from dtbench.models.checkpoints.tensors import checkpoint_tensors, plain_name
from dtbench.training.recipe.estimate import GB, estimate, estimate_lines, sizes_of
from dtbench.training.recipe.recipe import load_recipe, override

LANGUAGE = ("layers.", "embed_tokens", "norm", "lm_head")
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def test_parameters_are_those_that_a_checkpoint_holds() -> None:
    folder = model_in_the_box()
    sizes = sizes_of(str(folder))
    assert sizes is not None
    tensors = checkpoint_tensors(folder).values()
    held = [one for one in tensors if plain_name(one.name).startswith(LANGUAGE)]
    assert sizes.language == sum(math.prod(one.shape) for one in held)


@pytest.mark.parametrize(
    ("model", "language", "active"),
    [
        ("Qwen/Qwen2.5-Omni-7B", 7_615_616_512, 7_070_619_136),  # those of Qwen2.5-7B
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct", 30_532_646_912, 3_042_129_920),  # of Qwen3-30B-A3B, and 128 tokens more
    ],
)
def test_parameters_are_those_that_are_published(model: str, language: int, active: int) -> None:
    sizes = sizes_of(model)
    assert sizes is not None
    assert (sizes.language, sizes.active) == (language, active)
    assert 1.1e9 < sizes.towers < 1.4e9


def test_an_adapter_has_its_rank_times_the_sides_of_each_layer() -> None:
    sizes = sizes_of("Qwen/Qwen2.5-Omni-7B")
    assert sizes is not None
    assert sizes.adapter(1, ("q_proj",)) == 28 * (3584 + 3584)
    assert sizes.adapter(32, ALL) == 80_740_352


def test_an_adapter_needs_no_reference_and_sixteen_bytes_for_each_of_its_parameters() -> None:
    recipe = load_recipe("qwen2.5-omni-7b-lora")
    sizes = sizes_of(recipe.model)
    assert sizes is not None
    told = estimate(recipe, recipe.stage[0], sizes)
    assert told.reference == 0
    assert told.learning == 16 * 80_740_352 / GB
    assert told.weights == 2 * (sizes.language + sizes.towers) / GB
    whole = estimate(dataclasses.replace(recipe, adapter=None), recipe.stage[0], sizes)
    assert whole.reference == whole.weights
    assert whole.learning == 6 * sizes.language / GB  # gradients and two moments of two bytes
    assert whole.learn_seconds == pytest.approx(told.learn_seconds * 6 / 5)


def test_four_bits_are_told_of_the_layers_alone() -> None:
    recipe = load_recipe("qwen2.5-omni-7b-lora-24gb")
    sizes = sizes_of(recipe.model)
    assert sizes is not None
    told = estimate(recipe, recipe.stage[0], sizes)
    assert told.weights == (0.5625 * sizes.dense + 2 * sizes.ends + 2 * sizes.towers) / GB


@pytest.mark.parametrize(("name", "card"), [("qwen2.5-omni-7b-lora", 80), ("qwen2.5-omni-7b-lora-24gb", 24)])
def test_the_recipes_for_one_gpu_leave_a_third_of_it_free(name: str, card: int) -> None:
    recipe = load_recipe(name)
    sizes = sizes_of(recipe.model)
    assert sizes is not None
    assert [estimate(recipe, stage, sizes).peak < card * 2 / 3 for stage in recipe.stage] == [True, True]


def test_a_dry_run_tells_the_estimate_and_the_page_of_recipes_the_same(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "training" / "README.md").read_text()
    for name in ("qwen2.5-omni-7b", "qwen2.5-omni-7b-lora", "qwen2.5-omni-7b-lora-24gb", "qwen3-omni-30b"):
        recipe = load_recipe(name)
        (line,) = estimate_lines(recipe)
        assert call("train", name, "--out", tmp_path, "--dry-run").out.splitlines()[0] == f"# {line}"
        sizes = sizes_of(recipe.model)
        assert sizes is not None
        told = estimate(recipe, recipe.stage[0], sizes)
        seconds = told.answer_seconds + told.learn_seconds
        assert f"| `{name}` | {told.peak:.0f} GB | {seconds:.0f} s |" in page


def test_of_a_model_of_unknown_sizes_nothing_is_guessed() -> None:
    recipe = override(load_recipe("qwen2.5-omni-7b"), model="org/unheard-of", seed=None)
    assert list(estimate_lines(recipe)) == [
        "no estimate: the sizes of org/unheard-of are not known before its config.json is here"
    ]
