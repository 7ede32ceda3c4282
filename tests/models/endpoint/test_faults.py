"""Every way in which an endpoint can fail, against one that does."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from email.utils import formatdate

import pytest
from asking import PROMPT, answers, failure
from chat_server import Turn, chatting

from dtbench.harness.core.errors import ModelError
from dtbench.models.endpoint.address import parse_address
from dtbench.models.endpoint.discover import EndpointModel
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings


def test_an_empty_text_is_no_answer_where_nothing_says_that_the_model_stopped() -> None:
    assert failure(Turn("", finish_reason=None)).again
    assert failure(Turn("", finish_reason="abort")).again
    assert not failure(Turn("", finish_reason="content_filter")).again


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_a_status_that_may_pass_is_asked_again(status: int) -> None:
    error = failure(Turn(status=status))
    assert error.again
    assert f"answered {status}: status {status}" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_status_that_blames_the_request_is_not_asked_again(status: int) -> None:
    error = failure(Turn(status=status))
    assert not error.again
    assert ("DTBENCH_API_KEY" in str(error)) == (status in {401, 403})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "max_tokens is\\ntoo large"}}', "answered 400: max_tokens is too large"),
        (b'{"error": "no audio"}', "answered 400: no audio"),
        (b'{"message": "no audio"}', "answered 400: no audio"),
        (b'{"detail": [{"loc": "x"}]}', 'answered 400: [{"loc": "x"}]'),
        (b"<html>Bad\n Gateway\x1b[2J</html>", "answered 400: <html>Bad Gateway\\x1b[2J</html>"),
        (b"", "answered 400: an empty reply"),
        (b"x" * 5000, "x..."),
    ],
    ids=["openai", "text", "message", "detail", "html", "empty", "long"],
)
def test_what_the_endpoint_complains_of_is_told_in_one_line(body: bytes, message: str) -> None:
    text = str(failure(Turn(status=400, body=body)))
    assert text.endswith(message)
    assert len(text) < 400


def test_a_redirect_names_the_address_to_use() -> None:
    error = failure(Turn(status=308, headers={"location": "https://there/v1"}))
    assert str(error) == "the endpoint answered 308: it redirects to https://there/v1: use that address"
    assert not error.again


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_key_follows_a_redirect_to_another_host(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with chatting() as other:
        error = failure(Turn(status=status, headers={"location": f"{other.url}/chat/completions"}))
        assert f"redirects to {other.url}/chat/completions" in str(error)
        assert (other.asked, other.looked_up) == ([], [])


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        (3600, 3500, 3600),
        (-3600, 0, 0),
        ("-3", 0, 0),
        ("1e400", 1e9, 1e9),
    ],
    ids=["seconds", "part", "date", "past date", "negative", "endless"],
)
def test_the_wait_that_an_endpoint_asks_for_is_read(value: str | int, least: float, most: float) -> None:
    if isinstance(value, int):  # a date so many seconds from now, where now is the time of this test
        value = formatdate(time.time() + value, usegmt=True)
    wait = failure(Turn(status=429, headers={"retry-after": value})).retry_after
    assert wait is not None
    assert least <= wait <= most


@pytest.mark.parametrize("value", ["soon", "nan", "Mon, 99 Foo 2026"])
def test_a_wait_that_cannot_be_read_is_none(value: str) -> None:
    assert failure(Turn(status=429, headers={"retry-after": value})).retry_after is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"choices": [{"mess',
        b"[]",
        b"null",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": {"content": 7}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": [{"type": "text"}]}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "x"}, "finish_reason": 3}]}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b"<html>please log in</html>",
        b'{"error": {"message": "out of memory"}}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_a_reply_without_an_answer_is_asked_again(body: bytes) -> None:
    error = failure(Turn(body=body, headers={"content-type": "text/html"}))
    assert error.again
    assert str(error).startswith("the endpoint's reply has no answer: ")


@pytest.mark.parametrize(
    ("turn", "timeout", "complaint"),
    [
        (Turn(drop="at once"), 60, "the connection was closed without a reply"),
        (Turn(drop="half way"), 60, "the connection was closed before the end of the reply"),
        (Turn(drop="half way", framing="chunks"), 60, "the connection was closed before the end of the reply"),
        (Turn(preface=b"nonsense\r\n"), 60, "the reply is not HTTP"),
        (Turn(delay=3600), 0.2, "no answer within 0.2 s"),
    ],
    ids=["dropped", "torn", "torn in chunks", "no http", "late"],
)
def test_an_answer_that_does_not_come_is_asked_again(turn: Turn, timeout: float, complaint: str) -> None:
    error = failure(turn, timeout=timeout)
    assert (error.again, str(error)) == (True, complaint)


def test_a_request_after_a_late_or_broken_answer_gets_its_own() -> None:
    with chatting(Turn("late", delay=2.3), Turn("own"), Turn("torn", drop="half way"), Turn("whole")) as chat:

        async def ask() -> list[str]:
            server = Server.connect(chat.url, EndpointSettings(timeout=2.2))
            told = []
            for _ in range(4):
                try:
                    told.append((await server.generate(PROMPT)).text)
                except ModelError as error:
                    told.append(str(error))
                await asyncio.sleep(0.1)
            await server.aclose()
            return told

        assert asyncio.run(ask()) == [
            "no answer within 2.2 s",
            "own",
            "the connection was closed before the end of the reply",
            "whole",
        ]


def test_a_connection_that_the_server_closed_while_idle_costs_no_attempt() -> None:
    with chatting(Turn("one"), Turn(drop="at once"), Turn("two")) as chat:
        told = answers(chat, PROMPT, PROMPT)
    assert [one.text for one in told] == ["one", "two"]


def test_a_server_that_drops_every_request_is_not_asked_without_end() -> None:
    with chatting(Turn("one"), default=Turn(drop="at once")) as chat:
        with pytest.raises(ModelError, match="without a reply"):
            answers(chat, PROMPT, PROMPT)
        assert len(chat.asked) == 3


def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    with chatting(Turn(delay=30), Turn("next")) as chat:

        async def ask() -> str:
            server = Server.connect(chat.url, EndpointSettings())
            task = asyncio.create_task(server.generate(PROMPT))
            while not chat.asked:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            told = await server.generate(PROMPT)
            await server.aclose()
            return told.text

        assert asyncio.run(ask()) == "next"
        assert [asked.connection for asked in chat.asked] == [2, 3]  # by 1 it was asked what it serves


def test_a_connection_on_which_a_request_was_refused_half_way_is_not_used_again() -> None:
    over = asyncio.Event()
    came, gone = [], []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await over.wait()  # the rest of the request is not read
        writer.transport.abort()
        gone.append(writer)

    async def drive() -> list[str]:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as here:
            where = parse_address(f"http://127.0.0.1:{here.sockets[0].getsockname()[1]}")
            server = Server([where], EndpointSettings(timeout=60), EndpointModel("tiny", None))
            told = []
            for _ in range(2):
                with pytest.raises(ModelError) as raised:
                    await server.generate(dataclasses.replace(PROMPT, wavs=(bytes(30_000_000),)))
                told.append(str(raised.value))
            await server.aclose()
            over.set()
            while len(gone) < len(came):
                await asyncio.sleep(0.01)
            return told

    assert asyncio.run(drive()) == ["the endpoint answered 413: an empty reply"] * 2
    assert len(came) == 2
