"""The table of flags has no hole, is what the README shows, and refuses what an engine cannot do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.training.engines.flags import NOT_FOR_ENGINES, TABLE, Made, flag_table, refuse_unsupported, table_flags
from dtbench.training.recipe.recipe import load_recipe, recipe_names
from dtbench.training.recipe.settings import Machines, Recipe, StageRecipe, TrainingSettings
from dtbench.training.stages.jobs import stage_job
from dtbench.training.stages.layout import Layout

README = Path(__file__).parents[3] / "training" / "README.md"
TABLES: dict[str, Any] = {"": Recipe, "stage.": StageRecipe, "training.": TrainingSettings, "machines.": Machines}
NAMES = {"swift": "qwen2.5-omni-7b", "megatron": "qwen3-omni-30b"}


def with_training(name: str, **changes: Any) -> Recipe:
    """A recipe of ours with other hyperparameters."""
    recipe = load_recipe(name)
    return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, **changes))


def flags_of(recipe: Recipe, resume: Path | None = None) -> dict[str, object]:
    """What the table makes of its first stage."""
    return table_flags(stage_job(recipe, recipe.stage[0], Layout(Path("/runs/x")), resume))


@pytest.mark.parametrize("prefix", TABLES)
def test_every_field_of_a_recipe_has_a_row_or_is_no_engines_matter(prefix: str) -> None:
    fields = {prefix + field.name for field in dataclasses.fields(TABLES[prefix])}
    rows = {row.field for row in TABLE}
    assert fields - rows - NOT_FOR_ENGINES == set()
    assert rows & NOT_FOR_ENGINES == set()


def test_a_row_is_of_a_field_that_there_is_and_no_field_has_two() -> None:
    known = {prefix + field.name for prefix, kind in TABLES.items() for field in dataclasses.fields(kind)}
    rows = [row.field for row in TABLE]
    assert set(rows) <= known
    assert known >= NOT_FOR_ENGINES
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("engine", NAMES)
def test_no_flag_is_made_that_the_table_does_not_show(engine: str) -> None:
    shown = "\n".join(flag_table())
    for resume in (None, Path("/c/checkpoint-50")):
        made = flags_of(with_training(NAMES[engine], save_optimizer=False), resume)
        assert {name for name in made if f"`--{name}`" not in shown} == set()
    assert all(cell.names for row in TABLE for cell in (row.swift, row.megatron) if isinstance(cell, Made))


def test_the_readme_shows_the_table() -> None:
    assert "\n".join(flag_table()) in README.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "table", "changes", "told"),
    [
        (
            "qwen2.5-omni-7b",
            "training",
            {"router_replay": "R3"},
            "training: router_replay = 'R3': `swift rlhf` has",
        ),
        ("qwen2.5-omni-7b", "machines", {"tensor": 2}, "machines: tensor = 2: `swift rlhf` has none"),
        ("qwen3-omni-30b", "machines", {"zero": 2}, "machines: zero = 2: `megatron rlhf` has none"),
        (
            "qwen3-omni-30b",
            "machines",
            {"device": "cpu"},
            "machines: device = 'cpu': `megatron rlhf` has none",
        ),
    ],
)
def test_what_an_engine_cannot_do_is_refused_with_what_it_can(
    name: str, table: str, changes: dict[str, Any], told: str
) -> None:
    recipe = load_recipe(name)
    changed = dataclasses.replace(recipe, **{table: dataclasses.replace(getattr(recipe, table), **changes)})
    with pytest.raises(UserError) as caught:
        refuse_unsupported(changed)
    assert str(caught.value).startswith(told)
    assert "or leave it out." in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        (
            "mini",
            {"importance_correction": "token_mask"},
            "with rollouts = 'transformers' the model that learns",
        ),
        ("qwen2.5-omni-7b", {"loss": "cispo"}, "loss = 'cispo': it cuts the probability ratio itself"),
        ("qwen2.5-omni-7b", {"loss": "sapo", "clip_high": 0.3}, "loss = 'sapo': it clips nothing"),
        ("qwen3-omni-30b", {"schedule": "constant_with_warmup"}, "knows WSD, constant, cosine, inverse-square-root"),
        ("qwen2.5-omni-7b", {"schedule": "WSD"}, "schedule = 'WSD': `swift rlhf` knows constant, constant_with_warmup"),
        ("qwen2.5-omni-7b", {"generations": 1}, "generations = 1: an answer is compared with others"),
        ("qwen2.5-omni-7b", {"temperature": 0.0}, "temperature = 0: all answers of a group"),
        ("qwen2.5-omni-7b", {"adam": (0.9,)}, "adam: 1 figures: Adam has two betas."),
    ],
)
def test_settings_that_do_not_go_together_are_refused_with_what_to_do(
    name: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError) as caught:
        refuse_unsupported(with_training(name, **changes))
    assert str(caught.value).startswith("stage stage-1: training: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_routes_are_not_replayed_where_there_are_no_experts() -> None:
    recipe = dataclasses.replace(load_recipe("qwen3-omni-30b"), model_type="qwen2_5_omni")
    with pytest.raises(UserError, match="router_replay = 'R3': model_type = 'qwen2_5_omni' has no experts"):
        refuse_unsupported(recipe)


@pytest.mark.parametrize("name", recipe_names())
def test_each_recipe_of_ours_asks_for_nothing_that_its_engine_cannot_do(name: str) -> None:
    refuse_unsupported(load_recipe(name))


def test_the_newer_algorithms_are_fields_of_both_engines() -> None:
    for name in NAMES.values():
        gspo = flags_of(with_training(name, importance="sequence"))
        assert gspo["importance_sampling_level"] == "sequence"
        dapo = flags_of(
            with_training(
                name, loss="dapo", clip_high=0.28, dynamic_sampling=True, max_resample=5, overlong_filter=True
            )
        )
        wanted = {"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.28, "dynamic_sample": True}
        wanted |= {"max_resample_times": 5, "overlong_filter": True}
        assert {flag: dapo[flag] for flag in wanted} == wanted
        assert "epsilon_high" not in gspo


@pytest.mark.parametrize(
    ("schedule", "warmup", "flag"),
    [("constant", 0.0, "constant"), ("constant", 0.1, "constant_with_warmup"), ("cosine", 0.1, "cosine")],
)
def test_a_constant_rate_warms_up_where_it_should(schedule: str, warmup: float, flag: str) -> None:
    made = flags_of(with_training("qwen2.5-omni-7b", schedule=schedule, warmup=warmup))
    assert made["lr_scheduler_type"] == flag
    assert made["warmup_ratio"] == warmup


def test_checkpoints_without_an_optimizer_are_resumed_from_their_weights() -> None:
    resume = Path("/c/checkpoint-50")
    megatron = flags_of(with_training("qwen3-omni-30b", save_optimizer=False), resume)
    assert megatron["model"] == str(resume)
    assert megatron["ref_model"] == "Qwen/Qwen3-Omni-30B-A3B-Instruct"
    assert megatron["finetune"] is False
    assert megatron["no_save_optim"] is megatron["no_save_rng"] is megatron["no_load_optim"] is True
    assert "mcore_model" not in megatron
    swift = flags_of(with_training("qwen2.5-omni-7b", save_optimizer=False), resume)
    assert swift["save_only_model"] is swift["resume_only_model"] is True
    assert swift["model"] == "Qwen/Qwen2.5-Omni-7B"
