"""How a run shows where it is, on stderr: a bar for each task on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from dtbench.harness.core.errors import one_line
from dtbench.harness.core.model import Notify
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.worker_pool import Progress

_LOG = logging.getLogger(__name__)
PLAIN_SECONDS = 10.0
"""Between two lines where there is no terminal."""
LONGEST_NAME = 24
"""What is shown of a task's name in front of its figures."""
BAR_FITS = 100
"""Columns of a terminal from which on a bar leaves room for the figures."""


class ProgressDisplay:
    """The bars or lines of a run."""

    def __init__(self, *, quiet: bool) -> None:
        self._bars: Any = None
        self._bar: Any = None
        self._quiet = quiet
        self._name = ""
        self._scored = True
        self._begun = self._said = time.monotonic()

    def __enter__(self) -> Self:
        """Show the bars, where there is a terminal."""
        if not self._quiet and sys.stderr.isatty():
            self._bars = _bars()
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        if self._bars is not None:
            self._bars.stop()

    def begin(self, plan: TaskPlan, progress: Progress, *, torn: int) -> None:
        """Go on to the next task, and show what is known of it before the first question."""
        self._name, self._scored = plan.task.name, plan.task.answers_public
        for line in _facts(plan, progress, torn):
            self.notify(f"{self._name}: {line}")
        self._begun = self._said = time.monotonic()
        if self._bars is not None:
            figures = self._figures(progress)
            name = self._name if len(self._name) <= LONGEST_NAME else f"{self._name[: LONGEST_NAME - 1]}…"
            self._bar = self._bars.add_task(name, total=progress.expected, completed=progress.done, figures=figures)

    def show(self, progress: Progress) -> None:
        """Tell how far the task is, where it is time to."""
        if time.monotonic() - self._said < (0.1 if self._bars is not None else PLAIN_SECONDS):
            return
        self._said = time.monotonic()
        if self._bars is not None:
            self._bars.update(self._bar, completed=progress.done, figures=self._figures(progress))
        else:
            self.notify(f"{self._name}: {progress.done} of {progress.expected}, {self._figures(progress)}")

    def end(self, progress: Progress) -> None:
        """Leave the last figures of a task on the screen, and log them."""
        _LOG.info("%s: %d of %d, %s", self._name, progress.done, progress.expected, self._figures(progress))
        if self._bars is not None:
            self._bars.update(self._bar, completed=progress.done, figures=self._figures(progress))

    def notify(self, line: str) -> None:
        """Print a line of its own, and log it."""
        _LOG.info(line, extra={"shown": not self._quiet})
        if self._bars is not None:
            self._bars.console.print(one_line(line), markup=False, highlight=False)
        elif not self._quiet:
            print(one_line(line), file=sys.stderr, flush=True)

    def _figures(self, progress: Progress) -> str:
        return ", ".join(_figures(progress, time.monotonic() - self._begun, scored=self._scored))


def logged(notify: Notify) -> Notify:
    """`notify` with every line in the log as well."""

    def log_and_notify(line: str) -> None:
        _LOG.info(line, extra={"shown": True})
        notify(line)

    return log_and_notify


def report_lines(notify: Notify, line: Callable[[Progress], str]) -> Callable[[Progress], None]:
    """Return a report for a pool of workers that shows a line of progress at most every PLAIN_SECONDS."""
    last = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_SECONDS:
            last = time.monotonic()
            notify(line(progress))

    return report


def _facts(plan: TaskPlan, progress: Progress, torn: int) -> Iterator[str]:
    yield from plan.data.notes
    if torn:
        which = "1 answer" if torn == 1 else f"{torn} answers"
        yield f"{which} that an interrupted start did not write whole {'is' if torn == 1 else 'are'} asked for again"
    if progress.done:
        yield f"{progress.done} of {progress.expected} answers are there already"


def _figures(progress: Progress, seconds: float, *, scored: bool) -> Iterator[str]:
    rate = progress.asked / seconds if seconds > 0 else 0.0
    if progress.asked:
        yield f"{rate:.1f}/s"
        if progress.done < progress.expected:
            yield f"{_duration((progress.expected - progress.done) / rate)} left"
    if scored and (answered := progress.asked - progress.failed):
        yield f"{progress.correct / answered:.1%} right"
    yield f"{progress.unanswered} unanswered"
    yield f"{progress.failed} failed"


def _duration(seconds: float) -> str:
    """Format a duration as `5 s`, `2 min 5 s` or `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _bars() -> Any:
    """Return a progress bar for each task, cut where the terminal is narrow; None where a terminal cannot redraw."""
    from rich.console import Console
    from rich.progress import BarColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        return None
    name, figures = "{task.description}", "{task.completed:.0f}/{task.total:.0f} {task.fields[figures]}"
    if console.width >= BAR_FITS:
        return Bars(_text(name), BarColumn(bar_width=20), _text(figures), console=console)
    return Bars(_text(f"{name} {figures}"), console=console)


def _text(template: str) -> Any:
    from rich.progress import TextColumn
    from rich.table import Column

    return TextColumn(template, markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
