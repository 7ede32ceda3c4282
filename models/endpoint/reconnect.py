"""How long an endpoint that has answered before may be away: a restart of vLLM takes about a minute."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

LOOK_EVERY = 2.0
"""Seconds between two looks, in the mean."""


class ReconnectWait:
    """Waits for one that was there and will be back; one that never answered is not waited for."""

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.say: Callable[[str], None] = lambda line: None
        """Where the user is told of it."""
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._met = False
        self._since: float | None = None

    def over(self) -> None:
        """It has answered."""
        self._met = True
        if self._since is not None:
            self.say("the endpoint answers again")
            self._since = None

    async def waited(self) -> bool:
        """Whether to ask again: after a while, as long as it may still be away."""
        if not self._met:
            return False
        now = self._clock()
        if self._since is None:
            self._since = now
            limit = f"up to {self._seconds:g} s (-M reconnect_timeout=SECONDS)"
            self.say(f"the endpoint cannot be reached: waiting {limit} for it")
        if now - self._since >= self._seconds:
            return False
        await self._sleep(LOOK_EVERY * (0.5 + random.random()))
        return True
