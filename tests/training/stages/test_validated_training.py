"""A whole training with a dev split: the engine stands for itself, an endpoint for the models that are evaluated."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import Chat, Turn, chatting
from command import call, process
from killed_trainings import TrainingKills
from kills import Killing, dtbench
from packages import install as install_package
from stand_in_engine import install
from trainer import begun, endpoint_recipe

from dtbench.training.engines.metrics import read_steps
from dtbench.training.stages.layout import Layout

VALIDATION = '[validation]\ndata = ["mini-train-1"]\nevery = 2\nquestions = 10\n{more}\n[evaluation]'


def recipe_file(folder: Path, chat: Chat, more: str = "", *changes: tuple[str, str]) -> Path:
    """A recipe of one stage of 400 steps with a dev split."""
    return endpoint_recipe(
        folder,
        chat.url,
        24,
        ("limit = 24", "limit = 4"),
        ("describe = true", "describe = false"),
        ("audio_ablation = true", "audio_ablation = false"),
        ("steps = 6", "steps = 400"),
        ("[evaluation]", VALIDATION.format(more=more)),
        *changes,
    )


def only_one_stage(file: Path) -> Path:
    file.write_text(file.read_text().rpartition("[[stage]]")[0])
    return file


TRACKER = """
import json, os
class Live:
    def __init__(self, start):
        self.id = start.id
    def log(self, figures, step):
        with open(os.environ["LOGGED"], "a") as file:
            file.write(json.dumps([self.id, step, figures]) + "\\n")
    def close(self):
        print("noise of a tracker")
def log(summary, settings):
    raise RuntimeError("its run is live")
log.live = Live
"""


def tracker(folder: Path) -> dict[str, str]:
    """The environment with a package that offers a tracker, which writes into a file."""
    packages = folder / "packages"
    packages.mkdir()
    install_package(packages, "tracker", {"mine": "tracker:log"}, TRACKER, group="dtbench.loggers")
    path = os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    return {"PYTHONPATH": path, "LOGGED": str(folder / "logged")}


def ids(path: Path, plan: Sequence[dict[str, Any]]) -> set[str]:
    found = {json.loads(line)["row"] for line in path.read_text().splitlines()}
    assert found <= {row["id"] for row in plan}
    return found


def test_a_stage_ends_early_with_its_best_checkpoint_however_often_it_is_killed(tmp_path: Path) -> None:
    out, engine = tmp_path / "run", install(tmp_path / "engine")
    killing = Killing(tmp_path, random.Random(f"{os.environ.get('DTBENCH_SEED', '24')} dev"))
    with chatting(default=Turn("(B)")) as chat:
        file = only_one_stage(recipe_file(tmp_path, chat, "patience = 3"))
        begun(file, out)
        layout = Layout(out).stage("stage-1")
        environment = {"DTBENCH_ENGINE": str(engine), **tracker(tmp_path)}
        command = ("train", file, "--out", out, "--json", "--log", "mine")
        TrainingKills(killing, dtbench(*command), environment, span=1.0).kill("worker")
        done = process(*command, stdin=b"", **environment)
        noted = {int(step["step"]) for step in read_steps(layout.metrics)}
        log, state = (layout.engine / "logging.jsonl").read_bytes(), json.loads((out / "train.json").read_text())
        state["stages"][0]["state"] = "prepared"  # as if it was killed before it was noted that the stage had ended
        (out / "train.json").write_text(json.dumps(state))
        again = process("train", file, "--out", out, DTBENCH_ENGINE=str(engine))
    assert again.code == 0, again.err
    assert "has not risen in 3 measurements, since step 4 (0.500), so the stage ends here" in again.err
    assert (layout.engine / "logging.jsonl").read_bytes() == log, "no step was taken"
    assert done.code == 0, done.err
    assert json.loads(layout.best_step.read_text()) == {"step": 4, "metric": "accuracy", "value": 0.5}
    assert [path.name for path in layout.best.iterdir()] == ["checkpoint-4"]
    for file_of_model in ("model.safetensors", "config.json"):
        assert (layout.model / file_of_model).samefile(layout.best / "checkpoint-4" / file_of_model)
    steps = read_steps(layout.metrics)
    numbers = [int(step["step"]) for step in steps]
    assert numbers == list(range(1, numbers[-1] + 1))
    assert 10 <= numbers[-1] < 400
    assert {int(step["step"]): (step["dev/accuracy"], step["dev/gap"]) for step in steps if "dev/gap" in step} == {
        number: (0.5 - abs(number - 4) / 16, 0.25 + abs(number - 4) / 16) for number in numbers if number % 2 == 0
    }
    (dev_figures,) = json.loads(done.out)["dev"]
    assert 10 <= dev_figures.pop("last_step") < 400  # steps that came while the stage was ended are noted, or not
    assert dev_figures == {"stage": "stage-1", "step": 4, "metric": "accuracy", "value": 0.5, "gap": 0.25}
    logged = [json.loads(line) for line in (tmp_path / "logged").read_text().splitlines()]
    assert len({run for run, _, _ in logged}) == 1, "one run over all starts"
    of_steps = {step: figures for _, step, figures in logged if "stage-1/loss" in figures}
    assert len(of_steps) == sum("stage-1/loss" in figures for _, _, figures in logged), "no step twice"
    assert set(of_steps) >= noted
    assert of_steps[4]["stage-1/dev/accuracy"] == 0.5
    assert [figures["stage-1/mini/n"] for _, _, figures in logged if "stage-1/mini/n" in figures] == [4]
    plan = json.loads(layout.reward_plan.read_text())
    learnt, dev = ids(layout.questions, plan["rows"]), ids(layout.dev_questions, plan["rows"])
    assert (len(learnt), len(dev), learnt & dev) == (40, 10, set())
    assert set(plan["dev"]) == dev


REFUSED = {
    "a benchmark": ('data = ["mini-train-1"]', 'data = ["mmar"]', "data = 'mmar': a benchmark is no dev split"),
    "the test": ('data = ["mini-train-1"]', 'data = ["mini"]', "data = 'mini': a benchmark is no dev split"),
    "unsaved": ("every = 2", "every = 3", "every = 3: a multiple of save_every = 2 is expected (stage stage-1)"),
    "no reward": ("every = 2", 'every = 2\nmetric = "acuracy"', "metric = 'acuracy': stage stage-1 has no such reward"),
    "megatron": ('engine = "swift"', 'engine = "megatron"', "validation: megatron goes through a dev split"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_dev_split_that_cannot_be_measured_is_refused_before_anything_starts(name: str, tmp_path: Path) -> None:
    before, after, why = REFUSED[name]
    with chatting() as chat:
        file = recipe_file(tmp_path, chat)
    head, _, rest = file.read_text().partition("[validation]")
    if name == "megatron":
        head = head.replace(before, after).replace('rollouts = "transformers"', 'rollouts = "colocate"')
        head = head.replace("batch = 16", "batch = 64")
    file.write_text(f"{head}[validation]{rest.replace(before, after, 1)}")
    for more in ((), ("--dry-run",)):
        assert why in call("train", file, "--out", tmp_path / "run", *more).refusal()
    assert not (tmp_path / "run").exists()
