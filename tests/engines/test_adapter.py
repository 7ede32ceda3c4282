"""An adapter through the real engine: trained, killed, resumed, merged, evaluated; and none in the ears."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from processes import descendants
from runs import wait_until
from trainer import answer_in_letters, begun, ended, engine_place, short_recipe, train

import dtbench
from dtbench.models.checkpoints.tensors import Tensor, checkpoint_tensors
from dtbench.training.engines import checkpoints
from dtbench.training.engines.metrics import read_steps
from dtbench.training.engines.ms_swift import PLUGIN
from dtbench.training.stages.layout import Layout

pytestmark = pytest.mark.engine
PATIENCE = 1200.0
# A reward that answers at random differ in; where a test says so, the trainer waits in its third step to be killed.
LETTERS = """
import os
import time

from swift.rewards import ORM, orms
from transformers import Trainer

step = Trainer.training_step


def held(trainer, *inputs, **named):
    while "DTBENCH_TEST_HELD" in os.environ and trainer.state.global_step == 2:
        time.sleep(1)
    return step(trainer, *inputs, **named)


Trainer.training_step = held


class Letters(ORM):
    def __call__(self, completions, **columns):
        return [sum(letter.lower() < "n" for letter in text) / max(len(text), 1) for text in completions]


orms["letters"] = Letters
"""
# What ms-swift makes of an expression, on models as it loads them; then the plug-in looks at what came of it.
EARS = """
import os
import sys
from types import SimpleNamespace

import torch
from peft import LoraConfig, get_peft_model
from swift.pipelines.train import tuner
from transformers import Qwen2_5OmniForConditionalGeneration, Qwen3OmniMoeForConditionalGeneration

from dtbench.training.engines.adapters import target_regex
from dtbench.training.engines.inside.swift_adapter import register_targets, wrong_adapter

names = ["q_proj", "k_proj", "v_proj", "o_proj"]
by_engine = tuner.get_target_modules
os.environ["DTBENCH_ADAPTER"] = ",".join(names)
register_targets()
for kind, folder in zip((Qwen2_5OmniForConditionalGeneration, Qwen3OmniMoeForConditionalGeneration), sys.argv[1:]):
    for find, expression in (
        (tuner.get_target_modules, target_regex(names)),
        (by_engine, target_regex(names)),
        (tuner.get_target_modules, ".*[qkvo]_proj"),
    ):
        model = kind.from_pretrained(folder, dtype=torch.float32)
        model.model_info = SimpleNamespace(is_moe_model="Moe" in kind.__name__)
        targets = find(SimpleNamespace(target_modules=expression), model)
        print(wrong_adapter(get_peft_model(model, LoraConfig(r=2, target_modules=targets)), names))
"""
SHORT = {
    "train_audio_tower = true": "train_audio_tower = false",
    "train_projector = true": "train_projector = false",
    "processes = 2": "processes = 1",
    "batch = 16": "batch = 8",
    "learning_rate = 2e-4": "learning_rate = 1e-2",
    "steps = 6": "steps = 3",
    "save_every = 2": "save_every = 1",
    "questions = 40": "questions = 8",
    "max_prompt_tokens = 256": "max_prompt_tokens = 1024",  # a token is a byte here
    "max_new_tokens = 48": "max_new_tokens = 8",
    "limit = 24": "limit = 2",
    "max_tokens = 48": "max_tokens = 8",
    "audio_ablation = true": "audio_ablation = false",
    "describe = true": "describe = false",
}


def content(tensor: Tensor) -> bytes:
    """What a file holds in the place of a tensor."""
    return tensor.file.read_bytes()[tensor.start : tensor.end]


class Trained(NamedTuple):
    """A stage that was killed after two of its three steps and ended at the second start."""

    layout: Layout
    recipe: Path
    base: Path


@pytest.fixture(scope="module")
def trained(tiny_checkpoints: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train it."""
    engine_place()
    folder = tmp_path_factory.mktemp("adapter")
    base = shutil.copytree(tiny_checkpoints["qwen2.5-omni"], folder / "base")
    answer_in_letters(base)
    plugin = folder / "letters.py"
    plugin.write_text(LETTERS)
    flags = f"[flags]\nexternal_plugins = ['{PLUGIN}', '{plugin}']\nreward_funcs = ['letters']\nreward_weights = [1]\n"
    tables = f"[adapter]\nrank = 4\nalpha = 8\n{flags}[training]"
    changes = [("[training]", tables), ("qwen3_omni_moe", "qwen2_5_omni"), *SHORT.items()]
    recipe = short_recipe(folder, *changes, model=base)
    text = recipe.read_text()
    recipe.write_text(text[: text.rindex("[[stage]]")])
    layout = begun(recipe, folder / "run")
    first = train(recipe, layout.root, DTBENCH_TEST_HELD="1")
    engine = layout.stage("stage-1").engine
    try:
        wait_until(lambda: first.poll() is not None or (engine / "checkpoint-2/trainer_state.json").exists(), PATIENCE)
        assert first.poll() is None, first.communicate()[1]
        started = descendants(first.pid)
    finally:
        first.kill()
        first.communicate()
    wait_until(lambda: not [one for one in started if one.alive], PATIENCE)
    code, _, err = ended(train(recipe, layout.root))
    assert code == 0, err
    return Trained(layout, recipe, base)


def test_an_adapter_that_was_killed_goes_on_from_its_checkpoint_and_each_step_is_there_once(trained: Trained) -> None:
    stage = trained.layout.stage("stage-1")
    steps = read_steps(stage.metrics)
    assert [one["step"] for one in steps] == [1, 2, 3]
    assert all(one["grad_norm/language_model"] > 0 and one["grad_norm/audio_features"] > 0 for one in steps)
    assert all("grad_norm/audio_tower" not in one for one in steps)
    assert "resuming from step 2" in (trained.layout.root / "run.log").read_text()
    assert steps[0]["kl"] == 0 < steps[2]["kl"]  # what was learnt before the kill is still there


def test_a_stage_of_an_adapter_leaves_a_whole_model_that_is_evaluated(trained: Trained) -> None:
    stage = trained.layout.stage("stage-1")
    last = checkpoints.whole_checkpoints(stage.engine)[0]
    assert last.name == "checkpoint-3"
    assert {path.name for path in last.glob("*.safetensors")} == {"adapter_model.safetensors"}
    assert {path.name for path in stage.model.iterdir()} == {path.name for path in trained.base.iterdir()}
    assert not [path for path in stage.model.iterdir() if path.is_symlink()]
    before, after = (checkpoint_tensors(folder) for folder in (trained.base, stage.model))
    assert before.keys() == after.keys()
    changed = {name for name, one in after.items() if content(before[name]) != content(one)}
    projections = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    language = {name for name in after if name.startswith("thinker.model.layers.") and name.endswith(".weight")}
    assert changed == {name for name in language if name.split(".")[-2] in projections}
    info = json.loads((stage.eval / "run.json").read_bytes())
    assert info["status"] == "done"
    assert info["model"]["architecture"] == "Qwen2_5OmniForConditionalGeneration"
    assert "adapter" not in info["model"]


def test_an_adapter_that_reaches_the_ears_is_refused_and_ours_reaches_none(
    tiny_checkpoints: Mapping[str, Path],
) -> None:
    root = str(Path(dtbench.__file__).parent.parent)
    command = [str(engine_place() / "bin" / "python"), "-c", EARS]
    command += [str(tiny_checkpoints[name]) for name in ("qwen2.5-omni", "qwen3-omni")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    dense, dense_by_engine, dense_wide, mixture, mixture_by_engine, mixture_wide = done.stdout.splitlines()[-6:]
    assert (dense, dense_by_engine, mixture) == ("None", "None", "None")
    for told in (dense_wide, mixture_by_engine, mixture_wide):  # of a mixture PEFT keeps the last parts of names alone
        assert "none of the language model's that the recipe names: audio_tower.layers.0" in told
