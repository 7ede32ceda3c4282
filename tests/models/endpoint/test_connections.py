"""Connections to an endpoint: kept, watched, bounded, and without anything of an earlier request."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import threading
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import pytest
from chat_server import Chat, Turn, chatting

from dtbench.models.endpoint import http
from dtbench.models.endpoint.address import parse_address
from dtbench.models.endpoint.http import AwayError, GarbledError, HttpClient, OversizeError, Request

T = TypeVar("T")
ASK = Request("POST", "/chat/completions", {}, lambda: [b"{}"])


class PartsOfBody(list[bytes]):
    """Parts that can be looked for once nobody holds them."""


def driven(url: str, work: Callable[[HttpClient], Awaitable[T]]) -> T:
    async def drive() -> T:
        client = HttpClient(parse_address(url))
        try:
            return await work(client)
        finally:
            await client.aclose()

    return asyncio.run(drive())


def test_a_body_is_let_go_of_once_it_is_sent() -> None:
    made: list[weakref.ref[PartsOfBody]] = []

    def body() -> PartsOfBody:
        parts = PartsOfBody([b'{"clip": "', b"x" * 1_000_000, b'"}'])
        made.append(weakref.ref(parts))
        return parts

    async def ask(client: HttpClient) -> None:
        task = asyncio.create_task(client.request(Request("POST", "/chat/completions", {}, body), 30))
        while not chat.asked:
            await asyncio.sleep(0.01)
        gc.collect()
        assert [parts() for parts in made] == [None]
        assert len(chat.asked[0].json()["clip"]) == 1_000_000
        await task

    with chatting(Turn(delay=0.5)) as chat:
        driven(chat.url, ask)


def test_a_body_is_made_anew_where_a_stale_connection_lost_it() -> None:
    made: list[int] = []

    def body() -> list[bytes]:
        made.append(1)
        return [b'{"number": %d}' % len(made)]

    async def ask(client: HttpClient) -> None:
        for _ in range(2):
            await client.request(Request("POST", "/chat/completions", {}, body), 30)

    with chatting(Turn(), Turn(drop="at once"), Turn()) as chat:
        driven(chat.url, ask)
        assert [asked.json()["number"] for asked in chat.asked] == [1, 2, 3]


def test_an_open_connection_is_watched_by_the_system() -> None:
    async def ask(client: HttpClient) -> list[int]:
        await client.request(ASK, 30)
        sockets = [one for one in gc.get_objects() if issubclass(type(one), socket.socket) and one.fileno() >= 0]
        port = parse_address(chat.url).port
        ours = [one for one in sockets if _peer(one) == port]
        return [one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) for one in ours]

    with chatting() as chat:
        assert driven(chat.url, ask) == [1]


def _peer(one: socket.socket) -> int:
    try:
        return int(one.getpeername()[1])
    except (OSError, IndexError):
        return 0


def test_a_host_that_takes_no_connection_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECTING", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        first.connect(full.getsockname())
        second.setblocking(False)
        second.connect_ex(full.getsockname())  # Linux drops what comes once the queue is full
        with pytest.raises(AwayError, match=r"^no connection within 0\.3 s$"):
            driven(f"http://127.0.0.1:{full.getsockname()[1]}", lambda client: client.request(ASK, 30))


def test_a_name_that_does_not_exist_is_one_line() -> None:
    with pytest.raises(AwayError) as raised:
        driven("http://no-such-host.invalid", lambda client: client.request(ASK, 30))
    assert "\n" not in str(raised.value)
    assert "Cannot connect" not in str(raised.value)


def test_a_compressed_answer_is_read() -> None:
    packed = gzip.compress(Turn("(B)").content("tiny"))
    with chatting(Turn(body=packed, headers={"content-encoding": "gzip"})) as chat:
        reply = driven(chat.url, lambda client: client.request(ASK, 30))
        assert gzip.decompress(packed) == reply.body
        assert "gzip" in chat.asked[0].headers["accept-encoding"]


def test_an_answer_in_an_unknown_compression_is_one_clear_error() -> None:
    with chatting(Turn(body=b"\x00\x01", headers={"content-encoding": "gzip"})) as chat, pytest.raises(GarbledError):
        driven(chat.url, lambda client: client.request(ASK, 30))


def test_no_cookie_of_an_endpoint_is_sent_back() -> None:
    async def ask(client: HttpClient) -> None:
        for _ in range(2):
            await client.request(ASK, 30)

    def seen(chat: Chat) -> list[bool]:
        return ["cookie" in asked.headers for asked in chat.asked]

    with chatting(default=Turn(headers={"set-cookie": "who=me; Path=/"})) as chat:
        driven(chat.url, ask)
        assert seen(chat) == [False, False]


def reply(text: str, length: int | None = None) -> bytes:
    size = len(text) if length is None else length
    return f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n{text}".encode()


def read_request(connection: socket.socket) -> bytes:
    held = b""
    while not held.endswith(b"{}"):
        held += connection.recv(4096)
    return held


def test_a_reply_that_nobody_asked_for_answers_no_later_request() -> None:
    second: list[bytes] = []
    idle, unasked = threading.Event(), threading.Event()

    def serve(listening: socket.socket) -> None:
        first, _ = listening.accept()
        read_request(first)
        first.sendall(reply('{"number": 1}'))
        idle.wait(30)
        first.sendall(reply('{"number": 666}'))
        unasked.set()
        other, _ = listening.accept()
        second.append(read_request(other))
        other.sendall(reply('{"number": 2}'))
        first.close()
        other.close()

    async def ask(client: HttpClient) -> list[bytes]:
        first = await client.request(ASK, 30)
        idle.set()
        await asyncio.to_thread(unasked.wait, 30)
        await asyncio.sleep(0.05)  # the loop reads what has come
        return [first.body, (await client.request(ASK, 30)).body]

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=serve, args=(listening,), daemon=True)
        server.start()
        assert driven(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", ask) == [b'{"number": 1}', b'{"number": 2}']
        server.join(30)
    assert len(second) == 1


def test_after_a_request_that_is_given_up_the_server_sees_the_end_of_its_connection_at_once() -> None:
    begun, ended = threading.Event(), threading.Event()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        read_request(connection)
        connection.sendall(reply("half", length=99))
        begun.set()
        connection.settimeout(30)
        with suppress(ConnectionResetError):
            assert connection.recv(10) == b""
        ended.set()
        connection.close()

    async def ask(client: HttpClient) -> bool:
        request = asyncio.create_task(client.request(ASK, 30))
        await asyncio.to_thread(begun.wait, 30)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        return await asyncio.to_thread(ended.wait, 10)  # while the client goes on

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        assert driven(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", ask)


def test_what_is_not_sent_yet_when_a_request_is_given_up_is_never_sent() -> None:
    size = 64 << 20  # more than the buffers of any system take
    request = Request("POST", "/chat/completions", {}, lambda: [b"x" * size])
    begun, given_up = threading.Event(), threading.Event()
    read: list[int] = []

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        read.append(len(connection.recv(10)))
        begun.set()
        given_up.wait(30)
        connection.settimeout(30)
        with suppress(ConnectionResetError):
            while part := connection.recv(1 << 20):
                read.append(len(part))
        connection.close()

    async def ask(client: HttpClient) -> None:
        asking = asyncio.create_task(client.request(request, 30))
        await asyncio.to_thread(begun.wait, 30)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        given_up.set()
        await asyncio.to_thread(server.join, 30)  # while the client goes on

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=serve, args=(listening,), daemon=True)
        server.start()
        driven(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", ask)
    assert not server.is_alive()
    assert 0 < sum(read) < size


def test_a_stream_that_says_nothing_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_EVENTS", 20_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    event = b'data: {"choices": [{"index": 0, "delta": {}}]}\n\n'

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        read_request(connection)
        with suppress(OSError):
            connection.sendall(head + event + b": still here\n\n" * 5_000)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with pytest.raises(OversizeError, match="which no answer is"):
            driven(url, lambda client: client.request(ASK, 30))
