"""Send requests to several endpoints of one model: to the least loaded one, and a question that failed to another."""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence

from dtbench.harness.core.model import Notify
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.health import EndpointHealth
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, HttpClient, Reply, Request

RETRY_EVERY = 2.0
"""Mean seconds between two attempts to reach one that is away."""
BUSY = {408, 409, 425, 429}
"""Statuses that say that a request came at the wrong moment, not that anything is wrong."""
QUESTIONS = 4096
"""How many questions are remembered with the endpoint that was asked last: more than are ever in flight."""


FindFault = Callable[[Reply], str]
"""Says what is wrong with the endpoint behind a reply that is no refusal; empty where nothing is."""


class Endpoint:
    """An endpoint, its load and its health."""

    def __init__(self, address: Address, clock: Callable[[], float], fault: FindFault) -> None:
        self.address = address
        self._fault = fault
        self.client = HttpClient(address)
        self.health = EndpointHealth(str(address), clock)
        self.in_flight = 0
        self.served = 0

    async def ask(self, request: Request, seconds: float) -> Reply:
        """Send a request, and note what its end says of the endpoint; a refusal says nothing yet."""
        on_trial = self.health.begin()
        self.in_flight += 1
        self.served += 1
        try:
            reply = await self.client.request(request, seconds)
            if reply.status >= 500:
                self.health.fail(f"it answered {reply.status}")
            elif fault := self._fault(reply):
                self.health.fail(fault)
            elif not is_refusal(reply):
                self.health.succeed(on_trial=on_trial)
        except AwayError as error:
            self.health.fail(str(error), at_once=True)
            raise
        except (DroppedError, GarbledError, TimeoutError) as error:
            self.health.fail(str(error) or f"no answer within {seconds:g} s")
            raise
        finally:
            self.in_flight -= 1
            self.health.end(on_trial=on_trial)
        return reply


class EndpointPool:
    """The endpoints of one model."""

    def __init__(
        self,
        addresses: Sequence[Address],
        clock: Callable[[], float] = time.monotonic,
        *,
        fault: FindFault = lambda reply: "",
    ) -> None:
        self.all = [Endpoint(address, clock, fault) for address in addresses]
        self._last_asked: OrderedDict[int, Endpoint] = OrderedDict()

    def report_to(self, notify: Notify) -> None:
        """Tell the user through `notify` which endpoints are set aside, and which are back."""
        for endpoint in self.all:
            endpoint.health.notify = notify

    def describe_proxies(self) -> dict[str, str]:
        """Return what run.json says of the proxies that the environment wants; nothing where there is none."""
        proxies = sorted({str(endpoint.client.proxy) for endpoint in self.all if endpoint.client.proxy is not None})
        return {"proxy": ", ".join(proxies)} if proxies else {}

    async def request(self, make: Callable[[Address], Request], seconds: float, question: Hashable = None) -> Reply:
        """Send a request to the endpoint that suits best; raise AwayError where none can be reached.

        A question that is asked once more goes to another one. What one refuses and another answers is its own fault,
        and counts as a failure of it; what all refuse is the fault of the question.
        """
        if len(self.all) == 1:  # there is no elsewhere
            return await self._ask_alone(make(self.all[0].address), seconds)
        away: dict[Endpoint, AwayError] = {}
        refused: dict[Endpoint, Reply] = {}
        while endpoint := self._choose(question, {*away, *refused}, second_opinion=bool(refused)):
            try:
                reply = await endpoint.ask(make(endpoint.address), seconds)
            except AwayError as error:
                away[endpoint] = error
                continue
            if is_refusal(reply):
                refused[endpoint] = reply
                continue
            if reply.status < 300:
                for other, refusal in refused.items():
                    other.health.fail(f"it answered {refusal.status}, unlike another")
            return reply
        if refused:
            return next(iter(refused.values()))
        raise AwayError("; ".join(f"{endpoint.address}: {error}" for endpoint, error in away.items()))

    async def _ask_alone(self, request: Request, seconds: float) -> Reply:
        try:
            return await self.all[0].client.request(request, seconds)
        except AwayError as error:
            raise AwayError(f"{self.all[0].address}: {error}") from None

    def _choose(self, question: Hashable, asked: Collection[Endpoint], *, second_opinion: bool) -> Endpoint | None:
        """Return the endpoint to ask next; a second opinion is worth no request to one that is set aside."""
        left = [endpoint for endpoint in self.all if endpoint not in asked]
        fit = [endpoint for endpoint in left if endpoint.health.is_fit]
        candidates = fit if fit or second_opinion else left
        if not candidates:
            return None
        place = hash(question)  # not the question itself, which may be long
        last = self._last_asked.pop(place, None) if question is not None else None
        chosen = min(candidates, key=lambda endpoint: (endpoint is last, endpoint.in_flight, endpoint.served))
        if question is not None:
            self._last_asked[place] = chosen
            if len(self._last_asked) > QUESTIONS:
                self._last_asked.popitem(last=False)
        return chosen

    async def aclose(self) -> None:
        """Close every connection."""
        for endpoint in self.all:
            await endpoint.client.aclose()


def is_refusal(reply: Reply) -> bool:
    """Whether an endpoint will not answer this request at all."""
    return 300 <= reply.status < 500 and reply.status not in BUSY


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
