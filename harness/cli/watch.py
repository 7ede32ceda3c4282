"""`dtbench watch`: look at a run, a judge, `cot` or a training that goes on elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Protocol

import typer

from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.core.options import OUTPUT, RUNS, Argument, AsJson, Option
from dtbench.harness.run.live_line import PLAIN_SECONDS, is_rewritable, terminal_columns
from dtbench.harness.run.watch import KILLED, RUNNING, RunWatch, WatchedFolder, run_to_watch

Folder = Annotated[Path, Argument("RUN", "Folder of a run, a judge, `cot` or a training.")]
Every = Annotated[float, Option("--every", "SECONDS", "Seconds between updates.", panel=RUNS)]
Once = Annotated[bool, Option("--once", None, "Print the state once instead of following it.", panel=OUTPUT)]
EXIT_CODES = {"done": 0, "failed": 3, KILLED: 3, "interrupted": 130}


class Watcher(Protocol):
    """Whatever can be looked at again and again."""

    def update(self) -> WatchedFolder:
        """Look once more."""


@with_options
def watch_command(run: Folder, every: Every = 2.0, once: Once = False, as_json: AsJson = False) -> None:
    """Follow a run that was started elsewhere: its progress, the time left, and whether it is alive.

    It only reads the run's folder. It ends when the run does, with the run's exit code.
    """
    if every <= 0:
        raise UserError(f"--every {every:g}: more than 0 seconds are expected.")
    watch, screen = _open(run), Screen()
    while True:
        view = watch.update()
        ended = view.status != RUNNING
        if as_json:
            typer.echo(json.dumps(view.as_json()))
        elif once:
            for line in _plain_lines(view):
                typer.echo(line)
        else:
            screen.show(view, last=ended)
        if once or ended:
            break
        time.sleep(every)
    raise typer.Exit(0 if once else EXIT_CODES.get(view.status, 0))


class Screen:
    """Shows a line a task on stderr: rewritten in place on a terminal, now and then elsewhere."""

    def __init__(self) -> None:
        self._rewrites = is_rewritable(sys.stderr)
        self._drawn = 0
        self._shown = -PLAIN_SECONDS

    def show(self, view: WatchedFolder, *, last: bool) -> None:
        """Show a state in the place of the one before."""
        if self._rewrites:
            lines = list(_fitted_lines(view, terminal_columns(sys.stderr) - 1))
            back = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
            self._drawn = len(lines)
        elif last or time.monotonic() - self._shown >= PLAIN_SECONDS:
            lines, back, self._shown = list(_plain_lines(view)), "", time.monotonic()
        else:
            return
        print(f"{back}{chr(10).join(lines)}", file=sys.stderr, flush=True)


def _open(path: Path) -> Watcher:
    from dtbench.training.stages.watch import TrainingWatch, is_training_folder

    if is_training_folder(path):
        return TrainingWatch(path)
    if (found := run_to_watch(path)) != path:
        print_note(f"{path} is not a run itself; watching {found}")
    return RunWatch(found)


def _plain_lines(view: WatchedFolder) -> Iterator[str]:
    for task in view.tasks:
        yield one_line(task.state.plain(task.name))
    yield one_line(f"{view.kind} {view.path} ({view.status}), {view.liveness}")


def _fitted_lines(view: WatchedFolder, columns: int) -> Iterator[str]:
    """Yield lines that no terminal breaks; of the last one, as many parts as there is room for."""
    for task in view.tasks:
        yield one_line(task.state.fitted(task.name, columns))
    parts = [f"{view.status}, {view.liveness}", view.status]
    lines = [f"{view.kind} {view.path} ({view.status}), {view.liveness}", *parts]
    yield next((line for line in map(one_line, lines) if len(line) <= columns), "")
