"""`dtbench probe weights`: what it takes, what the optimiser explains, a second stage, and a pass that goes on."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from command import call
from numpy.typing import NDArray
from tiny_weights import (
    EXPERTS,
    bfloat16,
    fused,
    on_grid,
    poke,
    qwen3_omni_shapes,
    save_weights,
    sparse_checkpoint,
    tiny_model,
    write_safetensors,
)
from trainings import made_up_recipe

from dtbench.harness.core.errors import UserError
from dtbench.harness.probe.weights import LINES, REPORT, WeightsRequest, probe_weights
from dtbench.harness.store.json_schemas import FOLDER
from dtbench.harness.store.weight_probe_types import WeightFigures, WeightProbe
from dtbench.training.stages import state

Q_PROJ = "thinker.model.layers.0.self_attn.q_proj"
Tensors = Mapping[str, NDArray[Any]]


def probe(*folders: Path, **settings: Any) -> WeightProbe:
    before, after, *more = map(str, folders)
    request = WeightsRequest(before=before, after=after, later=more[0] if more else None, **settings)
    return probe_weights(request, lambda line: None)


def moved(tensors: Tensors, seed: int, size: float = 0.02) -> dict[str, NDArray[Any]]:
    draw = np.random.default_rng(seed)
    return {name: tensor + on_grid(draw.normal(0, size, tensor.shape), 12) for name, tensor in tensors.items()}


def adapter(folder: Path, base: Path, factors: Tensors, **settings: Any) -> Path:
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "base_model_name_or_path": str(base), **settings}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    write_safetensors(
        folder / "adapter_model.safetensors", {f"base_model.model.{name}": one for name, one in factors.items()}
    )
    return folder


def figures(found: WeightProbe, name: str) -> WeightFigures:
    (one,) = (one for one in found["stages"][0]["tensors"] if one["name"] == name)
    return one


def base_of(folder: Path, tensors: Tensors) -> Path:
    save_weights(folder, tensors)
    (folder / "config.json").write_text("{}")
    return folder


def test_the_product_of_an_adapter_is_its_change_and_has_its_rank(tmp_path: Path) -> None:
    base, draw = base_of(tmp_path / "base", tiny_model()), np.random.default_rng(0)
    first, second = on_grid(draw.normal(0, 0.5, (2, 64)), 4), on_grid(draw.normal(0, 0.5, (64, 2)), 4)
    tuned = adapter(tmp_path / "tuned", base, {f"{Q_PROJ}.lora_A.weight": first, f"{Q_PROJ}.lora_B.weight": second})
    found = probe(base, tuned)
    assert [one["name"] for one in found["stages"][0]["tensors"] if one["changed"]] == [
        "layers.0.self_attn.q_proj.weight"
    ]
    one = figures(found, "layers.0.self_attn.q_proj.weight")
    assert one["rms"] == pytest.approx(float(np.sqrt(np.mean(np.square(2 * (second @ first))))), rel=1e-6)
    assert one["rank"] is not None
    assert 1 < one["rank"] < 2
    assert found["checkpoints"][1]["adapter"] == str(tuned)
    assert "its change is added to its base" in found["notes"][0]


@pytest.mark.parametrize("form", ["single", "fused"])
def test_an_adapter_of_all_experts_of_a_layer_changes_each_by_its_own_factors(tmp_path: Path, form: str) -> None:
    model, draw = tiny_model(), np.random.default_rng(1)
    base = base_of(tmp_path / "base", fused(model) if form == "fused" else model)
    first = on_grid(draw.normal(0, 0.5, (2 * EXPERTS, 32)), 4)
    second = on_grid(draw.normal(0, 0.5, (64, 2 * EXPERTS)), 4)
    place = "thinker.model.layers.1.mlp.experts"
    tuned = adapter(
        tmp_path / "tuned",
        base,
        {f"{place}.lora_A.weight": first, f"{place}.lora_B.weight": second},
        target_parameters=["mlp.experts.down_proj"],
    )
    found = probe(base, tuned)
    for expert in range(EXPERTS):
        factors = second.reshape(64, 2, EXPERTS)[:, :, expert] @ first.reshape(EXPERTS, 2, 32)[expert]
        one = figures(found, f"layers.1.mlp.experts.{expert}.down_proj.weight")
        assert one["rms"] == pytest.approx(float(np.sqrt(np.mean(np.square(2 * factors)))), rel=1e-6)
    assert sum(one["changed"] > 0 for one in found["stages"][0]["tensors"]) == EXPERTS


def test_what_cannot_be_compared_is_refused_with_what_to_do(tmp_path: Path) -> None:
    tensors = tiny_model()
    whole = base_of(tmp_path / "whole", tensors)
    wide = save_weights(tmp_path / "wide", {**tensors, f"{Q_PROJ}.weight": np.zeros((32, 64), np.float32)})
    other = save_weights(tmp_path / "other", {"encoder.weight": np.zeros((2, 2), np.float32)})
    megatron, empty = tmp_path / "megatron", tmp_path / "empty"
    (megatron / "iter_0000500").mkdir(parents=True)
    empty.mkdir()
    factors = {f"{Q_PROJ}.lora_A.weight": np.zeros((2, 64), np.float32)}
    dora = {
        **factors,
        f"{Q_PROJ}.lora_B.weight": np.zeros((64, 2), np.float32),
        f"{Q_PROJ}.lora_magnitude_vector": np.ones(64, np.float32),
    }
    expected = {
        wide: r"1 of 77 tensors have another shape than in .*whole: layers.0.self_attn.q_proj.weight \(32 x 64 in",
        other: "no tensor has a name that .*whole has too: are these of one architecture",
        megatron: "Megatron's own checkpoint: export it in the hub's form first",
        empty: r"no checkpoint: model.safetensors or its shards are expected in it, found nothing\.",
        tmp_path / "nowhere": "there is no such folder",
        adapter(tmp_path / "half", whole, factors): "lora_A and lora_B of two dimensions are expected",
        adapter(tmp_path / "dora", whole, dora, use_dora=True): "DoRA scales the weights .*merge it with PEFT",
    }
    for folder, message in expected.items():
        with pytest.raises(UserError, match=message):
            probe(whole, folder)
    with pytest.raises(UserError, match="--steps is missing"):
        probe(whole, whole, learning_rate=1e-4)


def test_numbers_of_other_types_are_compared_in_the_coarser_and_packed_ones_left_out(tmp_path: Path) -> None:
    tensors = {name: on_grid(tensor, 4) for name, tensor in tiny_model().items()}
    packed = {f"{Q_PROJ}.weight": np.zeros((64, 64), np.int8)}
    short = {name: bfloat16(tensor) for name, tensor in tensors.items()} | packed
    between = {name: tensor + np.float32(2**-20) for name, tensor in tensors.items()}
    found = probe(save_weights(tmp_path / "a", between), save_weights(tmp_path / "b", short))
    large = [one for one in found["stages"][0]["tensors"] if one["kind"] != "router"]
    assert {one["largest"] for one in large} <= {0.0, 2**-20}, "0 stays apart: bfloat16 has numbers near it"
    assert any("BF16 where" in note and "has F32: both are compared in the coarser" in note for note in found["notes"])
    assert [(one["why"], one["tensors"]) for one in found["left_out"]] == [("only in one", 1), ("type", 1)]


def test_a_second_stage_that_goes_on_turns_aside_or_undoes_is_told_by_its_direction(tmp_path: Path) -> None:
    before = tiny_model()
    after, other = moved(before, 1), moved(before, 2)
    change = {name: after[name] - before[name] for name in before}
    paths = {
        "on": {name: after[name] + change[name] / 2 for name in before},
        "back": before,
        "aside": {name: after[name] + (other[name] - before[name]) for name in before},
    }
    first, second = save_weights(tmp_path / "a", before), save_weights(tmp_path / "b", after)
    found = {}
    for name, tensors in paths.items():
        directions = probe(first, second, save_weights(tmp_path / name, tensors))["directions"]
        found[name] = {one["name"]: one for one in directions}
    assert found["on"]["attention"]["cosine"] == pytest.approx(1, abs=1e-12)
    assert found["on"]["layer 3 router"]["kept"] == pytest.approx(1, abs=1e-12)
    assert found["back"]["expert"]["cosine"] == pytest.approx(-1, abs=1e-12)
    assert found["back"]["expert"]["kept"] == pytest.approx(0, abs=1e-6)
    for one in found["aside"].values():
        assert one["cosine"] is not None
        assert abs(one["cosine"]) < 4 * one["chance"]
    assert found["aside"]["expert"]["kept"] == pytest.approx(math.sqrt(0.5), rel=0.02)


def test_a_control_stands_beside_each_change_with_its_own_direction(tmp_path: Path) -> None:
    """The control goes half of B's way, and its experts changed places besides; a third checkpoint moves nothing."""
    before = tiny_model()
    after = moved(before, 1)
    half = {name: before[name] + (after[name] - before[name]) / 2 for name in before}
    place = "thinker.model.layers.2.mlp"
    order = np.roll(np.arange(EXPERTS), 1)
    control = {**half, f"{place}.gate.weight": half[f"{place}.gate.weight"][order]}
    for number, expert in enumerate(order):
        for part in ("gate_proj", "up_proj", "down_proj"):
            name = f"{place}.experts.{{}}.{part}.weight"
            control[name.format(number)] = half[name.format(expert)]
    saved = {"a": before, "b": after, "c": moved(after, 2), "control": control}
    first, second, third, beside = (save_weights(tmp_path / name, tensors) for name, tensors in saved.items())
    found = probe(first, second, third, control=str(beside), out=tmp_path / "out")
    assert [one.get("control") for one in found["stages"]] == [None, None, True]
    assert found["stages"][2]["before"] == str(first)
    assert [one["router"] for one in found["stages"][2]["permuted"]] == ["layers.2.mlp.gate"]
    assert found["stages"][2]["kinds"] == probe(first, beside)["stages"][0]["kinds"]
    plain = probe(first, second, third)
    assert (found["stages"][:2], found["directions"]) == (plain["stages"], plain["directions"])
    assert [one["cosine"] for one in found["beside_control"]] == pytest.approx([1] * len(found["beside_control"]))
    kinds = [[one for one in stage["kinds"] if one["name"] == "expert"] for stage in found["stages"]]
    assert kinds[2][0]["rms"] == pytest.approx(kinds[0][0]["rms"] / 2)
    with pytest.raises(UserError, match="holds a comparison of other checkpoints"):
        probe(first, second, third, out=tmp_path / "out")
    printed = call("probe", "weights", first, second, "--control", beside).out
    assert f"{first} -> {beside} (control)" in printed
    assert max(map(len, [line for line in printed.splitlines() if line.startswith(" ")])) <= 80


def trained(root: Path, base: Path) -> Path:
    """A training of two stages of which the second is logged in part."""
    recipe = made_up_recipe()
    recipe = type(recipe)(**{**{name: getattr(recipe, name) for name in recipe.__slots__}, "model": str(base)})
    root.mkdir()
    state.open_state(root / "train.json", recipe).write()
    tensors = tiny_model()
    for number in (1, 2):
        stage = root / f"stage-{number}"
        tensors = moved(tensors, number, 1e-3)
        save_weights(stage / "model", tensors)
        save_weights(stage / "engine" / "checkpoint-2", tensors)
        lines = [{"step": step + 1, "learning_rate": rate / 1024} for step, rate in enumerate((4, 2, 1, 1))]
        (stage / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def test_the_learning_rates_of_a_training_tell_what_its_steps_explain(tmp_path: Path) -> None:
    base = base_of(tmp_path / "base", tiny_model())
    root = trained(tmp_path / "train", base)

    def reach(before: Path, after: Path) -> tuple[int, float] | None:
        found = probe(before, after)["stages"][0]["optimiser"]
        return None if found is None else (found["steps"], found["total"] * 1024)

    assert reach(base, root / "stage-1") == (4, 8.0)
    assert reach(base, root / "stage-2" / "model") == (8, 16.0)
    assert reach(root / "stage-1", root / "stage-2") == (4, 8.0)
    assert reach(base, root / "stage-1" / "engine" / "checkpoint-2") == (2, 6.0)
    assert reach(root / "stage-1" / "engine" / "checkpoint-2", root / "stage-2") == (6, 10.0)
    assert reach(save_weights(tmp_path / "elsewhere", tiny_model()), root / "stage-1") is None
    assert reach(root / "stage-2", root / "stage-1") is None
    found = probe(base, root / "stage-1", root / "stage-2")["stages"]
    assert [one["optimiser"] and one["optimiser"]["source"] for one in found] == [
        f"stage-1 of {root}",
        f"stage-2 of {root}",
    ]


def test_a_pass_that_was_killed_goes_on_where_it_was_and_finds_the_same(tmp_path: Path) -> None:
    before = tiny_model()
    folders = save_weights(tmp_path / "a", before), save_weights(tmp_path / "b", moved(before, 1))
    whole = probe(*folders, out=tmp_path / "out")
    lines = (tmp_path / "out" / LINES).read_bytes().splitlines(keepends=True)
    assert json.loads((tmp_path / "out" / REPORT).read_text()) == whole
    (tmp_path / "out" / LINES).write_bytes(b"".join(lines[:30]) + lines[30][:40])
    again = probe(*folders, out=tmp_path / "out")
    assert again["stages"] == whole["stages"]
    assert (tmp_path / "out" / LINES).read_bytes().count(b"\n") == len(lines)
    assert probe(*folders, out=tmp_path / "out")["seconds_per_gigabyte"] is None
    with pytest.raises(UserError, match="holds a comparison of other checkpoints"):
        probe(folders[0], folders[0], out=tmp_path / "out")


def test_the_answer_stands_above_the_tables_and_the_json_fits_its_schema(tmp_path: Path) -> None:
    before = tiny_model()
    first, second = save_weights(tmp_path / "a", before), save_weights(tmp_path / "b", moved(before, 1))
    done = call("probe", "weights", first, second, first, "--learning-rate", "1e-3", "--steps", "30")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"{first} -> {second}"
    assert [line.partition("  ")[0] for line in lines[1:4]] == ["changed", "beyond optimiser", "below resolution"]
    assert max(map(len, [line for line in lines if line.startswith(" ")])) <= 80
    assert "expert" in done.out
    printed = call("probe", "weights", first, second, first, "--json")
    jsonschema.validate(json.loads(printed.out), json.loads((FOLDER / "probe-weights.schema.json").read_text()))


def test_thirty_billion_weights_stream_in_less_than_a_gigabyte(tmp_path: Path) -> None:
    """In short: a layer with eight experts; all 48 with 128 by `make probe-30b`."""
    whole = bool(os.environ.get("DTBENCH_WHOLE"))
    shapes = qwen3_omni_shapes() if whole else qwen3_omni_shapes(1, 8, 40_000)
    folders = [sparse_checkpoint(tmp_path / name, shapes, 5_000_000_000 if whole else 300_000_000) for name in "ab"]
    poke(folders[1], "thinker.model.layers.0.mlp.gate.weight", np.full(512, 0x3C00, np.uint16))
    code = """
import json, sys
from dtbench.harness.probe.weights import WeightsRequest, probe_weights
found = probe_weights(WeightsRequest(before=sys.argv[1], after=sys.argv[2]), lambda line: None)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) / 1e6  # getrusage would count what the process that started it had
most = found["stages"][0]["answer"]["most"]
print(json.dumps([peak, found["gigabytes"], found["seconds_per_gigabyte"], most]))
"""
    done = subprocess.run([sys.executable, "-c", code, *map(str, folders)], capture_output=True, text=True, check=True)
    peak, gigabytes, seconds, most = json.loads(done.stdout)
    print(f"\n{gigabytes:.1f} GB read, {seconds:.2f} s a GB, {peak:.2f} GB of memory at most")
    assert most == ["layer 0 router"]
    assert gigabytes == pytest.approx(2 * 2 * sum(math.prod(shape) for _, shape in shapes) / 1e9)
    assert peak < (1.0 if whole else 0.4)
