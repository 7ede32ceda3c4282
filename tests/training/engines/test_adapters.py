from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from command import call
from trainer import short_recipe

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.training.engines import adapters
from dtbench.training.engines.launch import get_engine
from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.stages.jobs import stage_job
from dtbench.training.stages.layout import Layout

ATTENTION = ("q_proj", "k_proj")
LANGUAGE = [f"layers.{layer}.self_attn.{name}" for layer in (0, 1) for name in ATTENTION]
TABLE = "[adapter]\nrank = 4\nalpha = 8\n{more}[training]"
STILL = tuple((f"{name} = true", f"{name} = false") for name in ("train_audio_tower", "train_projector"))
COLOCATE = ('rollouts = "transformers"', 'rollouts = "colocate"')


def weights(path: Path, shapes: Mapping[str, Sequence[int]]) -> None:
    """A file of weights that are all zero."""
    head, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[-1]
        head[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A model of two layers with ears, experts and a talker, as whole Omni models are stored."""
    folder = tmp_path / "base"
    folder.mkdir()
    names = [f"thinker.model.{name}" for name in LANGUAGE]
    names += [f"thinker.audio_tower.{name}" for name in LANGUAGE] + [f"talker.model.{name}" for name in LANGUAGE]
    names += ["thinker.model.layers.0.mlp.experts.0.gate_proj", "thinker.lm_head"]
    weights(folder / "model.safetensors", {f"{name}.weight": (2, 2) for name in names})
    return folder


def adapter(folder: Path, names: Sequence[str], base: str = "") -> Path:
    """A checkpoint with an adapter of these modules."""
    folder.mkdir()
    parts = [f"base_model.model.{name}.lora_{part}.weight" for name in names for part in "AB"]
    weights(folder / "adapter_model.safetensors", dict.fromkeys(parts, (2, 2)))
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": base}))
    return folder


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("thinker.model.layers.27.self_attn.q_proj", True),
        ("language_model.model.layers.0.self_attn.k_proj", True),
        ("model.language_model.layers.0.self_attn.k_proj", True),
        ("thinker.model.layers.0.self_attn.v_proj", False),
        ("thinker.model.layers.0.self_attn.q_proj.base_layer", False),
        ("thinker.audio_tower.layers.0.self_attn.q_proj", False),
        ("thinker.visual.layers.0.attn.q_proj", False),
        ("talker.model.layers.0.self_attn.q_proj", False),
        ("audio_encoder.layers.0.self_attn.q_proj", False),
    ],
)
def test_an_adapter_is_looked_for_in_layers_of_the_language_model_alone(name: str, found: bool) -> None:
    assert (re.fullmatch(adapters.target_regex(ATTENTION), name) is not None) == found


def test_an_adapter_of_each_layer_and_of_no_other_is_taken(base: Path, tmp_path: Path) -> None:
    good = adapter(tmp_path / "checkpoint-2", [f"thinker.model.{name}" for name in LANGUAGE])
    adapters.check_adapter(good, base, ATTENTION)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (
            [*LANGUAGE, "thinker.audio_tower.layers.0.self_attn.q_proj"],
            "adapter: 1 of 5 adapted layers are none of the language model's that the recipe names: "
            "audio_tower.layers.0.self_attn.q_proj.",
        ),
        (LANGUAGE[:-1], "adapter: 1 of 4 layers have none: layers.1.self_attn.k_proj."),
        (
            ["talker.model.layers.0.self_attn.q_proj", *LANGUAGE],
            "adapter: 1 of 5 adapted layers are none of the language model's that the recipe names: "
            "talker.layers.0.self_attn.q_proj.",
        ),
    ],
    ids=["ears", "a layer lacks", "talker"],
)
def test_an_adapter_of_other_layers_is_none_of_the_recipe(
    names: Sequence[str], why: str, base: Path, tmp_path: Path
) -> None:
    strange = adapter(tmp_path / "checkpoint-2", names)
    with pytest.raises(MachineryError) as told:
        adapters.check_adapter(strange, base, ATTENTION)
    assert str(told.value) == f"{strange}: {why}"


def test_half_an_adapter_is_none(base: Path, tmp_path: Path) -> None:
    half = adapter(tmp_path / "checkpoint-2", LANGUAGE)
    shapes = {f"base_model.model.{name}.lora_A.weight": (2, 2) for name in LANGUAGE}
    weights(half / "adapter_model.safetensors", shapes)
    with pytest.raises(MachineryError, match="4 tensors for 4 layers: two of each are expected"):
        adapters.check_adapter(half, base, ATTENTION)


def test_the_base_of_an_adapter_is_the_stages_or_where_the_engine_put_it(base: Path, tmp_path: Path) -> None:
    downloaded = adapter(tmp_path / "checkpoint-2", LANGUAGE, str(base))
    assert adapters.base_of_adapter("org/model", downloaded) == base
    assert adapters.base_of_adapter(str(tmp_path), downloaded) == tmp_path
    gone = adapter(tmp_path / "checkpoint-4", LANGUAGE, "/gone")
    with pytest.raises(MachineryError, match="its base org/model is not here any more"):
        adapters.base_of_adapter("org/model", gone)


def test_a_recipe_with_an_adapter_trains_one_and_nothing_else(tmp_path: Path) -> None:
    recipe = load_recipe(str(short_recipe(tmp_path, ("[training]", TABLE.format(more="dropout = 0.1\n")), *STILL)))
    command = get_engine("swift").command(stage_job(recipe, recipe.stage[0], Layout(tmp_path)))
    told = " ".join(command.arguments)
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    assert f"--tuner_type lora --target_regex {adapters.target_regex(names)} --lora_rank 4" in told
    assert "--lora_alpha 8 --lora_dropout 0.1" in told
    assert "--freeze_vit true --freeze_aligner true" in told
    assert "quant" not in told
    assert command.environment["DTBENCH_ADAPTER"] == ",".join(names)


def test_a_base_of_four_bits_is_quantised_while_it_trains(tmp_path: Path) -> None:
    recipe = load_recipe(str(short_recipe(tmp_path, ("[training]", TABLE.format(more="base_bits = 4\n")), *STILL)))
    command = get_engine("swift").command(stage_job(recipe, recipe.stage[0], Layout(tmp_path)))
    told = " ".join(command.arguments)
    assert "--quant_method bnb --quant_bits 4 --bnb_4bit_compute_dtype float32" in told


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            [("[training]", "[flags]\ntuner_type = 'lora'\n[training]")],
            "flags: tuner_type = 'lora': write a table [adapter] with rank and alpha instead.",
        ),
        (
            [("[training]", "[flags]\nlora_rank = 8\n" + TABLE.format(more="")), *STILL],
            "flags: lora_rank: leave it out: the table [adapter] says what is trained.",
        ),
        (
            [("[training]", TABLE.format(more="")), STILL[1]],
            "adapter: train_audio_tower = true: an adapter changes the language model alone.",
        ),
        (
            [("[training]", TABLE.format(more="")), STILL[0]],
            "adapter: train_projector = true: an adapter changes the language model alone.",
        ),
        (
            [('engine = "swift"', 'engine = "megatron"'), ("[training]", TABLE.format(more="")), *STILL, COLOCATE],
            "adapter: engine = 'megatron': adapters are trained by engine = 'swift'.",
        ),
        (
            [("[training]", TABLE.format(more="base_bits = 4\n")), *STILL, COLOCATE],
            "adapter: base_bits = 4: only rollouts = 'transformers' answer with the quantised weights",
        ),
        ([("[training]", TABLE.format(more="targets = []\n")), *STILL], "adapter: targets: at least one name such as"),
    ],
)
def test_what_does_not_go_with_an_adapter_is_refused_before_anything_is_trained(
    changes: Sequence[tuple[str, str]], why: str, tmp_path: Path
) -> None:
    refused = call("train", short_recipe(tmp_path, *changes), "--out", tmp_path / "run").refusal()
    assert why in refused
    assert not (tmp_path / "run").exists()


def test_layers_that_a_model_has_not_or_has_in_its_experts_alone_are_refused(base: Path, tmp_path: Path) -> None:
    for name in ("gate_proj", "query"):
        table = TABLE.format(more=f"targets = ['q_proj', '{name}']\n")
        recipe = load_recipe(str(short_recipe(tmp_path, ("[training]", table), *STILL, model=base)))
        with pytest.raises(UserError) as told:
            adapters.check_targets(recipe)
        assert f"adapter: targets: {name!r}: no layer of the language model of {base} is called so" in str(told.value)
        assert str(told.value).endswith("Layers: k_proj, q_proj.")
