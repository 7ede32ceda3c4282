"""Both stages through the real engine, killed on the way, and what must stop it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import call
from processes import descendants
from reported import first
from runs import wait_until
from trainer import begun, ended, short_recipe, train

from dtbench.training.engines import checkpoints
from dtbench.training.engines.launch import failure_reason
from dtbench.training.engines.metrics import read_steps
from dtbench.training.engines.ms_swift import PLUGIN
from dtbench.training.stages.layout import Layout

pytestmark = pytest.mark.engine
PATIENCE = 1200.0
LOSING = """
import torch
from transformers.models.qwen3_omni_moe import modeling_qwen3_omni_moe as modeling

Thinker = modeling.Qwen3OmniMoeThinkerForConditionalGeneration
whole = Thinker.forward


def losing(self, *inputs, **named):
    if {when} and named.get("input_features") is not None:
        named["input_features"] = {what}
    return whole(self, *inputs, **named)


Thinker.forward = losing
"""
# A plug-in under which some forward passes hear less than others; the trainer's use no cache, those that answer do.
DEAF = {"when": "torch.is_grad_enabled()", "what": "None"}
HARD_OF_HEARING = {"when": "not named.get('use_cache')", "what": "0.1 * named['input_features']"}
# A plug-in under which a process of the first stage aborts once everything is done, as one in many does by itself;
# where a test says so, it waits to be killed after three steps, of which two are kept.
ABORTING = """
import atexit
import os
import time

from torch import distributed
from transformers import Trainer

step = Trainer.training_step


def held(trainer, *inputs, **named):
    while "DTBENCH_TEST_HELD" in os.environ and trainer.state.global_step == 3:
        time.sleep(1)
    return step(trainer, *inputs, **named)


Trainer.training_step = held


def abort():
    print("in a group at the end:", distributed.is_initialized(), flush=True)
    os.abort()


if "stage-1" in os.environ["DTBENCH_REWARDS"] and os.environ["RANK"] == "1":
    atexit.register(abort)
"""


def with_plugin(folder: Path, text: str) -> tuple[str, str]:
    """The change of a recipe that adds a plug-in to ours."""
    plugin = folder / "another_plugin.py"
    plugin.write_text(text)
    return "[training]", f"[flags]\nexternal_plugins = ['{PLUGIN}', '{plugin}']\n[training]"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, dict[str, Any], Sequence[str]]:
    """A run of two stages that was killed in the first one, which then ends badly after its last step.

    Its folder, its table, what the first stage's engine left.
    """
    folder = tmp_path_factory.mktemp("train")
    recipe, layout = short_recipe(folder, with_plugin(folder, ABORTING)), Layout(folder / "run")
    first = train(recipe, layout.root, DTBENCH_TEST_HELD="1")
    engine = layout.stage("stage-1").engine
    try:
        wait_until(lambda: first.poll() is not None or checkpoints.whole_checkpoints(engine), PATIENCE)
        assert first.poll() is None, first.communicate()[1]
        started = descendants(first.pid)
    finally:
        first.kill()
        first.communicate()
    wait_until(lambda: not [one for one in started if one.alive], PATIENCE)
    torn = engine / "checkpoint-99"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"half")
    code, out, err = ended(train(recipe, layout.root))
    assert code == 0, err
    return layout, json.loads(out), sorted(path.name for path in engine.iterdir())


def test_a_run_that_was_killed_goes_on_to_its_end_and_each_step_is_there_once(
    trained: tuple[Layout, dict[str, Any], Sequence[str]],
) -> None:
    layout, _, left = trained
    log = (layout.root / "run.log").read_text()
    assert log.count("start of dtbench") == 2
    assert log.splitlines()[-1].endswith("ended: done")
    for stage, steps in (("stage-1", 6), ("stage-2", 4)):
        assert [one["step"] for one in read_steps(layout.stage(stage).metrics)] == list(range(1, steps + 1))
    held = json.loads(layout.state.read_text())
    assert held["stages"] == [{"name": "stage-1", "state": "done"}, {"name": "stage-2", "state": "done"}]
    assert len(held["starts"]) == 2
    assert "checkpoint-99" not in left


def test_an_engine_that_ends_badly_after_its_last_step_stops_nothing(
    trained: tuple[Layout, dict[str, Any], Sequence[str]],
) -> None:
    layout, _, _ = trained
    said = layout.stage("stage-1").log.read_text(errors="replace")
    assert failure_reason(layout.stage("stage-1").log).startswith("Signal 6 (SIGABRT)")
    assert "in a group at the end: True" not in said  # where one that is aborts by itself, now and then


def test_the_policy_learns_from_what_it_hears_with_the_weights_that_answered(
    trained: tuple[Layout, dict[str, Any], Sequence[str]],
) -> None:
    layout, _, _ = trained
    for stage, parts in (("stage-1", ("accuracy", "format", "consistency", "hybrid")), ("stage-2", ("evaluator",))):
        steps = read_steps(layout.stage(stage).metrics)
        learnt = [one for one in steps if one["grad_norm"] > 0]
        assert len(learnt) > len(steps) / 2
        assert all(one["grad_norm/audio_features"] > 0 and one["grad_norm/audio_tower"] > 0 for one in learnt)
        assert steps[0]["divergence"] < 1e-4
        assert all(0 <= one[f"reward/{part}"] <= 1 for one in steps for part in parts)
        assert {"kl", "entropy", "completion_length", "clip_ratio"} <= set(steps[0])


def test_each_stage_starts_from_the_one_before_and_leaves_a_model_that_is_evaluated(
    trained: tuple[Layout, dict[str, Any], Sequence[str]],
) -> None:
    layout, table, _ = trained
    names = [row["name"] for row in table["rows"]]
    assert names == ["base", "base, as-trained", "stage-1", "stage-2", "stage-2, shuffled clips"]
    assert [row["strict"]["n"] for row in table["rows"]] == [24] * 5
    described = [(row["name"], row["exact"]["n"]) for row in table["described"]]
    assert [sum(n for one, n in described if one == name) for name in ("base", "stage-2")] == [24, 24]
    assert {("stage-1", "stage-2"), ("base", "stage-2")} <= {(one["from"], one["to"]) for one in table["paired"]}
    contents = [(layout.stage(name).model / "model.safetensors").read_bytes() for name in ("stage-1", "stage-2")]
    assert contents[0] != contents[1]
    args = json.loads((layout.stage("stage-2").engine / "args.json").read_text())
    assert args["model"] == str(layout.stage("stage-1").model)


def test_a_finished_run_is_told_again_and_nothing_of_it_is_redone(
    trained: tuple[Layout, dict[str, Any], Sequence[str]],
) -> None:
    layout, table, _ = trained
    before = {path: path.stat().st_mtime_ns for path in layout.root.rglob("*") if path.suffix == ".safetensors"}
    log = layout.stage("stage-2").log.read_bytes()
    code, out, err = ended(train(layout.root.parent / "short.toml", layout.root))
    assert code == 0, err
    assert json.loads(out) == table
    assert layout.stage("stage-2").log.read_bytes() == log
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_run_that_takes_everything_from_another_trains_nothing_and_tells_the_same(
    trained: tuple[Layout, dict[str, Any], Sequence[str]], tmp_path: Path
) -> None:
    layout, table, _ = trained
    code, out, err = ended(train(layout.root.parent / "short.toml", tmp_path / "run", "--reuse", str(layout.root)))
    assert code == 0, err
    assert json.loads(out.replace(str(tmp_path / "run"), str(layout.root))) == table
    assert not (tmp_path / "run" / "stage-1" / "engine" / "checkpoint-6").exists()
    held = json.loads((tmp_path / "run" / "train.json").read_text())
    assert [line.partition(":")[0] for line in held["starts"][-1]["reused"]] == ["base", "stage-1", "stage-2"]


def test_the_report_shows_every_evaluation_every_curve_and_every_pair_of_a_training(
    trained: tuple[Layout, dict[str, Any], Sequence[str]], tmp_path: Path
) -> None:
    layout, table, _ = trained
    page = tmp_path / "report.html"
    assert call("report", layout.root, "--audio", "none", "--out", page).code == 0
    told = first(page)
    shown = {one["name"]: one for one in told["training"]["stages"]}
    assert list(shown) == [row["name"] for row in table["rows"]]
    for row in table["rows"]:
        (score,) = shown[row["name"]]["scores"]
        was_read = score["unanswered"] < score["n"]  # else the report tells no share: a dead model does not score 0 %
        assert score["strict"]["accuracy"] == (row["strict"]["accuracy"] if was_read else None)
        assert score["marks"]["formed"] == row["formed"]
    assert [one["state"] for one in shown.values() if not one["otherwise"]] == ["done"] * 3
    for name, steps in (("stage-1", 6), ("stage-2", 4)):
        logged = read_steps(layout.stage(name).metrics)
        curves = shown[name]["curves"]
        assert set(curves) == {metric for one in logged for metric in one if metric != "step"}
        assert curves["reward"] == [[at, one["reward"]] for at, one in enumerate(logged, 1)]
        assert [at for at, _ in curves["grad_norm/audio_features"]] == list(range(1, steps + 1))
    assert [(one["from"], one["to"], one["p"]) for one in told["training"]["paired"]] == [
        (one["from"], one["to"], one["p"]) for one in table["paired"]
    ]
    assert [run["name"] for run in told["runs"]] == ["base", "stage-2"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param(DEAF, "the policy is deaf", id="deaf"),
        pytest.param(
            HARD_OF_HEARING,
            "differs from the one being trained (divergence",
            id="hard of hearing",
            marks=pytest.mark.whole,
        ),
    ],
)
def test_a_trainer_that_loses_the_clip_is_stopped_at_its_first_step(
    tmp_path: Path, fault: dict[str, str], told: str
) -> None:
    recipe = short_recipe(
        tmp_path,
        with_plugin(tmp_path, LOSING.format(**fault)),
        ("processes = 2", "processes = 1"),
    )
    begun(recipe, tmp_path / "run")
    code, _, err = ended(train(recipe, tmp_path / "run"))
    assert code == 3
    assert told in err
    steps = read_steps(Layout(tmp_path / "run").stage("stage-1").metrics)
    assert [one["step"] for one in steps] in ([], [1])
