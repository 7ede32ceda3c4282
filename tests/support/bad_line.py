"""A way to a server on this machine that is as bad as it is told to be: dead, mute, garbling, torn, slow."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["none", "dropped", "mute", "garbage", "torn", "slow", "late"]
GARBAGE = b"\x00\xffthis is no reply\r\n\r\n" * 9
PIECE = 40
"""How many bytes of a slow reply come at a time."""


@dataclass
class Line:
    """What the line does to replies, and what it did."""

    url: str = ""
    fault: Callable[[int], Fault] = lambda number: "none"
    """What is done to which reply, counted from 0."""
    delay: float = 0.0
    """Seconds between the pieces of a slow reply, and before a late one."""
    replies: int = 0
    did: Counter[Fault] = field(default_factory=Counter)
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None
    _there: tuple[str, int] = ("", 0)

    def cut(self) -> None:
        """End every connection, and take no new one."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    def mend(self) -> None:
        """Take connections again, at the same place."""
        asyncio.run_coroutine_threadsafe(self._open(urlsplit(self.url).port or 0), self._loop).result()

    async def _open(self, port: int) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in list(self._ends):
            end.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = None, None
        try:
            back, there = await asyncio.open_connection(*self._there)
            self._ends |= {writer, there}
            while request := await _message(reader):
                there.write(request)
                reply = await _message(back)
                if not reply or not await self._give(writer, reply):
                    return
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass  # either end has gone, or is to go
        finally:
            for end in {writer, there} - {None}:
                assert end is not None
                self._ends.discard(end)
                end.transport.abort()
            self._tasks.discard(task)

    async def _give(self, writer: asyncio.StreamWriter, reply: bytes) -> bool:
        """Pass a reply on, as badly as is its turn; whether the connection goes on."""
        fault = self.fault(self.replies)
        self.replies += 1
        self.did[fault] += 1
        if fault == "dropped":
            return False
        if fault == "mute":
            await asyncio.Event().wait()
        if fault == "late":
            await asyncio.sleep(self.delay)
        if fault == "slow":
            for at in range(0, len(reply), PIECE):
                writer.write(reply[at : at + PIECE])
                await asyncio.sleep(self.delay)
            return True
        writer.write({"garbage": GARBAGE, "torn": reply[: len(reply) * 2 // 3]}.get(fault, reply))
        await writer.drain()
        if fault == "torn":
            writer.close()
            await writer.wait_closed()
        return fault in {"none", "late"}


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A request or a reply with its body; nothing where the connection ended before one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return head + await reader.readexactly(int(length or 0))


@contextmanager
def bad_line(url: str, fault: Callable[[int], Fault] = lambda number: "none", delay: float = 0.0) -> Iterator[Line]:
    """A line to the server at this URL, for as long as the block runs."""
    parts = urlsplit(url)
    line = Line(fault=fault, delay=delay, _there=(parts.hostname or "", parts.port or 80))
    thread = threading.Thread(target=line._loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(line._open(0), line._loop).result()
        yield line
    finally:
        line.cut()
        line._loop.call_soon_threadsafe(line._loop.stop)
        thread.join()
        line._loop.close()
