"""Evaluate a model by `dtbench run`, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Notify
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.mini import SPLIT_OF
from dtbench.training.recipe.recipe import Evaluation
from dtbench.training.stages.describe_task import SPEC

INTERRUPTED = 130


class EvalRun(NamedTuple):
    """What a call of `dtbench run` evaluates."""

    model: str
    out: Path
    clips: Path
    prompt: str | None = None
    """The prompt template; None for the task's own."""
    audio: str = "clip"
    tasks: tuple[str, ...] = ()
    """Tasks in place of the recipe's."""

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.out if self.audio == "clip" else self.out / f"audio-{self.audio}"


def is_evaluated(run: EvalRun) -> bool:
    """Return whether the run is done."""
    return (run.folder / "run.json").is_file() and StoredRun.open(run.folder).info["status"] == "done"


def run_arguments(run: EvalRun, evaluation: Evaluation) -> Sequence[str]:
    """Return the arguments of `dtbench`."""
    tasks = run.tasks or evaluation.tasks
    arguments = ["run", "--model", run.model, "--tasks", ",".join(tasks), "--out", str(run.out)]
    arguments += ["--concurrency", str(evaluation.concurrency)]
    if evaluation.backend is not None:
        arguments += ["--backend", evaluation.backend]
    if evaluation.limit is not None:
        arguments += ["--limit", str(evaluation.limit)]
    if set(tasks) <= {*SPLIT_OF, SPEC}:
        arguments += ["--data-dir", str(run.clips)]  # other data sets are where the user has them
    if run.prompt is not None:
        arguments += ["--prompt", str(_prompt_file(run))]
    if run.audio != "clip":
        arguments += ["--audio", run.audio]
    for name, value in evaluation.options.items():
        arguments += ["-M", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return arguments


def run_evaluation(run: EvalRun, evaluation: Evaluation, say: Notify | None = None) -> None:
    """Run the evaluation; resume one that was interrupted. `say` gets its complaints in place of our stderr."""
    if is_evaluated(run):
        return
    if run.prompt is not None:
        path = _prompt_file(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, run.prompt.encode())
    command = [sys.executable, "-m", "dtbench.harness.cli.main", *run_arguments(run, evaluation), "--json"]
    code = _run(command, say)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code or not is_evaluated(run):  # whoever writes into a closed pipe ends with 0
        raise MachineryError(
            f"the evaluation {run.folder} did not finish (exit {code}), for the reason above. "
            f"Fix it, then run the same command again to resume."
        )


def _run(command: Sequence[str], say: Notify | None) -> int:
    """Run a command, which ends with us, and return its exit status."""
    errors = None if say is None else subprocess.PIPE
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, text=True, errors="replace") as process:
        try:
            if say is not None and process.stderr is not None:
                for line in process.stderr:
                    say(line.rstrip("\n"))
            return process.wait()
        except BaseException:
            process.kill()
            raise


def _prompt_file(run: EvalRun) -> Path:
    return run.out.with_name(f"{run.out.name}-prompt.txt")
