"""Asking a model until it answers, a bounded number of times and for a bounded time."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt, Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Policy:
    """How often, and with which waits between."""

    attempts: int = 5
    first_wait: float = 1.0
    """Seconds that the first wait has at most; each further one twice as many."""
    longest_wait: float = 60.0
    """What no wait exceeds, whatever an endpoint asks for."""
    waits_in_all: float = 300.0
    """Once the waits for one prompt would sum up to more, it has failed."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """From 0 to 1: spreads the waits of requests that failed together."""

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after this attempt, counted from 1."""
        most = min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 60))
        # What the endpoint asks for is the least; the spread comes on top, else all come back in the same moment.
        return min(self.longest_wait, (retry_after or 0.0) + self.chance() * most)


class RetryResult(NamedTuple, Generic[T]):
    """What came of asking, and at which attempt."""

    value: T
    attempts: int


async def ask(model: Model, prompt: Prompt, policy: Policy | None = None) -> Response:
    """The answer, its attempts counted; the last ModelError where there is none."""
    response, attempts = await persist(lambda: model.generate(prompt), policy or Policy())
    return response if attempts == 1 else dataclasses.replace(response, attempts=attempts)


async def persist(once: Callable[[], Awaitable[T]], policy: Policy) -> RetryResult[T]:
    """What `once` gives, tried again as the policy says; its last ModelError where it gives nothing."""
    waited = 0.0
    attempt = 1
    while True:
        try:
            return RetryResult(await once(), attempt)
        except ModelError as error:
            error.attempts = attempt
            wait = policy.wait(attempt, error.retry_after)
            if not error.again or attempt >= policy.attempts or waited + wait > policy.waits_in_all:
                raise
        await policy.sleep(wait)
        waited += wait
        attempt += 1
