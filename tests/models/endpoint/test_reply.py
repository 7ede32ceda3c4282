"""HTTP replies, whole or in pieces, as servers frame them."""

from __future__ import annotations

import pytest

from dtbench.models.endpoint.reply import GarbledError, Reply, ReplyReader

BY_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nx-trailer: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + BY_LENGTH
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


def fed(data: bytes, size: int) -> Reply | None:
    reader = ReplyReader()
    reply = None
    for at in range(0, len(data), size):
        assert reply is None, "the reply was taken for whole too early"
        reply = reader.feed(data[at : at + size])
    return reply


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
@pytest.mark.parametrize(
    ("data", "status", "body"),
    [(BY_LENGTH, 200, b"hello"), (CHUNKED, 200, b"hello"), (INTERIM, 200, b"hello"), (EMPTY, 204, b"")],
    ids=["length", "chunks", "interim", "empty"],
)
def test_a_reply_is_the_same_in_whatever_pieces_it_comes(data: bytes, status: int, body: bytes, size: int) -> None:
    reply = fed(data, size)
    assert reply is not None
    assert (reply.status, reply.body, reply.keeps) == (status, body, True)


@pytest.mark.parametrize("size", [1, 10_000])
def test_a_reply_without_a_length_ends_with_its_connection(size: int) -> None:
    reader = ReplyReader()
    data = b"HTTP/1.1 200 OK\r\n\r\nhello"
    assert [reader.feed(data[at : at + size]) for at in range(0, len(data), size)][-1] is None
    assert reader.end() == Reply(200, {}, b"hello", keeps=False)


def test_a_reply_with_a_length_does_not_end_with_its_connection() -> None:
    reader = ReplyReader()
    reader.feed(BY_LENGTH[:-1])
    assert reader.end() is None


def test_names_of_headers_are_read_in_any_case() -> None:
    reply = fed(b"HTTP/1.1 429 No\r\nCONTENT-LENGTH:0\r\nRetry-After:  3 \r\n\r\n", 1000)
    assert reply is not None
    assert reply.headers == {"content-length": "0", "retry-after": "3"}


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nConnection: Close\r\n\r\nx",
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n",
    ],
    ids=["says close", "1.0", "sends more than it said"],
)
def test_a_connection_that_is_not_good_for_another_request_is_known(data: bytes) -> None:
    reply = fed(data, 10_000)
    assert reply is not None
    assert (reply.body, reply.keeps) == (b"x", False)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "the reply is not HTTP"),
        (b"\x15\x03\x03\x00\x02\x02", "the reply is not HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "the reply is not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "the reply is not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", "'-5' bytes long"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "'99999999999' bytes long"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc", "compressed (gzip)"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "no readable size"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-2\r\n", "no readable size"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabcd\r\n", "has the wrong length"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, "the reply is not HTTP"),
    ],
    ids=lambda value: value[:12].decode("latin-1") if isinstance(value, bytes) else value,
)
def test_what_is_no_reply_is_said_to_be_none(data: bytes, complaint: str) -> None:
    with pytest.raises(GarbledError) as raised:
        fed(data, 100_000_000)
    assert complaint in str(raised.value)
