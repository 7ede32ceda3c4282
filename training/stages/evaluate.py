"""A stage's model, evaluated by `dtbench run` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.mini import SPLIT_OF
from dtbench.training.recipe.recipe import Evaluation
from dtbench.training.stages.describe_task import SPEC

INTERRUPTED = 130


class EvalRun(NamedTuple):
    """A run of `dtbench run`."""

    model: str
    out: Path
    clips: Path
    prompt: str | None = None
    """Words of our own; None for the task's."""
    audio: str = "clip"
    tasks: tuple[str, ...] = ()
    """Others than the recipe's."""

    @property
    def folder(self) -> Path:
        """Where the run is."""
        return self.out if self.audio == "clip" else self.out / f"audio-{self.audio}"


def is_done(exam: EvalRun) -> bool:
    """Whether all of it was asked and answered."""
    return (exam.folder / "run.json").is_file() and StoredRun.open(exam.folder).info.get("status") == "done"


def arguments(exam: EvalRun, evaluation: Evaluation) -> Sequence[str]:
    """The command line behind `dtbench`."""
    tasks = exam.tasks or evaluation.tasks
    told = ["run", "--model", exam.model, "--tasks", ",".join(tasks), "--out", str(exam.out)]
    told += ["--concurrency", str(evaluation.concurrency)]
    if evaluation.backend is not None:
        told += ["--backend", evaluation.backend]
    if evaluation.limit is not None:
        told += ["--limit", str(evaluation.limit)]
    if set(tasks) <= {*SPLIT_OF, SPEC}:
        told += ["--data-dir", str(exam.clips)]  # else the data sets are where the user has them
    if exam.prompt is not None:
        told += ["--prompt", str(_prompt_file(exam))]
    if exam.audio != "clip":
        told += ["--audio", exam.audio]
    for name, value in evaluation.options.items():
        told += ["-M", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    return told


def evaluate(exam: EvalRun, evaluation: Evaluation) -> None:
    """Ask all questions; one that was interrupted goes on."""
    if is_done(exam):
        return
    if exam.prompt is not None:
        path = _prompt_file(exam)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, exam.prompt.encode())
    command = [sys.executable, "-m", "dtbench.harness.cli.main", *arguments(exam, evaluation)]
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=dict(os.environ))
    if done.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if done.returncode or not is_done(exam):  # whoever writes into a closed pipe ends with 0
        raise MachineryError(
            f"the evaluation {exam.folder} ended with exit {done.returncode} and is not done, for the reason above. "
            f"Once that is mended, the same command goes on with it."
        )


def _prompt_file(exam: EvalRun) -> Path:
    return exam.out.with_name(f"{exam.out.name}-prompt.txt")
