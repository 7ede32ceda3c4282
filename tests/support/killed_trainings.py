"""Trainings that are killed in each of their processes at random moments, and what their folders hold in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chat_server import Chat
from kills import Killing, is_gone
from processes import Running, descendants
from runs import PATIENCE
from sharded import answers_in_files
from trainer import endpoint_recipe, of_few_rows

from dtbench.tasks.registry import get_task
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages.evaluate import EvalRun
from dtbench.training.stages.layout import Layout

MACHINERY = 3
WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
QUESTIONS, AT_ONCE = 12, 4
ROLES = ("train", "worker", "evaluation", "engine", "watchdog")
"""The processes of a training."""


def role_of(command: str) -> str | None:
    """Which of them a command line is."""
    if "watchdog.py" in command:
        return "watchdog"
    if "dtbench.harness.cli.several" in command:
        return "evaluation"
    if "torch.distributed.run" in command:
        return None
    return (
        "worker" if "rlhf.py" in command or "swift worker" in command else "engine" if "bin/swift" in command else None
    )


def recipe_file(folder: Path, chat: Chat, *changes: tuple[str, str]) -> Path:
    """A recipe of two stages whose models an endpoint stands for."""
    return endpoint_recipe(
        folder,
        chat.url,
        AT_ONCE,
        ("limit = 24", f"limit = {QUESTIONS}"),
        ("describe = true", f"describe = {str(WHOLE).lower()}"),
        ("audio_ablation = true", f"audio_ablation = {str(WHOLE).lower()}"),
        *of_few_rows(folder),
        *changes,
    )


@dataclass
class TrainingKills:
    """Starts a training again and again, and kills one of its processes each time."""

    killing: Killing
    command: Sequence[str]
    environment: Mapping[str, str]
    span: float
    """Seconds within which a process is killed once it is there."""
    reached: list[str] = field(default_factory=list)
    """The roles that were killed."""

    def kill(self, role: str) -> None:
        """Start the training and kill the process with this role; nothing of it is left."""
        process = self.killing.start(self.command, **self.environment)
        try:
            end = time.monotonic() + (self.killing.chance.uniform(0, self.span) if role == "train" else PATIENCE)
            victim: Running | None = None
            while process.poll() is None and victim is None and time.monotonic() < end:
                time.sleep(0.05)
                victim = self._found(process, role)
            if victim is not None:
                time.sleep(self.killing.chance.uniform(0, self.span / 4))
            started = descendants(process.pid)
            if role == "train":
                killed = self.killing.kill(process)
            else:
                killed = victim is not None and victim.alive
                self._kill(victim if killed else None, process)
            self.reached += [role] if killed else []
        finally:
            process.kill()
            process.wait()
        self.killing.leaked += [one.command for one in started if not is_gone(one)]

    def _found(self, process: subprocess.Popen[bytes], role: str) -> Running | None:
        return next((one for one in descendants(process.pid) if role_of(one.command) == role), None)

    def _kill(self, victim: Running | None, process: subprocess.Popen[bytes]) -> None:
        if victim is None:
            return
        os.kill(victim.pid, signal.SIGKILL)
        self.killing.killed += 1
        assert process.wait(timeout=PATIENCE) in {0, MACHINERY}, victim


def losses(recipe: Recipe, out: Path, runs: Sequence[EvalRun], questions: int) -> tuple[int, int]:
    """How many steps and answers of a finished training are not there, and how many are there twice."""
    layout = Layout(out)
    lost = doubled = 0
    for stage in recipe.stage:
        steps = [step["step"] for step in read_steps(layout.stage(stage.name).metrics)]
        lost += len(set(range(1, (stage.steps or 0) + 1)) - set(steps))
        doubled += len(steps) - len(set(steps))
    for run in runs:
        (task,) = run.tasks or recipe.evaluation.tasks
        found = answers_in_files(run.folder, get_task(task).name)
        lost += questions - len(found)
        doubled += sum(found.values()) - len(found)
    assert json.loads((out / "train.json").read_bytes())["base"] == "done"
    assert json.loads((out / "outcome.json").read_bytes())["rows"]
    return lost, doubled
