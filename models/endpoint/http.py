"""HTTP requests to one endpoint, by aiohttp: what is sent, what comes back, and what went wrong, in one line each.

aiohttp, for what a request costs in CPU time, measured on one machine with 64 in flight, without and with a clip of
10 s: openai 2.6 and 4.6 ms, httpx 3.8 and 5.1 ms, this 0.24 and 0.71 ms (tests/bench/bench_http.py, on a busy machine).
It is loaded when the first request is made. No redirect is followed: a key must not go to another host without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import one_line
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.event_stream import EventStream, UnreadableEventError, error_status, first_event
from dtbench.models.endpoint.proxy import Proxy, find_proxy

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

    from dtbench.models.endpoint.connections import ConnectionUse

_LOG = logging.getLogger(__name__)
CONNECTING = 10.0
"""Seconds until a host that does not answer is taken for away."""
CLOSING = 1.0
MOST_BODY = 8 << 20
"""Bytes of a reply, once decompressed: an answer of 128k tokens is below 1 MB, and so is a long list of models; 32
embeddings of 8,192 numbers are below 6 MB. What is longer would only fill the memory, 16 or 64 times at once."""
MOST_EVENTS = 128 << 20
"""Bytes of a streamed answer, of which each token is an event of some 300 bytes, or 2,000 with log-probabilities."""
LINGER = 0.5
"""Seconds in which a stream that is done ends; a connection whose stream does not is closed."""
_PROXY_LOGIN = 407
_EVENTS = "text/event-stream"
_EVENT_STARTS = (b"data:", b"event:")

Parts = Callable[[], Sequence[bytes]]
"""Makes a body when it is sent: a request that waits for its answer must not keep a clip in memory twice."""


class AwayError(Exception):
    """No connection came about: nothing of the request has reached the endpoint."""


class DroppedError(Exception):
    """The connection ended before the reply did."""


class GarbledError(Exception):
    """What came back is no reply that can be read."""

    again = True
    """Whether a retry may help."""


class OversizeError(GarbledError):
    """The reply is longer than any answer."""

    again = False


class Request(NamedTuple):
    """A request to an endpoint."""

    method: str
    path: str
    """With its query string, below the address."""
    headers: Mapping[str, str]
    body: Parts | None = None
    of_root: bool = False
    """Whether the path is below the server itself, which is above its API."""


class Reply(NamedTuple):
    """A whole reply."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class HttpClient:
    """Sends requests to one address, with as many connections as are in flight, in the event loop of the first one."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.proxy = find_proxy(address)
        """What the environment wants requests to go through."""
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._urls: dict[tuple[str, bool], URL] = {}

    async def request(self, request: Request, seconds: float) -> Reply:
        """Send a request and return its reply; raise one of the errors above, or TimeoutError, where none comes."""
        async with asyncio.timeout(seconds):
            if self._kept is None:
                self._kept = self._open(once=False)
            try:
                return await self._exchange(self._kept, request)
            except _StaleError:
                # A server may close an idle connection just when it is used again; that says nothing of the request.
                if self._fresh is None:
                    self._fresh = self._open(once=True)
                return await self._exchange(self._fresh, request)

    async def aclose(self) -> None:
        """Close every connection."""
        for session in (self._kept, self._fresh):
            if session is not None and (connector := session.connector) is not None:
                session.detach()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CLOSING):
                        await connector.close()
        self._kept = self._fresh = None

    def _open(self, *, once: bool) -> aiohttp.ClientSession:
        from dtbench.models.endpoint.connections import open_session

        if self.proxy is not None:
            _LOG.info("%s is asked through the proxy %s of %s", self._address, self.proxy, self.proxy.variable)
        if not self._address.secure:
            return open_session(None, once=once)
        import ssl

        tls = ssl.create_default_context()  # not aiohttp's own, made when it is imported: SSL_CERT_FILE may be newer
        tls.set_alpn_protocols(["http/1.1"])
        return open_session(tls, once=once)

    async def _exchange(self, session: aiohttp.ClientSession, request: Request) -> Reply:
        import aiohttp

        from dtbench.models.endpoint.connections import CURRENT_USE, ConnectionUse, PartsPayload

        secure, through = self._address.secure, {} if self.proxy is None else self.proxy.headers
        use = ConnectionUse()
        CURRENT_USE.set(use)
        body = None if request.body is None else PartsPayload(request.body())
        try:
            response = await session.request(
                request.method,
                self._url(request),
                headers=request.headers if secure else {**request.headers, **through},
                data=body,
                allow_redirects=False,
                proxy=None if self.proxy is None else self.proxy.url,
                proxy_headers=through if secure else None,
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECTING),
            )
            try:
                if self.proxy is not None and response.status == _PROXY_LOGIN:
                    raise AwayError(self.proxy.refusal(response.status))
                return await _read(response)
            finally:
                response.close()  # a connection whose reply is whole has gone back already
        except (aiohttp.ClientError, UnicodeError) as error:
            raise _failure(error, use, self.proxy) from None
        except UnreadableEventError:
            raise GarbledError("an event of the streamed answer is no part of a chat completion") from None
        finally:
            use.drop_unsent(body)

    def _url(self, request: Request) -> URL:
        url = self._urls.get((request.path, request.of_root))
        if url is None:
            from yarl import URL

            base = self._address.root if request.of_root else self._address.path
            scheme = "https" if self._address.secure else "http"
            url = URL(f"{scheme}://{self._address.authority}{base}{request.path}", encoded=True)
            self._urls[request.path, request.of_root] = url
        return url


class _StaleError(DroppedError):
    """A connection that had been used before ended without a reply."""


async def _read(response: aiohttp.ClientResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if (response.content_length or 0) > MOST_BODY:
        raise _too_long()
    first = await response.content.readany()
    is_stream = headers.get("content-type", "").startswith(_EVENTS)
    if response.ok and (first.lstrip()[:1] not in {b"{", b"["} if is_stream else first.startswith(_EVENT_STARTS)):
        return await _read_events(response, first, headers)
    body = await _read_rest(response.content, first)
    return Reply(response.status, headers, first_event(body) if is_stream else body)


async def _read_rest(content: aiohttp.StreamReader, first: bytes) -> bytes:
    if content.at_eof() and len(first) <= MOST_BODY:
        return first
    parts, size = [first], len(first)
    while part := await content.readany():
        parts.append(part)
        size += len(part)
        if size > MOST_BODY:
            raise _too_long()
    return b"".join(parts)


async def _read_events(response: aiohttp.ClientResponse, data: bytes, headers: Mapping[str, str]) -> Reply:
    """Return the chat completion that the events add up to, or the error that one of them is."""
    stream, raw = EventStream(), 0
    while data and not stream.done:
        raw += len(data)
        stream.feed(data)
        if stream.size > MOST_BODY or raw > MOST_EVENTS:
            raise _too_long()
        data = await response.content.readany() if not stream.done else b""
    if stream.done:
        await _await_end(response.content)
    else:
        stream.end()
    if stream.error is not None:
        return Reply(error_status(stream.error), headers, json.dumps(stream.error).encode())
    if not stream.finished:
        raise DroppedError("the stream ended before the answer did")
    answer = json.dumps(stream.completion()).encode()
    return Reply(response.status, {**headers, "content-type": "application/json"}, answer)


async def _await_end(content: aiohttp.StreamReader) -> None:
    """Await the end of a stream that is done, so that its connection can be used again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while await content.readany():
                pass


def _too_long() -> OversizeError:
    return OversizeError(f"the reply is longer than {MOST_BODY >> 20} MB, which no answer is")


def _failure(error: Exception, use: ConnectionUse, proxy: Proxy | None) -> Exception:
    """Return the error that one of aiohttp stands for."""
    import aiohttp

    if proxy is not None and isinstance(error, aiohttp.ClientHttpProxyError):
        return AwayError(proxy.refusal(error.status))
    if proxy is not None and isinstance(error, aiohttp.ClientProxyConnectionError):
        return AwayError(f"the proxy {proxy} of {proxy.variable} cannot be reached: {_reason(error.os_error)}")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return AwayError(f"no connection within {CONNECTING:g} s")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return AwayError(_reason(error.certificate_error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return AwayError(_reason(error.os_error))
    if isinstance(error, (aiohttp.InvalidURL, UnicodeError)):
        return AwayError("the host name is not valid")
    if isinstance(error, aiohttp.ClientPayloadError):
        return _broken_body(error)
    if isinstance(error, aiohttp.ClientConnectionError):
        kind = _StaleError if use.reused else DroppedError
        return kind("the connection was closed without a reply")
    return GarbledError("the reply is not HTTP")


def _broken_body(error: aiohttp.ClientPayloadError) -> Exception:
    from aiohttp.http_exceptions import ContentEncodingError

    if isinstance(error.__cause__, ContentEncodingError):
        return GarbledError("the reply is compressed in a way that cannot be read")
    return DroppedError("the connection was closed before the end of the reply")


def _reason(error: BaseException) -> str:
    """Return why a connection failed, in a few words."""
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return "connection refused"
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
    return one_line(" ".join(text.split())) or type(error).__name__
