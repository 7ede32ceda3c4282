"""Send the requests of an endpoint by a client of the package openai, which brings its address, key and proxies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from dtbench.harness.core.errors import one_line
from dtbench.harness.store.redact import mask_text
from dtbench.models.endpoint.address import CHAT, Address
from dtbench.models.endpoint.event_stream import EventStream, UnreadableEventError
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, HttpClient, Reply, Request

MOST_SHOWN = 200
_UNREACHED = {"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol"}
"""Errors of httpx, by name, where nothing of the request has left."""


class AsyncOpenaiClient(Protocol):
    """What is used of `openai.AsyncOpenAI` and of the classes made from it."""

    chat: Any
    base_url: Any
    api_key: str

    def with_options(self, *, max_retries: int) -> AsyncOpenaiClient:
        """Return a client with other options and the same connections."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class OpenaiTransport(HttpClient):
    """Sends chat requests through a client; that it would send them again by itself is switched off."""

    def __init__(self, client: AsyncOpenaiClient, address: Address) -> None:
        super().__init__(address)
        self._client = client.with_options(max_retries=0)

    async def request(self, request: Request, seconds: float) -> Reply:
        """Send a chat request and return its reply; raise an error of http.py, or TimeoutError, where none comes."""
        path, _, query = request.path.partition("?")
        if path != CHAT or request.body is None:
            raise GarbledError(f"a client of openai sends chat requests alone, not {one_line(path)}")
        body: dict[str, Any] = json.loads(b"".join(request.body()))
        return await self._reply(
            lambda: self._client.chat.completions.with_raw_response.create(
                model=body.pop("model"),
                messages=body.pop("messages"),
                extra_body=body,
                extra_headers=dict(request.headers),
                extra_query=dict(parse_qsl(query)),
                timeout=seconds,
            ),
            seconds,
        )

    async def _reply(self, send: Any, seconds: float) -> Reply:
        import openai

        try:
            async with asyncio.timeout(seconds):  # the client's own is for each part of a reply
                raw = await send()
        except openai.APITimeoutError:
            raise TimeoutError from None
        except openai.APIStatusError as error:
            raw = error.response
        except openai.APIConnectionError as error:
            raise _failure(error) from None
        except openai.OpenAIError as error:
            raise GarbledError(f"the client of openai fails: {_shown(error)}") from None
        return _whole(raw.status_code, {name.lower(): value for name, value in raw.headers.items()}, raw.content)

    async def aclose(self) -> None:
        """Close the client, which then sends no more."""
        await self._client.close()


def _failure(error: Exception) -> Exception:
    cause = error.__cause__ or error
    if type(cause).__name__ in _UNREACHED:
        return AwayError(_shown(cause))
    return DroppedError(f"the connection ended before the reply did ({_shown(cause)})")


def _shown(error: BaseException) -> str:
    return one_line(mask_text(str(error) or type(error).__name__))[:MOST_SHOWN]


def _whole(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return a reply; what was streamed as the completion that it adds up to."""
    if status != 200 or not headers.get("content-type", "").startswith("text/event-stream"):
        return Reply(status, headers, body)
    stream = EventStream()
    try:
        stream.feed(body)
        stream.end()
    except UnreadableEventError:
        raise GarbledError("an event of the streamed answer is no part of a chat completion") from None
    return Reply(status, headers, json.dumps(stream.error or stream.completion()).encode())
