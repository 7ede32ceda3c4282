"""Names to things: built-in ones by a table, others by entry point, file or dotted path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from dtbench.harness.errors import TaskError, UserError, described, nearest
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
    target = TASKS.get(name) or (name if ":" in name else _target_of_installed(name))
    module, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise UserError(f"task {target!r} is no path to a class: `package.module:Class` is expected.")
    found = getattr(_import(module), attribute, None)
    if found is None:
        raise UserError(f"task {target!r}: the module {module} has no {attribute}.")
    return _as_task(found, target)


def task_names() -> list[str]:
    """Every name that task() knows, built-in ones first."""
    installed = sorted({point.name for point in _installed()} - TASKS.keys())
    return [*TASKS, *installed]


def _installed() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 30 ms that a built-in name does not need

    return entry_points(group=TASK_GROUP)


def _target_of_installed(name: str) -> str:
    targets = sorted({point.value for point in _installed() if point.name == name})
    if not targets:
        raise UserError(f"unknown task {name!r}. {nearest(name, task_names())}")
    if len(targets) > 1:
        raise UserError(f"several packages offer a task {name!r}: name one of {' or '.join(targets)} instead.")
    return targets[0]


def task_from_file(path: Path) -> Task:
    """The one task that a user's Python file defines."""
    import importlib.util

    if path.is_dir():
        raise UserError(f"--task-file {path}: this is a folder; a Python file that defines a task is expected.")
    if not path.is_file():
        raise UserError(f"--task-file {path}: there is no such file.")
    spec = importlib.util.spec_from_file_location(f"dtbench_task_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"--task-file {path}: not a Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles of the file look themselves up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"--task-file {path}: running it failed with {described(error)}.") from error
    try:
        return _as_task(_only_task_class(module, path), str(path))
    except TaskError as error:
        raise UserError(f"--task-file: {error}") from error


def _only_task_class(module: ModuleType, path: Path) -> type[Task]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
    ]
    # A base that several tasks of the file share is not one itself.
    candidates = [value for value in own if not value.__abstractmethods__] or own
    if len(candidates) != 1:
        names = ", ".join(value.__name__ for value in candidates) or "none"
        raise UserError(f"--task-file {path}: one subclass of dtbench.harness.task.Task is expected, found {names}.")
    return candidates[0]


def _import(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise UserError(f"no module named {module!r} to load a task from.") from error
        raise TaskError(f"{module}: importing it failed with {described(error)}.") from error
    except Exception as error:  # someone else's code
        raise TaskError(f"{module}: importing it failed with {described(error)}.") from error


def _as_task(value: object, origin: str) -> Task:
    if isinstance(value, type) and issubclass(value, Task):
        value = _instance(value, origin)
    if not isinstance(value, Task):
        raise TaskError(f"{origin} is {type(value).__name__}, not a dtbench.harness.task.Task.")
    name = getattr(value, "name", None)
    if not isinstance(name, str) or not name:
        raise TaskError(f"{origin}: the task {type(value).__name__} has no name; give it one: name = 'my-task'.")
    return value


def _instance(kind: type[Task], origin: str) -> Task:
    missing = sorted(kind.__abstractmethods__)
    if missing:
        raise TaskError(f"{origin}: the task {kind.__name__} lacks {', '.join(f'{name}()' for name in missing)}.")
    try:
        return kind()
    except Exception as error:  # someone else's code
        raise TaskError(f"{origin}: making the task {kind.__name__} failed with {described(error)}.") from error
