"""`dtbench tasks`: the benchmarks, and what is known of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import DtbenchError, UserError, one_line
from dtbench.harness.core.options import OUTPUT, Argument, AsJson, Option, TaskFile
from dtbench.harness.core.task import Task
from dtbench.harness.lm_eval.plug import FOLDER, task_files
from dtbench.tasks import registry as task_registry
from dtbench.tasks.suites import expand_suites, our_suites

Name = Annotated[str | None, Argument("[TASK]", "Only this benchmark, or those of this suite.", values="tasks")]
LmEval = Annotated[
    bool,
    Option(
        "--lm-eval",
        None,
        "Print the folder for lm-eval's --include_path; with TASK,TASK, the files of these tasks.",
        panel=OUTPUT,
    ),
]


def named_task(name: str | None, file: Path | None) -> Task:
    """Return the task that --task or --task-file names."""
    if file is not None:
        task = task_registry.task_from_file(file)
        if name not in {None, task.name}:
            raise UserError(f"--task {name}: {file} defines the task {task.name!r}; leave --task out.")
        return task
    if name is None:
        raise UserError(f"--task is missing: name one of {', '.join(task_registry.task_names())}, or give --task-file.")
    return task_registry.get_task(name)


@with_options
def tasks_command(
    name: Name = None, task_file: TaskFile = None, lm_eval: LmEval = False, as_json: AsJson = False
) -> None:
    """List benchmarks and what is known about each."""
    if lm_eval:
        files = [FOLDER] if name is None else task_files([one.strip() for one in name.split(",")])
        typer.echo(json.dumps([str(file) for file in files]) if as_json else ",".join(map(str, files)))
        return
    everything = name is None and task_file is None
    tasks, broken = _usable_tasks() if everything else (_named_tasks(name, task_file), {})
    if as_json:
        facts = [_facts(task) for task in tasks]
        typer.echo(json.dumps([*facts, *({"name": name, "error": why} for name, why in broken.items())]))
    else:
        _print(tasks)
        if everything:
            _print_suites()
        for unusable, why in broken.items():
            typer.echo(one_line(f"{unusable} cannot be used: {why}"))


def _named_tasks(name: str | None, file: Path | None) -> list[Task]:
    """Return the task that is named, or those of a suite."""
    if file is not None or name is None:
        return [named_task(name, file)]
    return [task_registry.get_task(one) for one in expand_suites([name])]


def _usable_tasks() -> tuple[list[Task], dict[str, str]]:
    """Return every task, and why some of installed packages cannot be used."""
    tasks, broken = [], {}
    for name in task_registry.task_names():
        try:
            tasks.append(task_registry.get_task(name))
        except DtbenchError as error:
            broken[name] = str(error)
    return tasks, broken


def _facts(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "title": task.title,
        "items": task.size,
        "paper": task.paper,
        "licence": task.licence,
        "source": _source_of(task),
        "scorers": [one.name for one in task.scorers] or list(task.official_versions),
        "prediction_keys": list(task.prediction_keys),
        "suites": [suite.name for suite in our_suites().values() if task.name in suite.tasks],
        "groups": [list(grouping.fields) for grouping in task.groupings],
        "answers_public": task.answers_public,
    }


def _source_of(task: Task) -> str:
    """Return where the data of a task comes from, as far as dtbench knows."""
    from dtbench.tasks.data.sources import SOURCES, HubFile
    from dtbench.tasks.declared.task import DeclaredTask

    if isinstance(task, DeclaredTask):
        return task.source
    files = SOURCES.get(task.name, ())
    pages = [
        f"{file.repo}@{file.revision[:7]}" if isinstance(file, HubFile) else _repository(file.page) for file in files
    ]
    return ", ".join(dict.fromkeys(pages))


def _repository(page: str) -> str:
    """Return a file of GitHub as the commit of its repository."""
    _, _, path = page.partition("githubusercontent.com/")
    owner, _, rest = path.partition("/")
    name, _, commit = rest.partition("/")
    return f"github.com/{owner}/{name}@{commit[:7]}" if commit else page


def _print(tasks: list[Task]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=True)
    table.add_column("task", overflow="fold")
    table.add_column("description", overflow="fold")
    table.add_column("items", justify="right", no_wrap=True)
    for task in tasks:
        lines = Text("\n".join(_lines(task)))
        table.add_row(Text(one_line(task.name)), lines, f"{task.size:,}" if task.size else "?")
    Console(highlight=False).print(table)


def _print_suites() -> None:
    from rich.console import Console
    from rich.text import Text

    for suite in our_suites().values():
        Console(highlight=False).print(Text(one_line(f"suite {suite.name}: {suite.title} ({', '.join(suite.tasks)})")))


def _lines(task: Task) -> Iterator[str]:
    if task.title:
        yield one_line(task.title)
    yield one_line(f"prediction key {task.prediction_keys[0]}{f', licence {task.licence}' if task.licence else ''}")
    if source := _source_of(task):
        yield one_line(f"source: {source}")
    if task.scorers:
        yield one_line(f"scorers: {', '.join(one.name for one in task.scorers)}")
    if not task.answers_public:
        yield "answers withheld: cannot be scored here"
    elif len(task.official_versions) > 1:
        yield one_line(f"versions of the script: {', '.join(task.official_versions)}")
