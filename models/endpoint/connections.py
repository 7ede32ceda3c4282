"""Adapt aiohttp to requests to an endpoint; imported with the first of them.

A connector that says whether a request went over a connection that had been used before, and keeps its connections
alive; a body of several parts, which are not joined, and are let go of once they are sent.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractStreamWriter

if TYPE_CHECKING:
    import asyncio
    import ssl

MOST_HEADER = 1 << 15
"""Bytes of one header of a reply; with MOST_HEADERS it bounds them all."""
MOST_HEADERS = 128
KEPT_SECONDS = 60.0
"""For how long an idle connection is kept: most servers and routers end it earlier."""


class ConnectionUse:
    """The connection that a request goes over."""

    __slots__ = ("reused", "transport")

    def __init__(self) -> None:
        self.reused = False
        """Whether another request went over it before."""
        self.transport: asyncio.Transport | None = None

    def drop_unsent(self, body: PartsPayload | None) -> None:
        """End a connection that would close once all is sent: nobody may ever read the rest."""
        unsent = body is not None and not body.sent
        if self.transport is not None and (unsent or self.transport.is_closing()):
            self.transport.abort()


CURRENT_USE: ContextVar[ConnectionUse] = ContextVar("CURRENT_USE")


class KeptConnections(aiohttp.TCPConnector):
    """Connections without limit, which tell CURRENT_USE of each request."""

    def __init__(self, tls: ssl.SSLContext | None, *, once: bool) -> None:
        super().__init__(
            limit=0,
            force_close=once,
            keepalive_timeout=None if once else KEPT_SECONDS,
            ssl=True if tls is None else tls,
            socket_factory=_socket,
            resolver=aiohttp.ThreadedResolver(),  # as the system does: aiodns, where it is installed, does otherwise
        )
        self._used: WeakSet[Any] = WeakSet()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> aiohttp.connector.Connection:
        """Return a connection, a kept one where there is one that got nothing while it was idle."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used or not protocol.should_close:
                break
            connection.close()  # what came is no reply to the next request
        use = CURRENT_USE.get()
        use.transport = connection.transport
        use.reused = protocol in self._used
        self._used.add(protocol)
        return connection


class PartsPayload(aiohttp.Payload):
    """A body in parts, sent as they are."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        super().__init__(None, content_type="application/json")
        self._size = sum(map(len, parts))
        self._parts = parts
        self.sent = False
        """Whether all of it has been sent."""

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send the parts, once: a request that waits for its answer does not keep them."""
        parts, self._parts = self._parts, ()
        self._consumed = True
        for part in parts:
            await writer.write(part)
        self.sent = True

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the parts."""
        await self.write_with_length(writer, None)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return b"".join(self._parts).decode(encoding, errors)


def open_session(tls: ssl.SSLContext | None, *, once: bool) -> aiohttp.ClientSession:
    """Open a session without cookies; `once` ends each connection after its request."""
    return aiohttp.ClientSession(
        connector=KeptConnections(tls, once=once),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": "dtbench", "accept": "application/json"},
        max_line_size=MOST_HEADER,
        max_field_size=MOST_HEADER,
        max_headers=MOST_HEADERS,
    )


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    # An answer may take minutes, in which nothing is sent: routers must not forget the connection.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made
