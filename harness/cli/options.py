"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.task import Task
from dtbench.tasks import registry as task_registry

TaskName = Annotated[
    str | None, typer.Option("--task", metavar="NAME", help="mmar, mmau-mini, mmsu, or a task of yours.")
]
TaskFile = Annotated[
    Path | None, typer.Option("--task-file", metavar="FILE", help="A Python file that defines a task.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
ModelOptions = Annotated[
    list[str] | None, typer.Option("-M", metavar="key=value", help="An option of the model; repeat it.")
]


def chosen_task(name: str | None, file: Path | None) -> Task:
    """The task that the two options name."""
    if file is not None:
        task = task_registry.task_from_file(file)
        if name not in {None, task.name}:
            raise UserError(f"--task {name}: {file} defines the task {task.name!r}. Leave --task out.")
        return task
    if name is None:
        raise UserError(f"--task is missing: name one of {', '.join(task_registry.task_names())}, or give --task-file.")
    return task_registry.get_task(name)


def pairs(options: list[str]) -> dict[str, str]:
    """What -M says, by name."""
    pairs: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise UserError(f"-M {option}: key=value is expected, such as -M temperature=0.7.")
        if key in pairs:
            raise UserError(f"-M {option}: {key} is given twice (-M {key}={pairs[key]}); give it once.")
        pairs[key] = value
    return pairs
