"""A pool of workers: each takes the next job until none is left, the user stops, or the model is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dtbench.harness.core.errors import DtbenchError, MachineryError, WithdrawnError
from dtbench.harness.core.price import TOKENS_OUT
from dtbench.harness.core.schema import is_count

Job = TypeVar("Job")
_LOG = logging.getLogger(__name__)
IN_A_ROW = 8
"""A model that failed so many jobs in a row, each after all its attempts, is down."""
RESUMES = "Run the same command again once that is fixed: it continues from here."


@dataclass(slots=True)
class Progress:
    """How many jobs there are, and what became of them."""

    expected: int
    done: int = 0
    """Jobs with a result, those of earlier starts included."""
    asked: int = 0
    """Jobs done by this start; the counts below are of these."""
    correct: int = 0
    unanswered: int = 0
    waiting: int = 0
    """Answers whose verdict needs a second pass."""
    rejected: int = 0
    failed: int = 0
    tokens: int = 0
    """Tokens that the model wrote, where it reports them."""
    retries: int = 0
    """How often a request was sent once more."""

    def add_retry(self) -> None:
        """Count a request that is sent once more."""
        self.retries += 1

    def add_tokens(self, usage: Mapping[str, int]) -> None:
        """Add the tokens that a response took to write."""
        self.tokens += next((usage[name] for name in TOKENS_OUT if is_count(usage.get(name))), 0)


@dataclass(slots=True)
class Stop:
    """A request to end early."""

    requested: bool = False
    """No new job is begun; those in flight are finished."""
    immediate: bool = False
    """Those in flight are cancelled."""
    reason: str = ""
    """Why, where it was not the user who stopped."""

    def end(self, reason: str) -> None:
        """Request an end for a reason that the user is to know; the first one counts."""
        if not self.requested:
            self.requested, self.reason = True, reason


@dataclass(slots=True)
class CircuitBreaker:
    """Opens once the model is down: that must not cost hours, nor its failures pass for answers."""

    allowed: float = 0.0
    """How many jobs may fail before a model that is down stops the run."""
    prefix: str = ""
    """The beginning of the error's message."""
    jobs: str = "questions"
    """What the message calls the jobs."""
    advice: str = RESUMES
    """The end of the message."""
    successes: int = 0
    failures: int = 0
    in_a_row: int = 0
    last: str = ""
    """The message of the last failure."""

    def add_success(self) -> None:
        """Count an answer."""
        self.successes += 1
        self.in_a_row = 0

    def add_failure(self, message: str, *, of_model: bool) -> None:
        """Count a failure; an unreadable clip says nothing about the model."""
        self.failures += 1
        self.in_a_row += of_model
        self.last = message
        _LOG.warning("failed %s, %d so far: %s", self.jobs, self.failures, message)

    @property
    def is_open(self) -> bool:
        """Whether the model is down, and nothing it could still answer would bring the run within its budget."""
        return self.in_a_row >= IN_A_ROW and (not self.successes or self.failures > self.allowed)

    def error(self, what: str) -> MachineryError:
        """Return the error that ends the run."""
        return MachineryError(f"{self.prefix}{what}. The last one: {self.last.rstrip('.')}. {self.advice}")


@dataclass(slots=True)
class WorkerPool:
    """Runs jobs side by side."""

    progress: Progress
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    stop: Stop = field(default_factory=Stop)
    report: Callable[[Progress], None] = lambda progress: None
    """Called after each job."""

    async def run(self, jobs: Iterable[Job], handle: Callable[[Job], Awaitable[None]], workers: int) -> None:
        """Handle each job by the next free worker; the first DtbenchError ends all and is raised as itself."""
        shared = iter(jobs)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(workers, self.progress.expected - self.progress.done)):
                    group.create_task(self._work(shared, handle))
        except ExceptionGroup as errors:
            raise next((one for one in errors.exceptions if isinstance(one, DtbenchError)), errors) from None

    async def _work(self, jobs: Iterator[Job], handle: Callable[[Job], Awaitable[None]]) -> None:
        for job in jobs:
            if self.stop.requested:
                return
            try:
                await handle(job)
            except WithdrawnError:
                return
            self.progress.done += 1
            self.progress.asked += 1
            self.report(self.progress)
            if self.breaker.is_open:
                what = f"the last {self.breaker.in_a_row} {self.breaker.jobs} all failed"
                raise self.breaker.error(f"{what}, the run stops here")
