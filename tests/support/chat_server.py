"""An OpenAI-compatible chat endpoint on this machine that answers at once, or fails as it is told to."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

ANSWERING = {200: "OK", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Turn:
    """How one request is answered."""

    text: str | None = "(A)"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Sent as it is, in place of a completion of `text`."""
    message: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the answer's message."""
    tokens: Sequence[Mapping[str, float]] = ()
    """For each token of the answer what might have stood there, itself first, with log-probabilities; empty: untold."""
    finish_reason: str | None = "stop"
    delay: float = 0.0
    """Seconds until it answers."""
    drop: Literal["", "at once", "half way"] = ""
    """Where the connection ends without an answer, or within it."""
    framing: Literal["length", "chunks", "until closed"] = "length"
    close: bool = False
    """Whether it says `connection: close`, and does so."""
    preface: bytes = b""
    """What is sent before the answer, such as an interim one."""

    def content(self, model: object) -> bytes:
        """The body."""
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": f"status {self.status}", "type": "error"}}).encode()
        message = {"role": "assistant", "content": self.text, **self.message}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason, **self._logprobs()}
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        return json.dumps({"object": "chat.completion", "model": model, "choices": [choice], "usage": usage}).encode()

    def _logprobs(self) -> Mapping[str, Any]:
        if not self.tokens:
            return {}
        places = [[{"token": token, "logprob": logprob} for token, logprob in one.items()] for one in self.tokens]
        return {"logprobs": {"content": [{**tokens[0], "top_logprobs": tokens} for tokens in places]}}


class Asked(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes
    connection: int
    """Which connection it came by, from 1."""

    @property
    def tries(self) -> bool:
        """Whether it tries the first question of a run."""
        return "preflight" in self.headers.get("user-agent", "")

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.content)


@dataclass
class Chat:
    """What the endpoint does, and what it was asked."""

    url: str = ""
    turns: deque[Turn] = field(default_factory=deque)
    """How the next requests are answered, in order; after them `default` holds."""
    default: Turn = field(default_factory=Turn)
    choose: Callable[[Asked], Turn | None] | None = None
    """Decides before `turns` do, where it gives a turn."""
    embed: Callable[[Asked], Turn] | None = None
    """Answers requests for embeddings; without it there are none."""
    models: Sequence[str] | Turn = ("tiny",)
    version: str | None = "0.32.0"
    asked: list[Asked] = field(default_factory=list)
    """The chat requests, but for those that try the first question of a run."""
    tried: list[Asked] = field(default_factory=list)
    """Those; they are answered well, and count as nothing else, unless `choose` decides on them."""
    chooses_tried: bool = False
    """Whether `choose` decides on them too."""
    looked_up: list[Asked] = field(default_factory=list)
    """The others."""
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    together: int = 0
    """No chat request of a run is answered before so many have been in flight at once, however slow the machine is."""
    waiting: list[Callable[[], object]] = field(default_factory=list)
    open: set[asyncio.Transport] = field(default_factory=set)
    keeps: bool = True
    """Whether requests are kept; a benchmark has too many."""

    def turn(self, asked: Asked) -> Turn:
        """How this request is answered."""
        path = asked.path.partition("?")[0]
        if asked.tries:
            self.tried.append(asked)
            chosen = self.choose(asked) if self.choose and self.chooses_tried else None
            return chosen or Turn()
        if path.endswith("/chat/completions"):
            if self.keeps:
                self.asked.append(asked)
            chosen = self.choose(asked) if self.choose else None
            return chosen or (self.turns.popleft() if self.turns else self.default)
        if path.endswith("/embeddings") and self.embed is not None:
            self.asked.append(asked)
            return self.embed(asked)
        self.looked_up.append(asked)
        if path.endswith("/models"):
            if isinstance(self.models, Turn):
                return self.models
            return Turn(body=json.dumps({"data": [{"id": name} for name in self.models]}).encode())
        if path == "/version" and self.version:
            return Turn(body=json.dumps({"version": self.version}).encode())
        return Turn(status=404)


@contextmanager
def chatting(*turns: Turn, tls: ssl.SSLContext | None = None, **settings: Any) -> Iterator[Chat]:
    """The endpoint, for as long as the block runs."""
    chat = Chat(turns=deque(turns), **settings)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_start(chat, tls), loop).result()
    try:
        yield chat
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server, chat), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def answering_in_steps(default: Turn | None = None) -> Iterator[tuple[str, threading.Semaphore]]:
    """The URL of an endpoint for one request at a time, and what lets it answer the next so many."""
    may_answer = threading.Semaphore(0)

    def answer(_: Asked) -> Turn:
        may_answer.acquire()
        return default or Turn()

    with chatting(choose=answer) as chat:
        try:
            yield chat.url, may_answer
        finally:
            may_answer.release(1_000_000)  # it cannot be stopped while it waits


@contextmanager
def chatting_elsewhere() -> Iterator[str]:
    """The URL of an endpoint in a process of its own, so that its work is not ours."""
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()


def nobody() -> str:
    """A URL at which nothing listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


async def _start(chat: Chat, tls: ssl.SSLContext | None, port: int = 0) -> asyncio.Server:
    chat_loop = asyncio.get_running_loop()
    server = await chat_loop.create_server(lambda: _Connection(chat), "127.0.0.1", port, ssl=tls)
    chat.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    return server


async def _stop(server: asyncio.Server, chat: Chat) -> None:
    server.close()
    for transport in list(chat.open):
        transport.abort()
    await asyncio.sleep(0.01)  # for the connections to be gone before their loop is


class _Connection(asyncio.Protocol):
    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.held = bytearray()
        self.lacking = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.chat.connections += 1
        self.number = self.chat.connections
        self.chat.open.add(self.transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.chat.open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.held += data
        while len(self.held) >= self.lacking and (asked := self._request()):
            self._begin(asked)

    def _request(self) -> Asked | None:
        end = self.held.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = bytes(self.held[:end]).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        whole = end + 4 + int(headers.get("content-length", 0))
        self.lacking = whole
        if len(self.held) < whole:
            return None
        content = bytes(self.held[end + 4 : whole]) if self.chat.keeps else b""
        del self.held[:whole]
        self.lacking = 0
        method, path, _ = first.split(" ")
        return Asked(method, path, headers, content, self.number)

    def _begin(self, asked: Asked) -> None:
        chat = self.chat
        chat.in_flight += 1
        chat.most_in_flight = max(chat.most_in_flight, chat.in_flight)
        turn = chat.turn(asked)
        if chat.most_in_flight < chat.together and "/chat/completions" in asked.path and not asked.tries:
            chat.waiting.append(partial(self._answer, asked, turn))
            return
        self._answer(asked, turn)
        while chat.waiting:
            chat.waiting.pop()()

    def _answer(self, asked: Asked, turn: Turn) -> None:
        if turn.delay:
            asyncio.get_running_loop().call_later(turn.delay, self._finish, asked, turn)
        else:
            self._finish(asked, turn)

    def _finish(self, asked: Asked, turn: Turn) -> None:
        self.chat.in_flight -= 1
        if self.transport.is_closing():
            return
        if turn.drop == "at once":
            self.transport.abort()
            return
        model = asked.json().get("model") if self.chat.keeps and asked.content else "tiny"
        answer = turn.preface + _encoded(turn, turn.content(model))
        if turn.drop == "half way":
            answer = answer[: len(answer) - 20]
        self.transport.write(answer)
        if turn.drop or turn.close or turn.framing == "until closed":
            self.transport.close()


def _encoded(turn: Turn, content: bytes) -> bytes:
    headers = {"content-type": "application/json", **turn.headers}
    if turn.close:
        headers["connection"] = "close"
    if turn.framing == "length":
        headers["content-length"] = str(len(content))
    if turn.framing == "chunks":
        headers["transfer-encoding"] = "chunked"
        parts = [content[at : at + 7] for at in range(0, len(content), 7)]
        chunks = b"".join(b"%x;note=x\r\n%s\r\n" % (len(part), part) for part in parts)
        content = chunks + b"0\r\nx-trailer: 1\r\n\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {turn.status} {ANSWERING.get(turn.status, 'Status')}\r\n{lines}\r\n"
    return head.encode("latin-1") + content


async def _serve_alone(port: int | None) -> None:
    chat = Chat(keeps=False)
    server = await _start(chat, None, port or 0)
    print(chat.url, flush=True)
    if port is not None:
        await server.serve_forever()  # until it is killed
    await asyncio.to_thread(sys.stdin.buffer.read)  # until whoever started it lets go
    await _stop(server, chat)


if __name__ == "__main__":
    asyncio.run(_serve_alone(int(sys.argv[1]) if len(sys.argv) > 1 else None))
