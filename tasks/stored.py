"""Find the tasks of a stored run: built in, installed, or defined by a user's file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.task import Task
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks import registry as task_registry


def stored_task(run: StoredRun, name: str, task_file: Path | None = None) -> StoredTask:
    """Return a task of the run with its definition and its records.

    A task that is not registered is read from task_file, or from the file that defined it when it ran.
    """
    about = run.info["tasks"][name]
    return StoredTask(_definition(run.path, name, about, task_file), about, lambda: run.records(name))


def stored_task_names(run: StoredRun, only: str | None = None) -> list[str]:
    """Return the names of the run's tasks, or the one that --task names; a UserError if the run lacks it."""
    names = list(run.info.get("tasks", {}))
    if not names:
        raise DataError(f"{run.path / 'run.json'}: no task is named in it; it was changed since dtbench wrote it.")
    if only is None:
        return names
    if only not in names:
        raise UserError(f"--task {only}: it is not in {run.path}, which holds {', '.join(names)}.")
    return [only]


def _definition(run: Path, name: str, about: Mapping[str, Any], task_file: Path | None) -> Task:
    file = task_file or _recorded_file(about)
    if file is not None and name not in task_registry.TASKS:
        task = task_registry.task_from_file(file)
        if task.name == name:
            return task
    try:
        return task_registry.get_task(name)
    except UserError:
        raise UserError(
            f"{run}: its task {name!r} is not known here: name the file that defines it with --task-file."
        ) from None


def _recorded_file(about: Mapping[str, Any]) -> Path | None:
    """Return the file that defined the task when it ran, if it is still there."""
    file = about.get("task_file")
    return Path(file) if isinstance(file, str) and Path(file).is_file() else None
