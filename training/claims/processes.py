"""Trainings as processes of their own, side by side: started, watched, and ended in good order."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.store.atomic import replace_unsynced
from dtbench.training.claims.plan import Experiment, sources
from dtbench.training.claims.results import TrainedArm
from dtbench.training.engines.contract import EngineCommand
from dtbench.training.engines.launch import failure_reason, watched_processes
from dtbench.training.engines.metrics import read_steps
from dtbench.training.stages import state
from dtbench.training.stages.layout import BASE, Layout

_SECONDS = "seconds"
"""The file in a training's folder that says how long it has run, over all starts."""
_NOTED_EVERY = 20.0


class ClaimJob(NamedTuple):
    """A training that is to be started, or the evaluation of the base that all of a recipe begin with."""

    experiment: Experiment
    one: TrainedArm
    cores: int

    @property
    def label(self) -> str:
        """Return how lines of output call it."""
        seed = "" if self.one.arm == BASE else f"-{self.one.recipe.seed}"
        return f"{self.one.name}: {self.one.arm}{seed}"

    @property
    def log(self) -> Path:
        """Return where its output goes."""
        root = self.one.layout.root
        return root.with_name(f"{root.name}.log")


class RunningJob:
    """A job whose process runs."""

    def __init__(self, job: ClaimJob, engine: Path | None) -> None:
        """Start it."""
        self.job = job
        root = job.one.layout.root
        root.mkdir(parents=True, exist_ok=True)
        _share_clips(job.one.layout)
        self._before = read_seconds(job.one.layout)
        self._started = self._noted = time.monotonic()
        self._stack = contextlib.ExitStack()
        output = self._stack.enter_context(job.log.open("ab"))
        self._log_start = job.log.stat().st_size
        threads = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        command = EngineCommand(_command(job, engine), threads)
        lock = root.with_name(f".{root.name}.lock")
        (self._process,) = self._stack.enter_context(watched_processes([command], lock, output))

    @property
    def seconds(self) -> float:
        """Return how long it has run, over all starts."""
        return self._before + time.monotonic() - self._started

    def code(self) -> int | None:
        """Return its exit status; None while it runs."""
        now = time.monotonic()
        if now - self._noted > _NOTED_EVERY:
            self._noted = now
            self._note()
        return self._process.watchdog.poll()

    def close(self) -> None:
        """End it in good order where it still runs: it goes on from its last checkpoint when it is started again."""
        self._note()
        self._stack.close()

    def reason(self) -> str:
        """Return why it failed."""
        return failure_reason(self.job.log, self._log_start)

    def progress(self) -> str:
        """Return how far it is."""
        if self.job.one.arm == BASE:
            return f"{self.job.label}: being evaluated"
        done = read_stages(self.job.one.layout)
        for stage in self.job.one.recipe.stage:
            if done.get(stage.name, state.WAITING) in {state.WAITING, state.MINED, state.PREPARED}:
                steps = read_steps(self.job.one.layout.stage(stage.name).metrics)
                step = int(steps[-1]["step"]) if steps else 0
                return f"{self.job.label}: {stage.name}, step {step} of {stage.steps or '?'}"
        return f"{self.job.label}: being evaluated"

    def _note(self) -> None:
        with contextlib.suppress(OSError, DtbenchError):
            replace_unsynced(self.job.one.layout.root / _SECONDS, f"{self.seconds:.1f}\n".encode())


def read_seconds(layout: Layout) -> float:
    """Return how long a training has run, over all starts."""
    try:
        return float((layout.root / _SECONDS).read_text())
    except (OSError, ValueError):
        return 0.0


def read_stages(layout: Layout) -> dict[str, str]:
    """Return how far the stages of a training are, `base` among them; nothing where it was not begun."""
    if not layout.state.is_file():
        return {}
    try:
        found = state.read_state(layout.state)
    except DtbenchError:
        return {}
    return {BASE: found.base, **found.stages}


def tidy(one: TrainedArm) -> None:
    """Delete the checkpoints of a finished training, which are many times its models; the models stay for others."""
    for stage in one.recipe.stage:
        for checkpoint in one.layout.stage(stage.name).engine.glob("checkpoint-*"):
            shutil.rmtree(checkpoint, ignore_errors=True)


def _command(job: ClaimJob, engine: Path | None) -> Sequence[str]:
    one, root = job.one, str(job.one.layout.root)
    if one.arm == BASE:
        module = "dtbench.training.claims.untrained"
        return [sys.executable, "-m", module, job.experiment.spec, root, str(job.cores)]
    named = [] if one.recipe.arm is None else ["--arm", one.recipe.arm]
    command = ["train", job.experiment.spec, *named, "--seed", str(one.recipe.seed), "--out", root, "--json"]
    if engine is not None:
        command += ["--engine", str(engine)]
    if (source := _source(job)) is not None:
        command += ["--reuse", str(source.layout.root)]
    return [sys.executable, "-m", "dtbench.harness.cli.main", *command]


def _source(job: ClaimJob) -> TrainedArm | None:
    """Return the training whose stages are taken over: the first that has one of them, else the evaluated base."""
    for other in sources(job.one, job.experiment):
        done = read_stages(other.layout)
        if done.get(BASE) != state.DONE:
            continue
        first = job.one.recipe.stage[0].name
        if other.arm == BASE or (done.get(first) == state.DONE and _has_model(other, first)):
            return other
    return None


def _has_model(one: TrainedArm, stage: str) -> bool:
    return (one.layout.stage(stage).model / "config.json").is_file()


def _share_clips(layout: Layout) -> None:
    """Let a training have its clips where all of its recipe have them: they are the same, and many."""
    if not layout.clips.exists() and not layout.clips.is_symlink():
        shared = layout.root.parent / "clips"
        shared.mkdir(exist_ok=True)
        layout.clips.symlink_to(os.path.relpath(shared, layout.root))
