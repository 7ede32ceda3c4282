"""What the live line says of a pool of workers: of a run, of a judge, of `dtbench cot`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from dtbench.harness.core.model import Notify
from dtbench.harness.run.live_line import LiveFigure, LiveLine, LiveState, duration
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.spending import Spending
from dtbench.harness.run.worker_pool import Progress
from dtbench.harness.score.stored_run import MIXED_DOWN

_LOG = logging.getLogger(__name__)
LEFT, RATE, RIGHT, FAILED, COST, UNANSWERED, TOKENS, RETRIES = range(8)
"""The ranks of figures: where there is no room, the last ones go first."""


class ProgressDisplay:
    """The line of a run, for one task after the other."""

    def __init__(self, *, quiet: bool) -> None:
        self._line = LiveLine(quiet=quiet)
        self._progress = Progress(0)
        self.pace: Pace | None = None
        """That of the run which is shown."""
        self.spending: Spending | None = None
        """As pace."""

    def __enter__(self) -> Self:
        """Start to show."""
        self._line.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._line.__exit__(kind, error, trace)

    def begin(self, plan: TaskPlan, progress: Progress, *, torn: int) -> None:
        """Go on to the next task, and show what is known of it before the first question."""
        for line in _facts(plan, progress, torn):
            self.notify(f"{plan.task.name}: {line}")
        self._progress, scored = progress, plan.task.answers_public
        self._line.begin(
            plan.task.name,
            lambda seconds: run_state(self._progress, seconds, scored=scored, pace=self.pace, spending=self.spending),
        )

    def show(self, progress: Progress) -> None:
        """Show how far the task is, where it is time to."""
        self._progress = progress
        self._line.refresh()

    def end(self, progress: Progress) -> None:
        """Leave the last figures of a task on the screen, and log them."""
        self._progress = progress
        self._line.end()

    def notify(self, line: str) -> None:
        """Print a line of its own, and log it."""
        self._line.notify(line)


def run_state(
    progress: Progress,
    seconds: float,
    *,
    scored: bool = True,
    pace: Pace | None = None,
    spending: Spending | None = None,
) -> LiveState:
    """Return how far a task of a run is, after so many seconds of this start."""
    figures = [*(() if pace is None else limit_figures(pace)), *pace_figures(progress, seconds)]
    if scored and (answered := progress.asked - progress.failed - progress.waiting):
        figures.append(LiveFigure(f"{progress.correct / answered:.1%} right", RIGHT))
    figures.append(LiveFigure(f"{progress.unanswered} unanswered", UNANSWERED))
    if progress.waiting:
        figures.append(LiveFigure(f"{progress.waiting} wait for a scorer", UNANSWERED))
    figures.append(LiveFigure(f"{progress.failed} failed", FAILED))
    if spending is not None and (cost := spending.cost) is not None:
        figures.append(LiveFigure(f"cost {cost:,.2f}", COST))
    return LiveState(progress.done, progress.expected, [*figures, *token_figures(progress, seconds)])


def pace_figures(progress: Progress, seconds: float) -> Iterator[LiveFigure]:
    """Yield how fast it goes, and how long it still takes."""
    if progress.asked:
        rate = progress.asked / seconds if seconds > 0 else 0.0
        yield LiveFigure(f"{rate:.1f}/s", RATE)
        if progress.done < progress.expected and rate:
            yield LiveFigure(f"{duration((progress.expected - progress.done) / rate)} left", LEFT)


def token_figures(progress: Progress, seconds: float) -> Iterator[LiveFigure]:
    """Yield how many tokens a second are written, where the model reports them, and how often it was asked again."""
    if progress.tokens and seconds > 0:
        yield LiveFigure(f"{progress.tokens / seconds:,.0f} tokens/s", TOKENS)
    if progress.retries:
        yield LiveFigure(f"{progress.retries} {'retry' if progress.retries == 1 else 'retries'}", RETRIES)


def limit_figures(pace: Pace) -> Iterator[LiveFigure]:
    """Yield how long an endpoint is waited for that takes no more requests, and how many it refused."""
    if (wait := pace.waiting) > 0.5:
        yield LiveFigure(f"waiting {duration(wait)}: the endpoint's rate limit", RATE)
    if pace.refusals:
        yield LiveFigure(f"{pace.refusals} {'request' if pace.refusals == 1 else 'requests'} refused", RETRIES)


def logged(notify: Notify) -> Notify:
    """`notify` with every line in the log as well."""

    def log_and_notify(line: str) -> None:
        _LOG.info(line, extra={"shown": True})
        notify(line)

    return log_and_notify


def _facts(plan: TaskPlan, progress: Progress, torn: int) -> Sequence[str]:
    facts = [*plan.data.notes, *([MIXED_DOWN] if plan.mixed_down else [])]
    if torn:
        which = "1 answer" if torn == 1 else f"{torn} answers"
        facts.append(
            f"{which} that an interrupted start did not write whole {'is' if torn == 1 else 'are'} asked for again"
        )
    if progress.done:
        facts.append(f"{progress.done} of {progress.expected} answers are there already")
    return facts
