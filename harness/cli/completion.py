"""What a shell fills in for the values of options: names from tables and folders, without loading what they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import typer

RUN_FOLDERS = (".", "runs", "results/runs")
"""Where runs are looked for, beside the folder that is being typed."""
MAX_FOLDERS = 2000
"""Entries of one folder: a larger one is no folder of runs."""

Completer = Callable[[typer.Context, str], list[str]]


def typed_words() -> Sequence[str]:
    """Return the words after `dtbench` on the command line that is being typed."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    return line.split()[1:]


def completer(values: str | Sequence[str]) -> Completer | None:
    """Return the function that completes values, or those of a source; None for files, which a shell knows itself."""
    if not isinstance(values, str):
        return _of(lambda context, incomplete: values) if values else None
    return _of(_SOURCES[values]) if values in _SOURCES else None


def _of(source: Callable[[typer.Context, str], Iterable[str]]) -> Completer:
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return [value for value in source(ctx, incomplete) if value.startswith(incomplete)]

    return complete


def _tasks(context: typer.Context, incomplete: str) -> Iterable[str]:
    from dtbench.tasks.registry import task_names

    return task_names()


def _tasks_and_suites(context: typer.Context, incomplete: str) -> Iterable[str]:
    from dtbench.tasks.suites import suite_names

    return [*_tasks(context, incomplete), *suite_names()]


def _task_lists(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield lists of tasks with one more than is typed."""
    before, comma, _ = incomplete.rpartition(",")
    given = before.split(",")
    return (f"{before}{comma}{name}" for name in _tasks_and_suites(context, incomplete) if name not in given)


def _models(context: typer.Context, incomplete: str) -> Iterator[str]:
    from dtbench.models.registry import model_names

    yield from model_names()
    parent = Path(incomplete[: incomplete.rindex("/") + 1] if "/" in incomplete else ".")
    yield from (_typed(one) for one in _folders(parent) if (one / "config.json").is_file())


def _families(context: typer.Context, incomplete: str) -> Iterable[str]:
    from dtbench.models.checkpoints.families import built_in_families

    return built_in_families()


def _prompts(context: typer.Context, incomplete: str) -> Iterable[str]:
    from dtbench.models.checkpoints.prompts import authors_prompts

    return authors_prompts()


def _recipes(context: typer.Context, incomplete: str) -> Iterable[str]:
    from dtbench.training.recipe.recipe import recipe_names

    return recipe_names()


def _runs(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield folders that hold a run, in the places where runs are and below what is typed."""
    typed = Path(incomplete[: incomplete.rindex("/")] or "/") if "/" in incomplete else None
    for place in (typed,) if typed is not None else map(Path, RUN_FOLDERS):
        for folder in _folders(place):
            if (folder / "run.json").is_file():
                yield _typed(folder)
            yield from (_typed(inner) for inner in _folders(folder) if (inner / "run.json").is_file())


def _settings(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the keys of `-M` for the model that is named."""
    from dtbench.harness.cli.model_settings import find_settings

    yield "help"
    yield from (f"{one.name}=" for one in find_settings({**context.params, "options": ()}).settings)


def _folders(place: Path) -> Sequence[Path]:
    """Return the folders in a place; none where it cannot be read or holds more than anyone types."""
    try:
        with os.scandir(place) as entries:
            folders = [Path(one.path) for one, _ in zip(entries, range(MAX_FOLDERS), strict=False) if one.is_dir()]
    except OSError:
        return ()
    return sorted(one for one in folders if not one.name.startswith("."))


def _typed(path: Path) -> str:
    return str(path).removeprefix("./")


_SOURCES: Mapping[str, Callable[[typer.Context, str], Iterable[str]]] = {
    "tasks": _tasks,
    "task lists": _task_lists,
    "models": _models,
    "families": _families,
    "prompts": _prompts,
    "recipes": _recipes,
    "runs": _runs,
    "settings": _settings,
}
