"""Both stages of a training by `megatron rlhf`, a stand-in that is killed between its mark and its shards."""

from __future__ import annotations

import json
from pathlib import Path

from chat_server import Turn, chatting
from command import process
from stand_in_megatron import install
from trainer import begun, endpoint_recipe, of_few_rows

from dtbench.models.checkpoints.tensors import safetensors_header
from dtbench.training.engines.metrics import read_steps
from dtbench.training.stages.layout import Layout

MACHINERY = 3
CHANGES = (
    ('engine = "swift"', 'engine = "megatron"'),
    ("micro_batch = 8", "micro_batch = 2"),
    ('dtype = "float32"', 'dtype = "bfloat16"'),
    ('device = "cpu"', 'device = "gpu"'),
    ('rollouts = "transformers"', 'rollouts = "colocate"'),
    ("limit = 24", "limit = 4"),
    ("audio_ablation = true\ndescribe = true", "audio_ablation = false\ndescribe = false"),
    ("steps = 6", "epochs = 1"),
    ("steps = 4", "steps = 4\ntraining = { save_optimizer = false }"),
)


def test_a_kill_between_megatrons_mark_and_its_shards_costs_the_steps_since_the_last_whole_checkpoint(
    tmp_path: Path,
) -> None:
    """Stage 1 resumes from the state of its optimizer, stage 2 from its weights alone."""
    out, engine, order = tmp_path / "run", install(tmp_path / "engine"), tmp_path / "die"
    with chatting(default=Turn("(B)")) as chat:
        file = endpoint_recipe(tmp_path, chat.url, 4, *of_few_rows(tmp_path), *CHANGES)
        begun(file, out)
        for name in ("stage-1", "stage-2"):
            order.write_text(name)
            killed = process("train", file, "--out", out, DTBENCH_ENGINE=str(engine), STAND_IN_DIES=str(order))
            assert killed.code == MACHINERY, killed.err
            torn = Layout(out).stage(name).engine / "checkpoint-4"
            assert (torn / "latest_checkpointed_iteration.txt").read_text() == "4"
        done = process("train", file, "--out", out, DTBENCH_ENGINE=str(engine), STAND_IN_DIES=str(order))
    assert done.code == 0, done.err
    told = (out / "run.log").read_text()
    for name in ("stage-1", "stage-2"):
        assert f"{name}: checkpoint-4 is incomplete and is deleted" in told
        assert f"{name}: resuming from step 2" in told
    for name, steps in (("stage-1", 10), ("stage-2", 4)):
        own = Layout(out).stage(name)
        assert [step["step"] for step in read_steps(own.metrics)] == list(range(1, steps + 1))
        assert read_steps(own.metrics)[0]["seconds"] == 2.5
        assert sorted(path.name for path in own.engine.glob("checkpoint-*")) == sorted(
            f"checkpoint-{step}" for step in (steps - 2, steps)
        )
        shards = sorted(own.model.glob("*.safetensors"))
        assert [list(safetensors_header(shard)[0]) for shard in shards] == [["layer.0"], ["layer.1"]]
        assert not (own.model / "latest_checkpointed_iteration.txt").exists()
    stages = json.loads((out / "train.json").read_text())["stages"]
    assert [stage["state"] for stage in stages] == ["done", "done"]
