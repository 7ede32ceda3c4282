"""Several endpoints that serve one model: each request goes to the one with the fewest in flight."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence

from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.connection import AwayError, Connections
from dtbench.models.endpoint.reply import Reply

COOL_DOWN = 15.0
"""Seconds for which an endpoint that could not be reached gets no request while another can."""


class Endpoint:
    """An endpoint, and its load."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.connections = Connections(address)
        self.in_flight = 0
        self.served = 0
        self.away_until = 0.0


class EndpointPool:
    """The endpoints of one model."""

    def __init__(self, addresses: Sequence[Address], clock: Callable[[], float] = time.monotonic) -> None:
        self.all = [Endpoint(address) for address in addresses]
        self._clock = clock

    async def request(self, parts: Callable[[Address], Sequence[bytes]], seconds: float) -> Reply:
        """Send a request to the least loaded endpoint within reach; raise AwayError where there is none."""
        failed: list[tuple[Endpoint, AwayError]] = []
        while candidates := [endpoint for endpoint in self.all if endpoint not in [tried for tried, _ in failed]]:
            endpoint = self._least_loaded(candidates)
            endpoint.in_flight += 1
            endpoint.served += 1
            try:
                return await endpoint.connections.request(functools.partial(parts, endpoint.address), seconds)
            except AwayError as error:
                endpoint.away_until = self._clock() + COOL_DOWN
                failed.append((endpoint, error))
            finally:
                endpoint.in_flight -= 1
        raise AwayError("; ".join(f"{endpoint.address}: {error}" for endpoint, error in failed))

    def _least_loaded(self, candidates: Sequence[Endpoint]) -> Endpoint:
        now = self._clock()
        # Where all are away, the one that has been for longest gets the request: it may be back.
        return min(candidates, key=lambda e: (e.away_until if e.away_until > now else 0, e.in_flight, e.served))

    async def aclose(self) -> None:
        """Close every connection."""
        for endpoint in self.all:
            await endpoint.connections.aclose()
