"""Pace the requests of a run: how many are in flight, how far apart they are sent, and when an endpoint takes none.

A refusal for too many requests is no attempt: its question waits and is sent again, and with it the whole run waits for
as long as the endpoint says, or longer and longer where it does not say. One request tries whether it is over; then the
others follow at the pace at which the endpoint took them before, which grows with each answer. `--rpm` is a pace that
is never exceeded. One Pace serves all tasks and endpoints of a run, of a judge, of `dtbench cot` and of lm-eval.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType

from dtbench.harness.core.errors import ModelError, WithdrawnError
from dtbench.harness.core.guarded_model import generate_response
from dtbench.harness.core.model import Model, Notify
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.run.live_line import duration
from dtbench.harness.run.worker_pool import Stop

_LOG = logging.getLogger(__name__)
SLOWER = 0.5
MINUTE = 60.0
"""Seconds over which a pace is measured: the window of most limits."""
FASTER = 1.03
"""How much the pace grows with each answer."""
TICK = 0.1
"""Seconds by which answers are counted together."""
FIRST_WAIT = 1.0
MOST_WAIT = 64.0
"""Seconds of a wait that no endpoint asked for: it doubles up to this, so that five of them outlast a minute."""
TRIAL = 2.0
"""Seconds within which an endpoint refuses; a trial that is not refused by then is taken for accepted."""
GLANCE = 0.5
"""Seconds between two looks at whether the user wants to stop."""
PATIENCE = 1800.0
"""Seconds of refusals without one answer after which a run ends, to be resumed."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of a pace, which a test may simulate."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    """From 0 to 1: spreads the waits of processes that are refused together."""


class AdaptiveConcurrency:
    """Admits requests; halves what it admits at each refusal, and grows by one for each round that went well."""

    def __init__(self, most: int) -> None:
        self.allowed = float(most)
        """How many may be in flight."""
        self.refusals = 0
        self._most = most
        self._in_flight = 0
        self._since_slowed = 0
        self._free = asyncio.Condition()

    async def __aenter__(self) -> None:
        """Wait until one more may be sent."""
        async with self._free:
            await self._free.wait_for(lambda: self._in_flight < max(1, int(self.allowed)))
            self._in_flight += 1

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Let the next ones in."""
        async with self._free:
            self._in_flight -= 1
            self._free.notify_all()

    def add_refusal(self) -> None:
        """Allow fewer requests after a refusal; refusals of requests that were in flight together count as one."""
        self.refusals += 1
        if self._since_slowed >= self._in_flight or self.allowed >= self._most:
            self.allowed = max(1.0, self.allowed * SLOWER)
            self._since_slowed = 0

    def add_success(self) -> None:
        """Count a reply and allow more requests in flight."""
        self._since_slowed += 1
        self.allowed = min(float(self._most), self.allowed + 1 / max(1.0, self.allowed))


class RequestSpacing:
    """Spaces requests evenly: by a limit that is given, and by what an endpoint took before it refused one."""

    def __init__(self, rpm: float | None, clock: Clock) -> None:
        self._least = 0.0 if rpm is None else MINUTE / rpm
        self.interval = self._least
        """Seconds from one request to the next."""
        self.opens = 0.0
        """When the endpoint may be sent requests again."""
        self._now = clock.now
        self._next = 0.0
        self._sent_last = 0.0
        self._began: float | None = None
        self._closed = 0.0
        self._longest_wait = 0.0
        self._accepted: deque[tuple[int, int]] = deque()
        """How many requests were answered, by the tick in which that was."""
        self._tries = False

    def wait(self) -> float:
        """Return the seconds until the next request may be sent."""
        return max(self._next, self.opens) - self._now()

    def add_sent(self) -> None:
        """Count a request; after a refusal, the next one waits until this one is answered."""
        now = self._now()
        self._began = now if self._began is None else self._began
        self._sent_last = now
        self._next = now + max(self.interval, TRIAL if self._tries else 0.0)

    def close(self, seconds: float) -> None:
        """Send nothing for so many seconds, as a request was refused."""
        now = self._now()
        if not self._tries:
            self._closed = now
        self._tries = True
        self._longest_wait = max(self._longest_wait, seconds)
        self.opens = max(self.opens, now + seconds)

    def add_answer(self, sent: float) -> None:
        """Count the answer to a request that was sent at this time, and send the next ones a little faster."""
        now = self._now()
        if self._tries and sent >= self.opens:
            self._reopen(sent)
        elif not self._tries:
            self.interval = max(self._least, self.interval / FASTER)
            self._next = min(self._next, self._sent_last + self.interval)
        tick = int(now / TICK)
        before = self._accepted.pop()[1] if self._accepted and self._accepted[-1][0] == tick else 0
        self._accepted.append((tick, before + 1))
        while self._accepted[0][0] < tick - 2 * MINUTE / TICK:
            self._accepted.popleft()

    def _reopen(self, sent: float) -> None:
        """Take up the pace that the endpoint allowed from the last opening to this one.

        Requests are never further apart than the longest wait: one that refuses now and then, for other reasons than
        the pace, would slow the run down without end.
        """
        assert self._began is not None
        began = max(self._began, self._closed - MINUTE)
        answered = sum(count for tick, count in self._accepted if tick >= int(began / TICK))
        if answered:
            self.interval = max(self._least, min((sent - began) / answered, self._longest_wait))
        self._tries, self._began = False, sent
        self._next = sent + self.interval


class Pace:
    """Decides when each request of a run is sent."""

    def __init__(
        self,
        most: int,
        rpm: float | None = None,
        *,
        stop: Stop | None = None,
        patience: float = PATIENCE,
        notify: Notify = lambda line: None,
        clock: Clock | None = None,
    ) -> None:
        self.most = most
        """How many may be in flight."""
        self._clock = clock or Clock()
        self._concurrency = AdaptiveConcurrency(most)
        self._spacing = RequestSpacing(rpm, self._clock)
        self._stop = stop
        self._patience = patience
        self._notify = notify
        self._turn = asyncio.Lock()
        self._refused_since: float | None = None
        self._waits = 0
        """How often it waited since the last answer."""
        self._was_told = False

    @property
    def refusals(self) -> int:
        """How many requests were refused."""
        return self._concurrency.refusals

    @property
    def waiting(self) -> float:
        """Seconds until the endpoint is sent requests again; 0 where it is sent some now."""
        return max(0.0, self._spacing.opens - self._clock.now())

    async def generate(self, model: Model, prompt: Prompt) -> Response:
        """Answer one prompt in its turn, however often it is refused; a WithdrawnError where the run ends before."""
        while True:
            async with self._admitted() as sent:
                try:
                    response = await generate_response(model, prompt)
                except ModelError as error:
                    if not (error.too_many or error.used_up):
                        raise
                    self._add_refusal(error, sent)
                else:
                    self._add_answer(sent)
                    return response

    @contextlib.asynccontextmanager
    async def _admitted(self) -> AsyncIterator[float]:
        """Wait for the turn of a request, and yield the time at which it is sent."""
        async with self._turn:
            await self._concurrency.__aenter__()
            try:
                await self._open()
            except BaseException:
                await self._concurrency.__aexit__()
                raise
            self._spacing.add_sent()
        try:
            yield self._clock.now()
        finally:
            await self._concurrency.__aexit__()

    async def _open(self) -> None:
        """Wait until a request may be sent; a WithdrawnError where the run is to end meanwhile."""
        while (wait := self._spacing.wait()) > 0:
            self._withdraw()
            await self._clock.sleep(min(wait, GLANCE))
        self._withdraw()

    def _withdraw(self) -> None:
        if self._stop is not None and self._stop.requested:
            raise WithdrawnError("the run ends before this request was sent")

    def _add_answer(self, sent: float) -> None:
        self._concurrency.add_success()
        self._spacing.add_answer(sent)
        self._refused_since, self._waits = None, 0

    def _add_refusal(self, error: ModelError, sent: float) -> None:
        """Slow down, and wait; end the run where that would be in vain."""
        now = self._clock.now()
        self._concurrency.add_refusal()
        self._refused_since = now if self._refused_since is None else self._refused_since
        if error.used_up:
            self._end(error, f"a quota is used up: {error}")
        is_new = sent >= self._spacing.opens
        wait = self._wait(error.retry_after, is_new=is_new)
        if now + wait - self._refused_since > self._patience:
            self._end(error, f"the endpoint takes no request for more than {self._patience / MINUTE:g} min: {error}")
        self._spacing.close(wait)
        if is_new:
            _LOG.warning("refused, nothing is sent for %.1f s: %s", wait, error)
        if not self._was_told:
            self._was_told = True
            how = f"waiting {duration(self.waiting)}, then going on more slowly"
            self._notify(f"the endpoint's rate limit: {how} ({error})")

    def _wait(self, hint: float | None, *, is_new: bool) -> float:
        """Return the seconds to wait; requests that were refused together wait once."""
        if is_new:
            self._waits += 1
        doubled = min(MOST_WAIT, FIRST_WAIT * 2.0 ** (self._waits - 1)) if self._waits else FIRST_WAIT
        if hint is not None:
            doubled = hint if self._waits <= 1 else max(hint, doubled / 2)
        return doubled + self._clock.jitter() * min(1.0, doubled / 10)

    def _end(self, error: ModelError, reason: str) -> None:
        """End the run in good order; without a run, fail this request."""
        if self._stop is None:
            final = error.reworded(reason)
            final.again = False
            raise final from None
        self._stop.end(f"{reason.rstrip('.')}. Nothing is lost: the same command continues from here later.")
        self._withdraw()


class PacedModel:
    """A model whose requests are sent when a pace allows it."""

    def __init__(self, model: Model, pace: Pace) -> None:
        self.listens = model.listens
        self.rate = model.rate
        self.limit_seconds = model.limit_seconds
        self._model = model
        self._pace = pace
        self.describe = model.describe
        self.aclose = model.aclose

    async def generate(self, prompt: Prompt) -> Response:
        """Answer one prompt in its turn."""
        return await self._pace.generate(self._model, prompt)
