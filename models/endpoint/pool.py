"""Send requests to several endpoints of one model, to the least loaded one, and wait for those that are away."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from dtbench.harness.core.model import Notify
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.http import AwayError, HttpClient, Reply, Request

COOL_DOWN = 15.0
"""Seconds for which an endpoint that could not be reached gets no request while another can."""
RETRY_EVERY = 2.0
"""Mean seconds between two attempts to reach one that is away."""


class Endpoint:
    """An endpoint, and its load."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.client = HttpClient(address)
        self.in_flight = 0
        self.served = 0
        self.away_until = 0.0


class EndpointPool:
    """The endpoints of one model."""

    def __init__(self, addresses: Sequence[Address], clock: Callable[[], float] = time.monotonic) -> None:
        self.all = [Endpoint(address) for address in addresses]
        self._clock = clock

    async def request(self, make: Callable[[Address], Request], seconds: float) -> Reply:
        """Send a request to the least loaded endpoint within reach; raise AwayError where there is none."""
        failed: list[tuple[Endpoint, AwayError]] = []
        while candidates := [endpoint for endpoint in self.all if endpoint not in [tried for tried, _ in failed]]:
            now = self._clock()
            # Where all are away, the one that has been for longest gets the request: it may be back.
            endpoint = min(candidates, key=lambda e: (max(e.away_until, now), e.in_flight, e.served))
            endpoint.in_flight += 1
            endpoint.served += 1
            try:
                return await endpoint.client.request(make(endpoint.address), seconds)
            except AwayError as error:
                endpoint.away_until = self._clock() + COOL_DOWN
                failed.append((endpoint, error))
            finally:
                endpoint.in_flight -= 1
        raise AwayError("; ".join(f"{endpoint.address}: {error}" for endpoint, error in failed))

    async def aclose(self) -> None:
        """Close every connection."""
        for endpoint in self.all:
            await endpoint.client.aclose()


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
            self.notify("the endpoint is reachable again")
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
