"""How a run shows where it is, on stderr: a bar for each task on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from dtbench.harness.run import Tally

PLAIN_SECONDS = 10.0
"""Between two lines where there is no terminal."""


class Progress:
    """The bars or lines of a run."""

    def __init__(self, *, quiet: bool) -> None:
        self._bars: Any = None
        self._bar: Any = None
        self._quiet = quiet
        self._name = ""
        self._begun = self._said = time.monotonic()
        self._already = 0

    def __enter__(self) -> Self:
        """Show the bars, where there is a terminal."""
        if not self._quiet and sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        if self._bars is not None:
            self._bars.stop()

    def begin(self, name: str, tally: Tally) -> None:
        """Go on to the next task."""
        self._name, self._already = name, tally.done
        self._begun = self._said = time.monotonic()
        if self._bars is not None:
            figures = self._figures(tally)
            self._bar = self._bars.add_task(name, total=tally.expected, completed=tally.done, **figures)
        elif tally.done:
            self.say(f"{name}: {tally.done} of {tally.expected} answers are there already")

    def show(self, tally: Tally) -> None:
        """Tell how far the task is."""
        if self._bars is not None:
            self._bars.update(self._bar, completed=tally.done, **self._figures(tally))
        elif time.monotonic() - self._said >= PLAIN_SECONDS:
            self._said = time.monotonic()
            self.say(f"{self._name}: {tally.done} of {tally.expected}, {', '.join(self._figures(tally).values())}")

    def say(self, line: str) -> None:
        """A line of its own."""
        if self._bars is not None:
            self._bars.console.print(line, markup=False)
        elif not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def _figures(self, tally: Tally) -> dict[str, str]:
        rate = (tally.done - self._already) / max(time.monotonic() - self._begun, 1e-9)
        answered = tally.asked - tally.failed
        return {
            "rate": f"{rate:.1f}/s",
            "left": f"{(tally.expected - tally.done) / rate:.0f} s left" if rate else "no answer yet",
            "accuracy": f"{tally.correct / answered:.1%} right" if answered else "none right yet",
            "trouble": f"{tally.unanswered} unanswered, {tally.failed} failed",
        }


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[accuracy]}  {task.fields[trouble]}"),
        console=Console(stderr=True),
    )
