"""A training killed at random moments, in each stage and each of its processes, with an engine that learns nothing.

tests/engines/test_train_killed.py does so with ms-swift. DTBENCH_SEED says at which moments.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from chat_server import Turn, chatting
from killed_trainings import AT_ONCE, QUESTIONS, ROLES, TrainingKills, losses, recipe_file, role_of
from kills import Counting, Killing, dtbench, half_written, whole_lines
from processes import descendants
from runs import ended, interrupt, record_files_of, wait_until
from stand_in_engine import install
from trainer import begun

from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.outcome import is_base_row
from dtbench.training.stages.watch import planned_evaluations

WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
SEED = int(os.environ.get("DTBENCH_SEED", "22"))


@pytest.mark.parametrize("number", range(5 if WHOLE else 1))
def test_a_training_that_is_killed_in_any_process_goes_on_and_has_each_step_and_answer_once(
    number: int, tmp_path: Path
) -> None:
    killing, out = Killing(tmp_path, random.Random(f"{SEED} train {number}")), tmp_path / "run"
    with chatting(default=Turn("(B)", delay=0.03)) as chat:
        file = recipe_file(tmp_path, chat)
        recipe = load_recipe(str(file))
        if not WHOLE:
            begun(file, out)
        runs = [run for label, run in planned_evaluations(recipe, Layout(out)) if WHOLE or not is_base_row(label)]
        folders = [run.folder for run in runs]
        counting = Counting(chat, lambda: sum(whole_lines(*record_files_of(one)) for one in folders), AT_ONCE)
        command = dtbench("train", file, "--out", out, "--json")
        kills = TrainingKills(killing, command, {"DTBENCH_ENGINE": str(install(tmp_path / "engine"))}, span=4.0)
        for role in killing.chance.sample(ROLES, len(ROLES)) if WHOLE else ROLES[:3]:
            kills.kill(role)
            counting.after_kill()
            assert half_written([out / "train.json", *(folder / "summary.json" for folder in folders)]) == []
        killing.finish(command, **kills.environment)
        doubled = counting.at_end()
    lost, twice = losses(recipe, out, runs, QUESTIONS)
    killing.look(out)
    CAMPAIGN.note("kill: train", killing.killed, lost=lost, doubled=doubled + twice, leaked=len(killing.leaked))
    assert (lost, doubled, twice, killing.leaked) == (0, 0, 0, [])
    assert len(kills.reached) > 1


@pytest.mark.parametrize("role", ["worker", "evaluation"])
def test_ctrl_c_in_a_training_is_one_line_and_130_and_leaves_no_process(role: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with chatting(default=Turn("(B)", delay=600 if role == "evaluation" else 0)) as chat:
        file = recipe_file(tmp_path, chat)
        begun(file, out)
        environment = {**os.environ, "DTBENCH_ENGINE": str(install(tmp_path / "engine"))}
        pipe, command = subprocess.PIPE, dtbench("train", file, "--out", out, "--json")
        with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe) as process:
            wait_until(lambda: role in {role_of(one.command) for one in descendants(process.pid)})
            wait_until(lambda: role == "worker" or chat.in_flight == AT_ONCE)
            started = descendants(process.pid)
            interrupt(process)
            done = ended(process)
    assert (done.code, done.out, done.err) == (130, "", "note: interrupted; the same command resumes\n")
    assert not [one for one in started if one.alive]
