"""A model behind an OpenAI-compatible chat endpoint, which gets the clip as `input_audio` or `audio_url`."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import Notify, RequestPreview
from dtbench.harness.core.schema import Prompt, Response, with_system
from dtbench.models.endpoint.address import CHAT, Address, api_key, parse_addresses
from dtbench.models.endpoint.constrained import ConstrainedChoice, Exchange
from dtbench.models.endpoint.discover import EndpointModel, discover_model
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, Request
from dtbench.models.endpoint.parse import parse_response, refused_context
from dtbench.models.endpoint.pool import EndpointPool, ReconnectWait
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.endpoint.wire import chat_body, fixed_fields, preview_body, request_headers

UNKNOWN = "MODEL"
"""Stands for the name of a model that no endpoint was asked for."""


class Server:
    """A model behind one or several endpoints; its connections belong to the event loop that first uses them."""

    listens = True
    forces = True
    sampling_source = ""
    """What decides on sampling that no setting names, for the record; empty where it is not known."""

    def __init__(
        self, where: Sequence[Address], settings: EndpointSettings, about: EndpointModel, key: str | None = None
    ) -> None:
        self.rate = settings.rate
        self.limit_seconds = settings.limit_seconds
        self.system = settings.system
        self.price = settings.price
        self._settings = settings
        self._about = about
        self._endpoints = EndpointPool(where)
        self._reconnect = ReconnectWait(settings.reconnect_timeout)
        self._headers = {to: request_headers(to, key) for to in where}
        sampling = settings.sampling()
        self._seed = sampling.pop("seed", None)
        self._fixed = fixed_fields(about.model, sampling)
        limits = [sampling.pop(name, None) for name in ("max_tokens", "max_completion_tokens")]
        self._limit: int | None = next((limit for limit in limits if limit is not None), None)
        self._unlimited = fixed_fields(about.model, sampling)
        self._constrained = ConstrainedChoice(about.model, settings)

    @classmethod
    def connect(cls, urls: str, settings: EndpointSettings, *, ask: bool = True) -> Server:
        """Ask the endpoints at these URLs which model they serve, and return it; works inside a running loop, too.

        Without asking, the model has the name of the settings, or UNKNOWN.
        """
        where, key = parse_addresses(urls), api_key()
        if not ask:
            return cls(where, settings, EndpointModel(settings.model or UNKNOWN, None), key)
        with ThreadPoolExecutor(1) as thread:
            about = thread.submit(asyncio.run, discover_model(where, settings.model, key)).result()
        return cls(where, settings, about, key)

    async def generate(self, prompt: Prompt) -> Response:
        """Send the prompt to one of the endpoints, once; wait for endpoints that are away for a while.

        Where the context leaves less than the longest answer may have, it is sent again without that limit.
        """
        prompt = with_system(prompt, self.system)
        try:
            if prompt.letters:
                return await self._constrained.answer(prompt.letters, lambda fixed: self._exchange(prompt, fixed))
            exchange = await self._exchange(prompt, self._fixed)
            if self._limit is not None and (context := refused_context(exchange.reply)) is not None:
                if context <= self._limit:  # so it is for every prompt
                    self._fixed = self._unlimited
                exchange = await self._exchange(prompt, self._unlimited)
            return parse_response(*exchange)
        except TimeoutError:
            message = f"no answer within {self._settings.timeout:g} s"
            raise ModelError(message, again=True, timed_out=True) from None
        except AwayError as error:
            raise ModelError(f"the endpoint cannot be reached: {error}", again=True) from None
        except DroppedError as error:
            raise ModelError(str(error), again=True) from None
        except GarbledError as error:
            raise ModelError(str(error), again=error.again) from None

    async def _exchange(self, prompt: Prompt, fixed: bytes) -> Exchange:
        while True:
            started = time.perf_counter()
            try:
                request = functools.partial(self._request, prompt=prompt, fixed=fixed)
                question = (prompt.id, prompt.repeat, prompt.text)
                reply = await self._endpoints.request(request, self._settings.timeout, question)
            except AwayError:
                if not await self._reconnect.wait():
                    raise
            else:
                self._reconnect.reset()
                return Exchange(reply, time.perf_counter() - started)

    async def start(self, notify: Notify) -> None:
        """Report through `notify` when an endpoint is away; there is nothing to start."""
        self._reconnect.notify = notify
        self._endpoints.report_to(notify)

    def _request(self, to: Address, prompt: Prompt, fixed: bytes) -> Request:
        """Return the request, whose body is made when it is sent."""
        seed = self._seed if prompt.seed is None else prompt.seed
        return Request(
            "POST", CHAT, self._headers[to], lambda: chat_body(fixed, prompt, seed, self._settings.audio_part)
        )

    def preview(self, prompt: Prompt, clip: str | None) -> RequestPreview:
        """Return the request that would be sent."""
        prompt = with_system(prompt, self.system)
        fixed = self._constrained.first_fields(prompt.letters) if prompt.letters else self._fixed
        seed = self._seed if prompt.seed is None else prompt.seed
        first, *others = [f"{endpoint.address}{CHAT}" for endpoint in self._endpoints.all]
        more = f" or {len(others)} more" if others else ""
        return RequestPreview(f"POST {first}{more}", preview_body(fixed, prompt, seed, self._settings.audio_part, clip))

    def describe(self) -> Mapping[str, Any]:
        """Return the URLs, the name and the version of the model, and its sampling."""
        return {
            "name": "server",
            "model": self._about.model,
            "urls": [str(endpoint.address) for endpoint in self._endpoints.all],
            "version": self._about.version,
            "sampling": self._settings.sampling(),
            **({"sampling_source": self.sampling_source} if self.sampling_source else {}),
            "timeout": self._settings.timeout,
            "audio_part": self._settings.audio_part,
            "rate": self.rate,
            "limit_seconds": self.limit_seconds,
            **self._endpoints.describe_proxies(),
            **({} if self._settings.chain is None else {"chain": list(self._settings.chain)}),
        }

    async def aclose(self) -> None:
        """Close every connection."""
        await self._endpoints.aclose()
