"""The benchmarks by name: classes of Python, task files of ours, files of a user, data sets of the hub, and suites."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from dtbench.harness.core.errors import TaskError, UserError, format_error
from dtbench.harness.core.guarded_task import foreign_code, guard
from dtbench.harness.core.lookup import NameTable, list_names, look_up
from dtbench.harness.core.marks import TaskScorer
from dtbench.harness.core.scorer import Column, Grouping
from dtbench.harness.core.scorer_names import as_scorers
from dtbench.harness.core.task import LM_EVAL_PREFIX, Task

TASKS = {
    "mmar": "dtbench.tasks.mmar:Mmar",
    "mmau-mini": "dtbench.tasks.mmau_mini:MmauMini",
    "mmau-test": "dtbench.tasks.mmau_test:MmauTest",
    "mmsu": "dtbench.tasks.mmsu:Mmsu",
    "adqa-dev": "benchmarks/adqa-dev.toml",
    "adqa-bench": "benchmarks/adqa-bench.toml",
    "big-bench-audio": "benchmarks/big-bench-audio.toml",
    "mmau-pro": "benchmarks/mmau-pro.toml",
    "muchomusic": "benchmarks/muchomusic.toml",
    "sakura": "benchmarks/sakura.toml",
    "star-bench": "benchmarks/star-bench.toml",
    "trea": "benchmarks/trea.toml",
    "voicebench-mmsu": "benchmarks/voicebench-mmsu.toml",
    "voicebench-openbookqa": "benchmarks/voicebench-openbookqa.toml",
    "mini": "dtbench.tasks.mini:Mini",
    "mini-train-1": "dtbench.tasks.mini:MiniTrain1",
    "mini-train-2": "dtbench.tasks.mini:MiniTrain2",
    "mini-hop": "dtbench.tasks.mini_hop:MiniHop",
    "mini-hop-train-1": "dtbench.tasks.mini_hop:MiniHopTrain1",
    "mini-hop-train-2": "dtbench.tasks.mini_hop:MiniHopTrain2",
    "mini-lure": "dtbench.tasks.mini_lure:MiniLure",
    "mini-lure-train": "dtbench.tasks.mini_lure:MiniLureTrain",
}
"""Name -> dotted path of a class, or a task file in this folder, such as `benchmarks/adqa-dev.toml`."""
TOML = ".toml"
HUB_PREFIX = "hf:"
"""How the name of a data set of the hub begins that carries its task."""
LM_EVAL_TASK = "dtbench.harness.lm_eval.task:LmEvalTask"
"""A path, as everything in the table: lm-eval's tasks stand above this file."""
TABLES = (
    ("groupings", Grouping, "(Grouping('Category', ('category',)),)"),
    ("columns", Column, "(Column('Music', {'category': 'music'}),)"),
)
"""Attribute of a task, what it holds, and an example."""
_TASKS = NameTable("task", TASKS, "dtbench.tasks", TaskError)


def get_task(name: str) -> Task:
    """Return the task of this name.

    It is built in, or of an installed package, or named as `lm_eval:NAME`, `module:Class`, FILE.toml or `hf:ORG/NAME`.
    """
    if name.startswith(LM_EVAL_PREFIX):
        task: Task = _lm_eval_task()(name)
        return task
    if name.startswith(HUB_PREFIX):
        from dtbench.tasks.declared.hub import definition_of_hub
        from dtbench.tasks.declared.task import DeclaredTask

        return DeclaredTask(definition_of_hub(name), trusted=False, fetches=True)
    if (target := TASKS.get(name, "")).endswith(TOML):
        from dtbench.tasks.declared.task import DeclaredTask

        return DeclaredTask.of_ours(Path(__file__).parent / target)
    if name.endswith(TOML):
        return task_from_file(Path(name), "--tasks")
    return as_task(*look_up(_TASKS, name))


def task_names() -> list[str]:
    """List every name of a task, built-in ones first."""
    return list_names(_TASKS)


def task_from_file(path: Path, flag: str = "--task-file") -> Task:
    """Return the one task that a user's file defines: a task file in TOML, Python, or YAML for lm-eval."""
    if path.is_dir():
        raise UserError(f"{flag} {path}: this is a folder; a file that defines a task is expected.")
    if not path.is_file():
        raise UserError(f"{flag} {path}: there is no such file.")
    if path.suffix == TOML:
        from dtbench.tasks.declared.task import DeclaredTask

        return DeclaredTask.from_file(path)
    if path.suffix in {".yaml", ".yml"}:
        task: Task = _lm_eval_task().of_file(path)
        return task
    return _task_of_python(path)


class _SourceAsItIs(SourceFileLoader):
    """Reads a user's file each time: byte code of an edit in the same second and of the same size would pass for it."""

    def path_stats(self, path: str) -> Mapping[str, Any]:
        raise OSError(f"{path}: no byte code of it is kept")


def _task_of_python(path: Path) -> Task:
    import importlib.util

    if path.suffix != ".py":
        raise UserError(f"--task-file {path}: neither a task file nor Python; its name must end in .toml or .py.")
    loader = _SourceAsItIs(_module_of(path), str(path))
    spec = importlib.util.spec_from_file_location(loader.name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles of the file look themselves up there
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for what the command prints
            loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"--task-file {path}: running it failed with {format_error(error)}.") from error
    try:
        return as_task(_only_task_class(module, path), str(path))
    except TaskError as error:
        raise UserError(f"--task-file: {error}") from error


def task_of_table(table: Mapping[str, Any], place: str) -> Task:
    """Return the task of what a task file said, as run.json keeps it: it may come from elsewhere, and names no code."""
    from dtbench.tasks.declared.task import DeclaredTask

    return DeclaredTask.from_table(table, place)


def is_from_file(task: Task, path: Path) -> bool:
    """Whether the task is defined by this file of a user."""
    return type(task).__module__ == _module_of(path) or task.defined_in == path


def _module_of(path: Path) -> str:
    return f"dtbench_task_file_{path.stem}"


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
        raise UserError(f"--task-file {path}: one subclass of dtbench.Task is expected, found {names}.")
    return candidates[0]


def as_task(value: object, origin: str) -> Task:
    """Return a task, made of its class where it is one; a TaskError where it is none or lacks what a task has."""
    if isinstance(value, type) and issubclass(value, Task):
        value = _instance(value, origin)
    if not isinstance(value, Task):
        raise TaskError(f"{origin} is {type(value).__name__}, not a dtbench.Task.")
    name = getattr(value, "name", None)
    if not isinstance(name, str) or not name:
        raise TaskError(f"{origin}: the task {type(value).__name__} has no name; add one, such as name = 'my-task'.")
    _refuse_odd_tables(value, origin)
    _read_scorers(value, origin)
    return value if type(value).__module__.startswith("dtbench.") else guard(value)


def _read_scorers(task: Task, origin: str) -> None:
    """Put scorers in place of their names; a TaskError where one is none."""
    given = task.scorers
    if not given or all(isinstance(one, TaskScorer) for one in given):
        return
    try:
        vars(task)["scorers"] = tuple(as_scorers(given))
    except UserError as error:
        raise TaskError(f"{origin}: scorers of the task {type(task).__name__}: {error}") from None


def _refuse_odd_tables(task: Task, origin: str) -> None:
    """Raise a TaskError where `groupings` or `columns` hold anything else: after the last question it would be late."""
    for attribute, kind, example in TABLES:
        given = getattr(task, attribute)
        listed = given if isinstance(given, (list, tuple)) and not isinstance(given, kind) else [given]
        for one in listed:
            if (
                not isinstance(one, kind)
                or isinstance(one[1], str)
                or not all(isinstance(field, str) for field in one[1])
            ):
                raise TaskError(
                    f"{origin}: {attribute} of the task {type(task).__name__} holds {one!r}; write {example}."
                )


def _instance(kind: type[Task], origin: str) -> Task:
    missing = sorted(kind.__abstractmethods__)
    if missing:
        raise TaskError(f"{origin}: the task {kind.__name__} lacks {', '.join(f'{name}()' for name in missing)}.")
    with foreign_code(origin, f"creating the task {kind.__name__}"):
        return kind()


def _lm_eval_task() -> type[Any]:
    return cast("type[Any]", look_up(_TASKS, LM_EVAL_TASK)[0])
