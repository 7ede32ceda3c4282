"""Wait for an endpoint that has answered before and cannot be reached: a restart of vLLM takes about a minute."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from dtbench.harness.core.model import Notify

RETRY_EVERY = 2.0
"""Mean seconds between two attempts."""


class ReconnectWait:
    """Bounds the wait for an endpoint that was there; one that never answered is not waited for."""

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.notify: Notify = lambda line: None
        """Where messages to the user go."""
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._has_answered = False
        self._away_since: float | None = None

    def reset(self) -> None:
        """Note that the endpoint has answered."""
        self._has_answered = True
        if self._away_since is not None:
            self.notify("the endpoint answers again")
            self._away_since = None

    async def wait(self) -> bool:
        """Wait until the next attempt; False where the time is up, or the endpoint has never answered."""
        if not self._has_answered:
            return False
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
            limit = f"up to {self._seconds:g} s (-M reconnect_timeout=SECONDS)"
            self.notify(f"the endpoint cannot be reached: waiting {limit} for it")
        if now - self._away_since >= self._seconds:
            return False
        await self._sleep(RETRY_EVERY * (0.5 + random.random()))
        return True
