"""HTTP replies, whole or in pieces, as servers frame them, and what is none."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import flood
import pytest

from dtbench.models.endpoint.address import Address, parse_address
from dtbench.models.endpoint.http import DroppedError, GarbledError, HttpClient, Reply, Request

T = TypeVar("T")
BY_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nx-trailer: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + BY_LENGTH
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\nhello"
GET = Request("GET", "/models", {})


class Replayed:
    """A server that answers each request with the same bytes, in pieces of a size."""

    def __init__(self, data: bytes, size: int, *, closes: bool) -> None:
        self.data, self.size, self.closes = data, size, closes
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self.address = parse_address(f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1")

    def serve(self) -> None:
        """Answer until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            held = b""
            while True:
                try:
                    data = connection.recv(1 << 16)
                    held += data
                    if not data:
                        return
                    if not held.endswith(b"\r\n\r\n"):
                        continue
                    held = b""
                    for at in range(0, len(self.data), self.size):
                        connection.sendall(self.data[at : at + self.size])
                except OSError:
                    return
                if self.closes:
                    return


@contextmanager
def replaying(data: bytes, size: int = 1 << 20, *, closes: bool = False) -> Iterator[Replayed]:
    server = Replayed(data, size, closes=closes)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join()


def driven(address: Address, work: Callable[[HttpClient], Awaitable[T]]) -> T:
    async def drive() -> T:
        client = HttpClient(address)
        try:
            return await work(client)
        finally:
            await client.aclose()

    return asyncio.run(drive())


def replies(address: Address, times: int = 1, seconds: float = 30) -> Sequence[Reply]:
    async def ask(client: HttpClient) -> Sequence[Reply]:
        return [await client.request(GET, seconds) for _ in range(times)]

    return driven(address, ask)


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
@pytest.mark.parametrize(
    ("data", "status", "body"),
    [(BY_LENGTH, 200, b"hello"), (CHUNKED, 200, b"hello"), (INTERIM, 200, b"hello"), (EMPTY, 204, b"")],
    ids=["length", "chunks", "interim", "empty"],
)
def test_a_reply_is_the_same_in_whatever_pieces_it_comes(data: bytes, status: int, body: bytes, size: int) -> None:
    with replaying(data, size) as server:
        for reply in replies(server.address, times=3):
            assert (reply.status, reply.body) == (status, body)
        assert server.connections == 1


@pytest.mark.parametrize("size", [1, 10_000])
def test_a_reply_without_a_length_ends_with_its_connection(size: int) -> None:
    with replaying(UNTIL_CLOSED, size, closes=True) as server:
        assert [reply.body for reply in replies(server.address, times=2)] == [b"hello"] * 2
        assert server.connections == 2


def test_a_reply_with_a_length_does_not_end_with_its_connection() -> None:
    with replaying(BY_LENGTH[:-1], closes=True) as server, pytest.raises(DroppedError, match="before the end"):
        replies(server.address)


def test_names_of_headers_are_read_in_any_case() -> None:
    with replaying(b"HTTP/1.1 429 No\r\nCONTENT-LENGTH:0\r\nRetry-After:  3 \r\n\r\n") as server:
        assert replies(server.address)[0].headers == {"content-length": "0", "retry-after": "3"}


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nConnection: Close\r\n\r\nx",
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\ny",
    ],
    ids=["says close", "1.0", "sends more than it said"],
)
def test_a_connection_that_is_not_good_for_another_request_is_not_used_again(data: bytes) -> None:
    with replaying(data) as server:
        assert [reply.body for reply in replies(server.address, times=2)] == [b"x", b"x"]
        assert server.connections == 2


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "the reply is not HTTP"),
        (b"\x15\x03\x03\x00\x02\x02", "the reply is not HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "the reply is not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "the reply is not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", "the reply is not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "longer than 8 MB"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
            "cannot be read",
        ),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "the reply is not HTTP"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-2\r\n", "the reply is not HTTP"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabcd\r\n", "the reply is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, "the reply is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, "the reply is not HTTP"),
    ],
    ids=lambda value: value[:12].decode("latin-1") if isinstance(value, bytes) else value,
)
def test_what_is_no_reply_is_said_to_be_none(data: bytes, complaint: str) -> None:
    with replaying(data) as server, pytest.raises(GarbledError) as raised:
        replies(server.address)
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_comes_while_a_connection_is_idle_is_no_reply_to_the_next_request() -> None:
    async def drive() -> list[bytes]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(BY_LENGTH)
            await idle.wait()
            writer.write(BY_LENGTH.replace(b"hello", b"stale"))
            await writer.drain()
            sent.set()

        connections, idle, sent = list[asyncio.StreamWriter](), asyncio.Event(), asyncio.Event()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as here:
            client = HttpClient(parse_address(f"http://127.0.0.1:{here.sockets[0].getsockname()[1]}"))
            bodies = [(await client.request(GET, 30)).body]
            idle.set()
            await sent.wait()
            await asyncio.sleep(0.05)
            bodies.append((await client.request(GET, 30)).body)
            await client.aclose()
            assert len(connections) == 2
            for connection in connections:
                connection.transport.abort()
        return bodies

    assert asyncio.run(drive()) == [b"hello", b"hello"]


def test_headers_without_an_end_are_given_up_early() -> None:
    with flood.flooding(flood.in_headers, 1 << 30) as url, pytest.raises(GarbledError, match="the reply is not HTTP"):
        driven(parse_address(url), lambda client: client.request(Request("POST", "/x", {}, lambda: [b"{}"]), 30))
