"""A proxy on this machine for HTTP and for tunnels (CONNECT), through which every host name is this machine."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class LoopbackProxy:
    """What the proxy takes, and what it was asked for."""

    login: str | None = None
    """`user:password` that each request has to bring."""
    status: int = 200
    """With what it answers a request for a tunnel that it lets through."""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """The first line of each request."""
    heads: list[str] = field(default_factory=list)
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one request, or all bytes of one tunnel."""
        self._ends.add(writer)
        try:
            await self._pass_on(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # either end has gone
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, _, lines = head.partition("\r\n")
        self.asked.append(first)
        self.heads.append(head)
        method, target, version = first.split(" ")
        if self.login is not None and f"Basic {base64.b64encode(self.login.encode()).decode()}" not in head:
            challenge = b'proxy-authenticate: Basic realm="proxy"\r\ncontent-length: 0\r\n\r\n'
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n" + challenge)
            await writer.drain()
            return
        if method == "CONNECT" and self.status != 200:
            writer.write(f"HTTP/1.1 {self.status} No\r\ncontent-length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        back, there = await asyncio.open_connection("127.0.0.1", url.port or 80)
        self._ends.add(there)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            kept = "\r\n".join(line for line in lines.split("\r\n") if not line.lower().startswith("proxy-"))
            there.write(f"{method} {url.path} {version}\r\n{kept}".encode("latin-1"))
        await asyncio.gather(_copy(reader, there), _copy(back, writer))

    async def close(self) -> None:
        """End every connection."""
        for end in self._ends:
            end.transport.abort()
        await asyncio.sleep(0.01)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        target.write(data)
        await target.drain()
    target.close()


@contextmanager
def proxying(login: str | None = None, status: int = 200) -> Iterator[LoopbackProxy]:
    """The proxy, for as long as the block runs."""
    proxy = LoopbackProxy(login, status)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(proxy.serve, "127.0.0.1", 0), loop).result()
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(proxy.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
