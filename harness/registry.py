"""Names to things: built-in ones by a table, others by entry point, file or dotted path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from dtbench.harness.errors import TaskError, UserError, nearest
from dtbench.harness.task import Task

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

TASKS = {
    "mmar": "dtbench.tasks.mmar:Mmar",
    "mmau-mini": "dtbench.tasks.mmau_mini:MmauMini",
    "mmau-test": "dtbench.tasks.mmau_test:MmauTest",
    "mmsu": "dtbench.tasks.mmsu:Mmsu",
}
TASK_GROUP = "dtbench.tasks"


def task(name: str) -> Task:
    """The task of this name: built in, `module:Class`, or of an installed package."""
    target = TASKS.get(name)
    if target is None and ":" in name:
        target = name
    if target is None:
        found = [point for point in _installed() if point.name == name]
        if not found:
            raise UserError(f"unknown task {name!r}. {nearest(name, task_names())}")
        target = found[0].value
    module, _, attribute = target.partition(":")
    return _as_task(getattr(_import(module), attribute, None), target)


def task_names() -> list[str]:
    """Every name that task() knows, built-in ones first."""
    installed = sorted({point.name for point in _installed()} - TASKS.keys())
    return [*TASKS, *installed]


def _installed() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 30 ms that a built-in name does not need

    return entry_points(group=TASK_GROUP)


def task_from_file(path: Path) -> Task:
    """The one task that a user's Python file defines."""
    import importlib.util

    if not path.is_file():
        raise UserError(f"--task-file {path}: there is no such file.")
    spec = importlib.util.spec_from_file_location(f"dtbench_task_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"--task-file {path}: not a Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise UserError(f"--task-file {path}: running it failed with {line}") from error
    return _as_task(_only_task_class(module, path), str(path))


def _only_task_class(module: ModuleType, path: Path) -> object:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        names = ", ".join(c.__name__ for c in own) or "none"
        raise UserError(f"--task-file {path}: one subclass of dtbench.harness.task.Task is expected, found {names}.")
    return own[0]


def _import(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A missing package inside the module is that module's trouble and keeps its traceback.
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise UserError(f"no module named {module!r} to load a task from.") from error
        raise


def _as_task(value: object, origin: str) -> Task:
    if isinstance(value, type) and issubclass(value, Task):
        try:
            return value()
        except TypeError as error:
            raise TaskError(f"task {origin}: {error}") from error
    if isinstance(value, Task):
        return value
    raise TaskError(f"{origin} is {type(value).__name__}, not a dtbench.harness.task.Task.")
