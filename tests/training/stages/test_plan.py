"""What a dry run says of a training: every command of every role, and what it takes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command import call

from dtbench.training.recipe.recipe import recipe_names
from dtbench.training.stages.options import TrainOptions
from dtbench.training.stages.plan import chosen_settings, needs, planned_commands


def test_every_command_of_every_role_stands_in_the_order_in_which_it_starts() -> None:
    found = [one.where for one in planned_commands(TrainOptions(recipe="qwen3-omni-30b", out=Path("/runs/x")))]
    stages = [
        [
            f"{stage}, on the node that answers (rollout)",
            f"{stage}, on trainer nodes 0 to 6, NODE_RANK each",
            f"evaluation of {stage}, on trainer node 0",
        ]
        for stage in ("stage-1", "stage-2")
    ]
    base = ["evaluation of base, on trainer node 0", "evaluation of base, as-trained, on trainer node 0"]
    mined = [one for one in found if "mining" in one]
    assert [one for one in found if one not in mined] == ["judge, on its node", *base, *stages[0], *stages[1]]


def test_an_endpoint_takes_the_place_of_the_judges_node() -> None:
    options = TrainOptions(recipe="qwen3-omni-30b", out=Path("/runs/x"), judge_url="http://h:8100/v1")
    assert [one.where for one in planned_commands(options) if "judge" in one.where] == []
    assert needs(options)[:2] == [
        "nodes: 8 (7 trainer, 1 rollout); 64 GPUs in all",
        "judge: http://h:8100/v1, whose GPUs are not counted",
    ]


def test_what_it_takes_counts_every_role_and_every_checkpoint() -> None:
    nodes, evaluation, disk, chosen = needs(TrainOptions(recipe="qwen3-omni-30b", out=Path("/runs/x")))
    assert nodes == "nodes: 9 (7 trainer, 1 rollout, 1 judge); 72 GPUs in all"
    assert evaluation == "evaluation: 2 copies of the model over 8 GPUs of node 0"
    assert disk.startswith("disk: about 3 TB (estimate): 480 GB a checkpoint (weights and optimizer), 2 kept")
    assert "training.schedule" in chosen
    assert "training.generations" not in chosen


def test_a_model_whose_size_nothing_tells_is_said_to_be_unknown() -> None:
    options = TrainOptions(recipe="qwen3-omni-30b", out=Path("/runs/x"), model="org/model")
    assert "disk: unknown: the size of the model is neither here nor in its name" in needs(options)


def test_chosen_are_the_settings_whose_comments_say_so(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('model = "m"  # chosen\n[training]\nbeta = 1  # paper\nclip = 2  # paper: why; chosen: how\n')
    assert chosen_settings(str(own)) == ["model", "training.clip"]


@pytest.mark.parametrize("name", recipe_names())
def test_a_shell_can_read_what_is_printed(name: str) -> None:
    done = call("train", name, "--out", "/runs/x", "--dry-run")
    assert done.code == 0
    names = dict.fromkeys(("NODE_RANK", "MASTER_ADDR", "ROLLOUT_HOST", "JUDGE_URL"), "1")
    programs = "swift() { :; }; megatron() { :; }; vllm() { :; }; dtbench() { :; }\n"
    read = subprocess.run(
        ["bash", "-eu"], input=programs + done.out, env={**os.environ, **names}, capture_output=True, text=True
    )
    assert (read.returncode, read.stderr) == (0, "")
