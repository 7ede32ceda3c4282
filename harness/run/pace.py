"""Adapt how many requests a judge is sent at once: fewer after it refuses some, more while it answers."""

from __future__ import annotations

import asyncio
from types import TracebackType

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt, Response

SLOWER = 0.5


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
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
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


class PacedModel:
    """A model that is sent as many requests at once as it takes."""

    listens = False

    def __init__(self, model: Model, pace: AdaptiveConcurrency) -> None:
        self.rate = model.rate
        self.limit_seconds = model.limit_seconds
        self._model = model
        self._pace = pace
        self.describe = model.describe
        self.aclose = model.aclose

    async def generate(self, prompt: Prompt) -> Response:
        """Answer one prompt, once fewer than `pace.allowed` are in flight."""
        async with self._pace:
            try:
                response = await self._model.generate(prompt)
            except ModelError as error:
                if error.too_many:
                    self._pace.add_refusal()
                raise
            self._pace.add_success()
            return response
