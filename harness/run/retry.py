"""Ask a model until it answers, a bounded number of times and for a bounded time."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.store.redact import mask_response

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_OTHER, _MOST_SEED = 0x5BD1E995, 2**31 - 1
"""What another seed is made with, and the largest that every host takes."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is tried, and how long the waits between are."""

    attempts: int = 5
    first_wait: float = 1.0
    """Seconds that the first wait has at most; each further one twice as many."""
    max_wait: float = 60.0
    """What no wait exceeds, whatever an endpoint asks for."""
    retry_budget: float = 300.0
    """Once the waits for one request would sum up to more seconds, it has failed."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    """From 0 to 1: spreads the waits of requests that failed together."""
    on_retry: Callable[[], None] = lambda: None
    """Called before each wait."""

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after this attempt, counted from 1."""
        most = min(self.max_wait, self.first_wait * 2.0 ** min(attempt - 1, 60))
        # What the endpoint asks for is the least; the spread comes on top, else all come back in the same moment.
        return min(self.max_wait, (retry_after or 0.0) + self.jitter() * most)


class RetryResult(NamedTuple, Generic[T]):
    """A value, and at which attempt it came."""

    value: T
    attempts: int


async def generate_with_retries(model: Model, prompt: Prompt, policy: RetryPolicy) -> Response:
    """Answer one prompt, with the number of attempts in the response; the last ModelError where there is no answer.

    A request that took too long is sent once more at most, with another seed; one that would be answered alike goes to
    another endpoint, and where there is none it is not sent again.
    """
    what = f"question {prompt.id}" if prompt.id else "a request"
    sent, lost, is_late = prompt, Counter[str](), False

    async def generate() -> Response:
        nonlocal sent, is_late
        try:
            return await model.generate(sent)
        except ModelError as error:
            lost.update(error.usage)
            error.usage = dict(lost)
            if error.timed_out:
                alike = is_greedy(model, prompt)
                if is_late or (alike and not error.elsewhere):
                    raise _without_retry(error) from None
                is_late = True
                if not alike:
                    sent = dataclasses.replace(prompt, seed=_other_seed(prompt.seed))
            raise

    response, attempts = await retry(generate, policy, what)
    response = mask_response(response)
    if attempts == 1:
        return response
    seed = None if sent is prompt else sent.seed
    return dataclasses.replace(response, attempts=attempts, seed=seed, lost_usage=dict(lost))


def is_greedy(model: Model, prompt: Prompt) -> bool:
    """Whether a model would answer this prompt alike with any seed, as far as it says."""
    about = model.describe()
    return bool(prompt.letters) or about.get("sampling", about).get("temperature") == 0


def _other_seed(seed: int | None) -> int | None:
    """Return another seed, the same at every start; none where none was given."""
    return None if seed is None else (seed ^ _OTHER) & _MOST_SEED


def _without_retry(error: ModelError) -> ModelError:
    final = error.reworded(f"{error}: -M timeout=SECONDS allows more, -M max_tokens=N makes answers shorter")
    final.again = False
    return final


async def retry(call: Callable[[], Awaitable[T]], policy: RetryPolicy, what: str = "a request") -> RetryResult[T]:
    """Await `call` until it succeeds, as often as the policy allows; the last ModelError where it does not."""
    waited = 0.0
    attempt = 1
    while True:
        try:
            return RetryResult(await call(), attempt)
        except ModelError as error:
            error.attempts = attempt
            wait = policy.wait(attempt, error.retry_after)
            if not error.again or attempt >= policy.attempts or waited + wait > policy.retry_budget:
                raise
            _LOG.warning("%s: attempt %d failed, the next in %.1f s: %s", what, attempt, wait, error)
            policy.on_retry()
        await policy.sleep(wait)
        waited += wait
        attempt += 1
