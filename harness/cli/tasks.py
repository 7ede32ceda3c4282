"""`dtbench tasks`: the benchmarks, and what is known of each."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from dtbench.harness import registry
from dtbench.harness.cli.options import AsJson, TaskFile
from dtbench.harness.task import Task

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One task only.")]


def command(name: Name = None, task_file: TaskFile = None, as_json: AsJson = False) -> None:
    """List the benchmarks and what is known of each."""
    if task_file is not None:
        tasks = [registry.task_from_file(task_file)]
    else:
        tasks = [registry.task(wanted) for wanted in ([name] if name else registry.task_names())]
    if as_json:
        typer.echo(json.dumps([_facts(task) for task in tasks]))
    else:
        _print(tasks)


def _facts(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "title": task.title,
        "items": task.size,
        "paper": task.paper,
        "licence": task.licence,
        "scorers": list(task.scorers),
        "prediction_keys": list(task.prediction_keys),
        "groups": [list(grouping.fields) for grouping in task.groupings],
        "answers_public": task.answers_public,
    }


def _print(tasks: list[Task]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "what it is", "items", "licence", "prediction key", "scorers")
    table.columns[2].justify = "right"
    for task in tasks:
        scorers = ", ".join(task.scorers) if task.answers_public else "none: answers withheld"
        items = f"{task.size:,}" if task.size else "?"
        table.add_row(task.name, task.title, items, task.licence, task.prediction_keys[0], scorers)
    Console(highlight=False).print(table)
