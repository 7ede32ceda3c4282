"""Any OpenAI-compatible chat endpoint, with the clip as `input_audio` or `audio_url`."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.schema import Prompt, Response
from dtbench.models.endpoint.address import CHAT, Address, parse_addresses
from dtbench.models.endpoint.connection import AwayError, DroppedError
from dtbench.models.endpoint.constrained import ConstrainedChoice, Exchange
from dtbench.models.endpoint.discover import EndpointModel, discover_model
from dtbench.models.endpoint.keys import api_key, without
from dtbench.models.endpoint.pool import EndpointPool
from dtbench.models.endpoint.reconnect import ReconnectWait
from dtbench.models.endpoint.reply import GarbledError
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.endpoint.wire import chat_body, fixed_fields, parse_response, request_head


class Server:
    """The model behind one or several endpoints that serve the same; connections are of the loop that first asks."""

    listens = True
    forces = True

    def __init__(
        self, where: Sequence[Address], settings: EndpointSettings, about: EndpointModel, key: str | None = None
    ) -> None:
        self.rate = settings.rate
        self.limit_seconds = settings.limit_seconds
        self._settings = settings
        self._about = about
        self._secrets = [key, *(one.login for one in where), *(one.password for one in where)]
        self._endpoints = EndpointPool(where)
        self._reconnect = ReconnectWait(settings.reconnect_timeout)
        self._heads = {one: request_head("POST", one, one.path + CHAT, key) for one in where}
        sampling = settings.sampling()
        self._seed = sampling.pop("seed", None)
        self._fixed = fixed_fields(about.model, sampling)
        self._held = ConstrainedChoice(about.model, settings)

    @classmethod
    def reached(cls, urls: str, settings: EndpointSettings) -> Server:
        """The model at these URLs, once they were asked what they serve; may be called within a loop or outside."""
        where, key = parse_addresses(urls), api_key()
        with ThreadPoolExecutor(1) as elsewhere:
            about = elsewhere.submit(asyncio.run, discover_model(where, settings.model, key)).result()
        return cls(where, settings, about, key)

    async def generate(self, prompt: Prompt) -> Response:
        """Ask one of the endpoints, once; one that is away for a while is waited for."""
        try:
            return await self._answer(prompt)
        except TimeoutError:
            raise ModelError(f"no answer within {self._settings.timeout:g} s", again=True) from None
        except AwayError as error:
            raise ModelError(f"the endpoint cannot be reached: {error}", again=True) from None
        except (DroppedError, GarbledError) as error:
            raise ModelError(str(error), again=True) from None
        except ModelError as error:
            told = without(str(error), self._secrets)
            raise ModelError(told, again=error.again, retry_after=error.retry_after, too_many=error.too_many) from None

    async def _answer(self, prompt: Prompt) -> Response:
        if prompt.letters:
            return await self._held.answer(prompt.letters, lambda fixed: self._exchange(prompt, fixed))
        return parse_response(*await self._exchange(prompt, self._fixed))

    async def _exchange(self, prompt: Prompt, fixed: bytes) -> Exchange:
        while True:
            started = time.perf_counter()
            try:
                request = functools.partial(self._request, prompt=prompt, fixed=fixed)
                reply = await self._endpoints.request(request, self._settings.timeout)
            except AwayError:
                if not await self._reconnect.waited():
                    raise
            else:
                self._reconnect.over()
                return Exchange(reply, time.perf_counter() - started)

    async def start(self, say: Callable[[str], None]) -> None:
        """There is nothing to bring up; `say` is told when the endpoint is away."""
        self._reconnect.say = say

    def _request(self, to: Address, prompt: Prompt, fixed: bytes) -> list[bytes]:
        """Head and body in parts."""
        seed = self._seed if prompt.seed is None else prompt.seed
        first, *rest = chat_body(fixed, prompt, seed, self._settings.audio_part)
        length = len(first) + sum(map(len, rest))
        return [b"%bcontent-length: %d\r\n\r\n%b" % (self._heads[to], length, first), *rest]

    def describe(self) -> Mapping[str, Any]:
        """Where it is, what it serves under which name, and how it samples."""
        return {
            "name": "server",
            "model": self._about.model,
            "urls": [str(endpoint.address) for endpoint in self._endpoints.all],
            "version": self._about.version,
            "sampling": self._settings.sampling(),
            "timeout": self._settings.timeout,
            "audio_part": self._settings.audio_part,
            "rate": self.rate,
            "limit_seconds": self.limit_seconds,
        }

    async def aclose(self) -> None:
        """Close the connections."""
        await self._endpoints.aclose()
