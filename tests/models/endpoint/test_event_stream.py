"""A streamed answer is the chat completion that it would have been in one piece."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from asking import PROMPT, answers, failure
from chat_server import Turn, chatting

from dtbench.models.endpoint.address import parse_address
from dtbench.models.endpoint.event_stream import EventStream, UnreadableEventError
from dtbench.models.endpoint.http import HttpClient, Reply, Request

STREAMED = {"content-type": "text/event-stream; charset=utf-8"}
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def chunk(delta: Mapping[str, Any], finish_reason: str | None = None, index: int = 0, **choice: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "model": "tiny",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason, **choice}],
    }


def events(*chunks: Mapping[str, Any], end: str = "\n\n", done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(one)}{end}" for one in chunks]
    return "".join([*lines, f"data: [DONE]{end}" if done else ""]).encode()


def folded(data: bytes, size: int = 1 << 20) -> dict[str, Any]:
    stream = EventStream()
    for at in range(0, len(data), size):
        stream.feed(data[at : at + size])
    stream.end()
    assert stream.finished
    return stream.completion()


def message(*deltas: Mapping[str, Any]) -> dict[str, Any]:
    """The message that deltas add up to."""
    whole: dict[str, Any] = folded(events(*map(chunk, deltas)))["choices"][0]["message"]
    return whole


def streamed(body: bytes, framing: str = "length", status: int = 200) -> Turn:
    return Turn(body=body, headers=STREAMED, framing=framing, status=status)  # type: ignore[arg-type]


SPOKEN = events(
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "A jay"}),
    chunk({"reasoning_content": " screams."}),
    chunk({"content": "(B) Jäh"}),
    chunk({"content": "er"}),
    chunk({"content": "no"}, index=1),
    chunk({}, "stop"),
    {"choices": [], "usage": USAGE},
)


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1 << 20])
@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\n: ping\n\n", "\nid: 7\nretry: 3\n\n"], ids=ascii)
def test_a_streamed_answer_is_the_same_in_whatever_pieces_it_comes(size: int, end: str) -> None:
    data = b": OPENROUTER PROCESSING\n\n" + SPOKEN.replace(b"\n\n", end.encode())
    assert folded(data, size) == {
        "id": "c1",
        "object": "chat.completion",
        "model": "tiny",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "reasoning_content": "A jay screams.", "content": "(B) Jäher"},
            }
        ],
        "usage": USAGE,
    }


@pytest.mark.parametrize("framing", ["length", "chunks", "until closed"])
def test_an_endpoint_may_stream_its_answer_unasked(framing: str) -> None:
    with chatting(default=streamed(SPOKEN, framing)) as chat:
        told = answers(chat, PROMPT, PROMPT)
        connections = {asked.connection for asked in chat.asked}
    assert [one.text for one in told] == ["<think>A jay screams.</think>(B) Jäher"] * 2
    assert (told[0].finish_reason, told[0].usage) == ("stop", USAGE)
    assert len(connections) == (2 if framing == "until closed" else 1)


def test_events_are_known_under_another_content_type() -> None:
    with chatting(Turn(body=SPOKEN, headers={"content-type": "text/plain"})) as chat:
        assert answers(chat, PROMPT)[0].text == "<think>A jay screams.</think>(B) Jäher"


def test_an_answer_in_one_piece_is_known_under_the_content_type_of_events() -> None:
    with chatting(Turn("(B)", headers=STREAMED)) as chat:
        assert answers(chat, PROMPT)[0].text == "(B)"


def test_data_of_several_lines_is_one_event() -> None:
    data = b'data: {"choices": [{"delta":\ndata: {"content": "(B)"},\ndata:"finish_reason": "stop"}]}\n\n'
    assert folded(data)["choices"][0]["message"]["content"] == "(B)"


def test_content_in_parts_is_joined_by_kind() -> None:
    thoughts = [
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]} for text in ("A ", "j")
    ]
    texts: Sequence[Mapping[str, Any]] = [{"content": [{"type": "text", "text": "(B"}]}, {"content": ") Jay"}]
    assert message({"content": ""}, *thoughts, *texts)["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "A j"}]},
        {"type": "text", "text": "(B) Jay"},
    ]


def test_details_of_reasoning_are_joined_by_their_index() -> None:
    details = [
        {"type": "reasoning.text", "text": "A ", "index": 0, "format": "x"},
        {"type": "reasoning.encrypted", "data": "zzz", "index": 1},
        {"type": "reasoning.text", "text": "jay", "index": 0, "format": "x"},
    ]
    found = message(*({"reasoning_details": [one]} for one in details))["reasoning_details"]
    assert found[0] == {"type": "reasoning.text", "text": "A jay", "index": 0, "format": "x"}
    assert found[1:] == [{"type": "reasoning.encrypted", "index": 1}]


def test_a_transcript_of_speech_is_kept_and_its_sound_is_not() -> None:
    deltas = [
        {"audio": {"id": "a1", "transcript": "The "}},
        {"audio": {"data": "AAAA"}},
        {"audio": {"transcript": "jay"}},
    ]
    assert message(*deltas)["audio"] == {"id": "a1", "transcript": "The jay"}


def test_log_probabilities_go_on_from_event_to_event() -> None:
    places = [{"token": token, "logprob": -0.5, "top_logprobs": [{"token": "A", "logprob": -1.0}]} for token in "AB"]
    data = events(*(chunk({"content": one["token"]}, logprobs={"content": [one]}) for one in places), chunk({}, "stop"))
    assert folded(data)["choices"][0]["logprobs"] == {"content": places}


def test_a_message_that_repeats_its_deltas_at_the_end_is_taken_once() -> None:
    last = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "(B) Jay"}, "finish_reason": "stop"}]}
    data = events(chunk({"content": "(B)"}), chunk({"content": " Jay"}), last)
    assert folded(data)["choices"][0]["message"]["content"] == "(B) Jay"


@pytest.mark.parametrize(
    ("event", "complaint", "again"),
    [
        ({"error": {"message": "out of memory", "code": 500}}, "answered 500: out of memory", True),
        ({"error": {"message": "slow down", "code": 429}}, "answered 429: slow down", True),
        ({"error": {"message": "no audio", "code": 400}}, "answered 400: no audio", False),
        ({"error": {"message": "gone", "code": "x"}, **chunk({"content": ""}, "error")}, "answered 502: gone", True),
        ({"error": "gone"}, "answered 502: gone", True),
    ],
    ids=["500", "429", "400", "beside choices", "text"],
)
def test_an_error_within_a_stream_is_that_of_a_reply(event: Mapping[str, Any], complaint: str, again: bool) -> None:
    error = failure(streamed(events(chunk({"content": "(A"}), event)))
    assert complaint in str(error)
    assert error.again is again


def test_an_event_may_be_named_an_error() -> None:
    body = events(chunk({"content": "(A"})) + b'event: error\ndata: {"code": 400, "message": "no audio"}\n\n'
    stream = EventStream()
    stream.feed(body.replace(b"data: [DONE]\n\n", b""))
    assert stream.error == {"code": 400, "message": "no audio"}


def test_a_refusal_in_the_form_of_an_event_is_read() -> None:
    body = b'event:error\ndata:{"error":{"message":"no such voice"}}\n\n'
    assert str(failure(streamed(body, status=400))) == "the endpoint answered 400: no such voice"


@pytest.mark.parametrize("body", [events(chunk({"content": "(A"}), done=False), b"", b": ping\n\n"], ids=ascii)
def test_a_stream_that_ends_before_its_answer_is_asked_again(body: bytes) -> None:
    error = failure(streamed(body))
    assert (str(error), error.again) == ("the stream ended before the answer did", True)


def test_a_stream_that_breaks_off_is_asked_again() -> None:
    error = failure(Turn(body=SPOKEN[:200], headers=STREAMED, drop="half way"))
    assert (str(error), error.again) == ("the connection was closed before the end of the reply", True)


@pytest.mark.parametrize("done", [True, False])
def test_a_stream_may_end_with_either_of_its_marks(done: bool) -> None:
    marked = events(chunk({"content": "(B)"}, None if done else "stop"), done=done)
    assert folded(marked.removesuffix(b"\n\n"))["choices"][0]["message"]["content"] == "(B)"


@pytest.mark.parametrize(
    "event", ["7", "[]", '{"choices": 3}', '{"choices": [3]}', '{"choices": [{"delta": "x"}]}', "{", "[" * 9999]
)
def test_an_event_that_is_none_of_a_chat_is_unreadable(event: str) -> None:
    with pytest.raises(UnreadableEventError):
        EventStream().feed(f"data: {event}\n\n".encode())
    error = failure(streamed(f"data: {event}\n\n".encode()))
    assert (str(error), error.again) == ("an event of the streamed answer is no part of a chat completion", True)


def test_a_stream_that_goes_on_after_its_end_holds_no_request_up() -> None:
    async def drive() -> Reply:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + SPOKEN)
            await over.wait()
            writer.transport.abort()

        over = asyncio.Event()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as here:
            client = HttpClient(parse_address(f"http://127.0.0.1:{here.sockets[0].getsockname()[1]}"))
            reply = await client.request(Request("GET", "/chat/completions", {}), 30)
            await client.aclose()
            over.set()
            await asyncio.sleep(0.05)
        return reply

    assert json.loads(asyncio.run(drive()).body)["choices"][0]["message"]["content"] == "(B) Jäher"


def test_an_answer_of_many_tokens_is_folded_within_its_bound() -> None:
    stream = EventStream()
    for number in range(50_000):
        stream.feed(events(chunk({"content": f"{number} "}), done=False))
    assert stream.size < 400_000
    stream.feed(events(chunk({}, "length")))
    assert stream.completion()["choices"][0]["message"]["content"].endswith("49998 49999 ")
