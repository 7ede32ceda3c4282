"""Evaluate a model by `dtbench run`, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Notify
from dtbench.harness.faithful.options import FaithfulOptions
from dtbench.harness.faithful.session import count_chains
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.faithful_summaries import read_faithful
from dtbench.harness.store.leftovers import temporary_folder
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks import registry as task_registry
from dtbench.training.data.rows_task import SPEC as ROWS
from dtbench.training.engines.contract import EngineCommand
from dtbench.training.engines.launch import WatchedProcess, watched_processes
from dtbench.training.recipe.settings import Evaluation

INTERRUPTED = 130
_AGAIN = "Fix it, then run the same command again to resume."
DESCRIPTION = "description"
"""The change that `faithful` of a recipe counts: a sound of the description is another one."""


class EvalRun(NamedTuple):
    """What a call of `dtbench run` evaluates."""

    model: str
    out: Path
    clips: Path
    prompt: str | None = None
    """The prompt template; None for the task's own."""
    system: str = ""
    """The system prompt; empty: whatever `dtbench run` sends by itself."""
    audio: str = "clip"
    tasks: tuple[str, ...] = ()
    """Tasks in place of the recipe's."""
    revision: str | None = None
    """Of a model on the hub; None for the newest, and for a folder."""
    samples: int = 1
    """Answers to each question."""
    seed: int = 0

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.out if self.audio == "clip" else self.out / f"audio-{self.audio}"


def is_evaluated(run: EvalRun) -> bool:
    """Return whether the run is done."""
    return (run.folder / "run.json").is_file() and StoredRun.open(run.folder).info["status"] == "done"


def evaluated_tasks(run: EvalRun, evaluation: Evaluation) -> Sequence[str]:
    """Return the tasks of an evaluation."""
    return run.tasks or evaluation.tasks


def task_data(run: EvalRun, evaluation: Evaluation) -> Path | None:
    """Return the folder or file of the tasks' data; None for data sets that are where the user has them."""
    names = evaluated_tasks(run, evaluation)
    return run.clips if all(name == ROWS or task_registry.get_task(name).makes_clips for name in names) else None


def run_arguments(run: EvalRun, evaluation: Evaluation) -> Sequence[str]:
    """Return the arguments of `dtbench`."""
    tasks = evaluated_tasks(run, evaluation)
    arguments = ["run", "--model", run.model, "--tasks", ",".join(tasks), "--out", str(run.out)]
    arguments += ["--concurrency", str(evaluation.concurrency)]
    if evaluation.backend is not None:
        arguments += ["--backend", evaluation.backend]
    if (limit := _limit(run, evaluation)) is not None:
        arguments += ["--limit", str(limit)]
    if run.samples > 1:
        arguments += ["--samples", str(run.samples), "--seed", str(run.seed)]
    if (data := task_data(run, evaluation)) is not None:
        arguments += ["--data-dir", str(data)]
    if run.prompt is not None:
        arguments += ["--prompt", str(_words_file(run, "prompt"))]
    if run.system.strip():
        arguments += ["--system", str(_words_file(run, "system"))]
    if run.audio != "clip":
        arguments += ["--audio", run.audio]
    pinned = {} if run.revision is None else {"revision": run.revision}
    for name, value in {**pinned, **evaluation.options}.items():
        arguments += ["-M", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return arguments


def _limit(run: EvalRun, evaluation: Evaluation) -> int | None:
    limits = (evaluation.limit, evaluation.ablation_limit if run.audio != "clip" else None)
    return min((limit for limit in limits if limit is not None), default=None)


def run_evaluations(runs: Sequence[EvalRun], evaluation: Evaluation, lock: Path, say: Notify | None = None) -> None:
    """Run evaluations, as many at once as the recipe says; resume those that were interrupted.

    `say` gets their complaints in place of our stderr.
    """
    waiting = [run for run in runs if not is_evaluated(run)]
    for run in waiting:
        for kind, words in (("prompt", run.prompt), ("system", run.system.strip() or None)):
            if words is not None:
                path = _words_file(run, kind)
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_whole(path, words.encode())
    lists = _side_by_side(waiting, evaluation.at_once)
    codes = _run_lists([[run_arguments(run, evaluation) for run in own] for own in lists], lock, say or _print)
    if INTERRUPTED in codes:
        raise KeyboardInterrupt
    for own, code in zip(lists, codes, strict=True):
        for run in own:
            if not is_evaluated(run):  # whoever writes into a closed pipe ends with 0
                raise MachineryError(f"the evaluation {run.folder} {_why(code)}. {_AGAIN}")


def is_edited(run: EvalRun, task: str) -> bool:
    """Return whether the reasoning of a run's answers was edited and continued."""
    summary = read_faithful(edited_folder(run, task))
    return summary is not None and summary["status"] == "done"


def edited_folder(run: EvalRun, task: str) -> Path:
    """Return the folder of what edited reasoning led to."""
    return run.folder / f"faithful-{task}"


def continue_edited(
    run: EvalRun, tasks: Sequence[str], evaluation: Evaluation, lock: Path, say: Notify | None = None
) -> None:
    """Edit the reasoning of some answers of a finished run, and have its model continue it; resume what was begun.

    A model that was trained for nothing may write no reasoning: then none is edited.
    """
    waiting = [task for task in tasks if not is_edited(run, task)]
    waiting = [task for task in waiting if _has_chains(run, task, evaluation)]
    if not waiting:
        return
    about = ("--only", DESCRIPTION, "--limit", str(evaluation.faithful), "--concurrency", str(evaluation.concurrency))
    commands = [
        ["faithful", str(run.folder), "--task", task, "--out", str(edited_folder(run, task)), *about]
        for task in waiting
    ]
    (code,) = _run_lists([commands], lock, say or _print)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    for task in waiting:
        if not is_edited(run, task):
            raise MachineryError(f"the edited reasoning {edited_folder(run, task)} {_why(code)}. {_AGAIN}")


def _has_chains(run: EvalRun, task: str, evaluation: Evaluation) -> bool:
    # `dtbench faithful` refuses a run without chains and makes the edits again; to count takes 0.8 s for 300 answers
    return bool(count_chains(FaithfulOptions(run=run.folder, task=task, only=[DESCRIPTION], limit=evaluation.faithful)))


def _why(code: int) -> str:
    killed = code < 0 or code > 128
    return f"was killed (exit {code})" if killed else f"did not finish (exit {code}), as said above"


def _side_by_side(runs: Sequence[EvalRun], at_once: int) -> list[list[EvalRun]]:
    """Deal evaluations to processes; those of one folder, which one alone may write, come one after the other."""
    folders: dict[Path, list[EvalRun]] = {}
    for run in runs:
        folders.setdefault(run.out, []).append(run)
    lists: list[list[EvalRun]] = [[] for _ in range(min(at_once, len(folders)))]
    for own in sorted(folders.values(), key=len, reverse=True):
        min(lists, key=len).extend(own)
    return lists


def _run_lists(lists: Sequence[Sequence[Sequence[str]]], lock: Path, say: Notify) -> Sequence[int]:
    """Run lists of command lines of `dtbench`, side by side in a process each; return the exit statuses."""
    with temporary_folder("dtbench-evaluations-") as folder:
        commands = []
        threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")} if len(lists) > 1 else {}
        for number, own in enumerate(lists):
            file = folder / f"{number}.json"
            file.write_text(json.dumps([[*arguments, "--json"] for arguments in own]))
            command = [sys.executable, "-m", "dtbench.harness.cli.several", str(file)]
            commands.append(EngineCommand(command, threads))
        # Where we are interrupted, the processes end first, and with them those that listen.
        with ThreadPoolExecutor(max(1, len(commands))) as listeners, watched_processes(commands, lock) as processes:
            list(listeners.map(lambda process: _listen(process, say), processes))
            for process in processes:
                process.watchdog.wait()
    return [process.watchdog.returncode for process in processes]


def _listen(process: WatchedProcess, say: Notify) -> None:
    errors = process.watchdog.stderr
    assert errors is not None
    for line in errors:
        say(line.decode(errors="replace").rstrip("\n"))


def _print(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more
        print(line, file=sys.stderr, flush=True)


def _words_file(run: EvalRun, kind: str) -> Path:
    return run.out.with_name(f"{run.out.name}-{kind}.txt")
