"""Suites: lists of benchmarks under one name, ours in suites.toml and a user's in a TOML file of the same keys."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.typed_settings import read_table, read_toml
from dtbench.tasks.registry import TOML

OURS = Path(__file__).with_name("suites.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Benchmarks that are run together."""

    name: str
    title: str = ""
    tasks: Sequence[str]


@functools.cache
def our_suites() -> Mapping[str, Suite]:
    """Return the suites of dtbench by name."""
    return {name: _suite({"name": name, **table}, OURS.name) for name, table in read_toml(OURS).items()}


def suite_names() -> list[str]:
    """List the names of the suites of dtbench."""
    return list(our_suites())


def expand_suites(names: Iterable[str]) -> list[str]:
    """Put the tasks of each suite in its place, each task once."""
    return list(dict.fromkeys(task for name in names for task in _tasks_of(name)))


def _tasks_of(name: str) -> Sequence[str]:
    if name.endswith(TOML):
        path = Path(name)
        table = read_toml(path)
        if "tasks" not in table:
            return [name]
        suite = _suite(table, str(path))
        return [_beside(task, path) for task in suite.tasks]
    suites = our_suites()
    return suites[name].tasks if name in suites else [name]


def _beside(task: str, suite: Path) -> str:
    """Return a task of a user's suite: a task file is looked for beside the suite."""
    return str(suite.parent / task) if task.endswith(TOML) else task


def _suite(table: Mapping[str, Any], where: str) -> Suite:
    suite = read_table(Suite, table, where)
    if not suite.tasks:
        raise UserError(f"{where}: tasks = []: the names of benchmarks are expected.")
    if nested := next((one for one in suite.tasks if one == suite.name), None):
        raise UserError(f"{where}: tasks: {nested!r} is the suite itself.")
    return suite
