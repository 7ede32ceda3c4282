"""Evaluate a model by `dtbench run`, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Notify
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.mini import SPLIT_OF
from dtbench.training.engines.contract import EngineCommand
from dtbench.training.engines.launch import watched_process
from dtbench.training.recipe.settings import Evaluation
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


def run_evaluation(run: EvalRun, evaluation: Evaluation, lock: Path, say: Notify | None = None) -> None:
    """Run the evaluation; resume one that was interrupted. `say` gets its complaints in place of our stderr."""
    if is_evaluated(run):
        return
    if run.prompt is not None:
        path = _prompt_file(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, run.prompt.encode())
    code = _run(run_arguments(run, evaluation), lock, say or _print)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code or not is_evaluated(run):  # whoever writes into a closed pipe ends with 0
        why = f"was killed (exit {code})" if code < 0 or code > 128 else f"did not finish (exit {code}), as said above"
        raise MachineryError(f"the evaluation {run.folder} {why}. Fix it, then run the same command again to resume.")


def _run(arguments: Sequence[str], lock: Path, say: Notify) -> int:
    """Run `dtbench`, which ends with us, and return its exit status."""
    command = [sys.executable, "-m", "dtbench.harness.cli.main", *arguments, "--json"]
    with watched_process(EngineCommand(command, {}), lock) as process:
        errors = process.watchdog.stderr
        assert errors is not None
        for line in errors:
            say(line.decode(errors="replace").rstrip("\n"))
    return process.watchdog.returncode


def _print(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more
        print(line, file=sys.stderr, flush=True)


def _prompt_file(run: EvalRun) -> Path:
    return run.out.with_name(f"{run.out.name}-prompt.txt")
