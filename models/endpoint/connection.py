"""HTTP/1.1 to one host, as much as a chat endpoint takes: keep-alive, TLS, any number of requests in flight.

Written here because of what a request costs in CPU time, measured on one machine with 64 in flight, without and with a
clip of 10 s: openai 3.0 and 4.9 ms, httpx 2.3 and 2.5 ms, aiohttp 0.10 and 0.74 ms, this 0.06 and 0.70 ms (with the
base64 of the standard library, which was 0.5 ms of it). It spares a dependency,
and is no more than chat takes: no redirects, no compression, no proxies.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dtbench.harness.core.errors import one_line
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.reply import GarbledError, Reply, ReplyReader

if TYPE_CHECKING:
    import ssl

CONNECTING = 10.0
"""Seconds until a host that does not answer is taken for away."""
CLOSING = 1.0

Parts = Callable[[], Sequence[bytes]]
"""Makes a request when it is sent: one that waits for its answer must not keep a clip in memory twice."""


class AwayError(Exception):
    """No connection came about: nothing of the request has reached anyone."""


class DroppedError(Exception):
    """The connection ended before the reply did."""


class Connections:
    """The open connections to one host, each used by one request at a time."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: list[_OpenConnection] = []
        self._open: set[_OpenConnection] = set()
        self._tls: ssl.SSLContext | None = None

    async def request(self, parts: Parts, seconds: float) -> Reply:
        """Send a whole request; AwayError, DroppedError, GarbledError or TimeoutError where no reply comes."""
        async with asyncio.timeout(seconds):
            if self._idle:
                # A server may close an idle connection just when it is used again; that says nothing of the request.
                with contextlib.suppress(_StaleError):
                    return await self._exchange(self._idle.pop(), parts)
            return await self._exchange(await self._connect(), parts)

    async def aclose(self) -> None:
        """Close every connection."""
        self._idle.clear()
        gone = [connection.close() for connection in self._open]
        if gone:
            await asyncio.wait(gone, timeout=CLOSING)

    async def _exchange(self, connection: _OpenConnection, parts: Parts) -> Reply:
        try:
            reply = await connection.exchange(parts)
        except BaseException:  # cancelled, too: a reply that is still to come must not meet the next request
            connection.abort()
            raise
        if reply.keeps and connection.is_free():
            self._idle.append(connection)
        else:
            connection.abort()
        return reply

    async def _connect(self) -> _OpenConnection:
        loop = asyncio.get_running_loop()
        if self._address.secure and self._tls is None:
            import ssl

            self._tls = ssl.create_default_context()
        try:
            async with asyncio.timeout(CONNECTING):
                _, connection = await loop.create_connection(
                    lambda: _OpenConnection(self._idle, self._open),
                    self._address.host,
                    self._address.port,
                    ssl=self._tls,
                )
        except TimeoutError:
            raise AwayError(f"no connection within {CONNECTING:g} s") from None
        except OSError as error:
            raise AwayError(_reason(error)) from None
        return connection


class _StaleError(DroppedError):
    """A connection that had been used before ended without a byte of the reply."""


class _OpenConnection(asyncio.Protocol):
    def __init__(self, idle: list[_OpenConnection], all_: set[_OpenConnection]) -> None:
        self._idle = idle
        self._all = all_
        self._used = False
        self._reader: ReplyReader | None = None
        self._waiter: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._all.add(self)
        if sock := transport.get_extra_info("socket"):
            # An answer may take minutes, in which nothing is sent: routers must not forget the connection.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    async def exchange(self, parts: Parts) -> Reply:
        """Send a request and await its reply."""
        if self.gone.done() or self._transport.is_closing():
            raise self._ended()
        self._reader = ReplyReader()
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.writelines(parts())
        try:
            return await self._waiter
        finally:
            self._used = True
            self._reader = self._waiter = None

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._waiter is None or self._waiter.done():
            self.abort()  # no request is waiting: nothing says what it is
            return
        try:
            reply = self._reader.feed(data)
        except GarbledError as error:
            self._waiter.set_exception(error)
            return
        if reply is not None:
            self._waiter.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self._all.discard(self)
        with contextlib.suppress(ValueError):
            self._idle.remove(self)
        self.gone.set_result(None)
        if self._waiter is None or self._waiter.done() or self._reader is None:
            return
        reply = self._reader.end() if error is None else None
        if reply is None:
            self._waiter.set_exception(self._ended())
        else:
            self._waiter.set_result(reply)

    def is_free(self) -> bool:
        """Whether it is open, and all that was to be sent is: a server may refuse a request before it has it whole."""
        return not self.gone.done() and not self._transport.get_write_buffer_size()

    def close(self) -> asyncio.Future[None]:
        """Close it; the future is done when it is closed."""
        self._transport.close()
        return self.gone

    def abort(self) -> None:
        """Close it without waiting for what is still to be sent."""
        self._transport.abort()

    def _ended(self) -> DroppedError:
        begun = self._reader is not None and self._reader.begun
        if begun:
            return DroppedError("the connection was closed before the end of the reply")
        message = "the connection was closed without a reply"
        return _StaleError(message) if self._used else DroppedError(message)


def _reason(error: OSError) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return "connection refused"
    text = getattr(error, "verify_message", "") or error.strerror or str(error)
    return one_line(" ".join(text.split())) or type(error).__name__
