"""An HTTP/1.1 reply, read as its bytes come in: by length, in chunks, or until the connection closes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MOST_HEAD = 1 << 16
MOST_BODY = 1 << 28
"""No chat completion is this long; what is would only fill the memory."""


class GarbledError(Exception):
    """What came back is no HTTP reply."""


class Reply(NamedTuple):
    """A whole reply."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    keeps: bool
    """Whether the connection may be used again."""


class ReplyReader:
    """Takes bytes until a reply is whole."""

    def __init__(self) -> None:
        self.begun = False
        """Whether any byte has come."""
        self._held = bytearray()
        self._body = bytearray()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._lacking: int | None = None
        """Bytes of the body, or of the chunk, that are still to come; None until a head or a size is read."""
        self._chunked = False
        self._until_closed = False
        self._keeps = True

    def feed(self, data: bytes) -> Reply | None:
        """Feed bytes; return the reply once it is whole."""
        self.begun = True
        self._held += data
        while not self._status:
            if not self._read_head():
                return None
        if self._chunked:
            return self._read_chunks()
        if self._until_closed:
            self._move(len(self._held))
            return None
        if self._lacking is None or len(self._held) < self._lacking:
            return None
        self._move(self._lacking)
        return self._reply()

    def end(self) -> Reply | None:
        """Return the reply where the end of the connection ends it, else None."""
        return self._reply() if self._until_closed else None

    def _read_head(self) -> bool:
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            if len(self._held) > MOST_HEAD or not b"HTTP/".startswith(self._held[:5]):
                raise GarbledError("the reply is not HTTP")
            return False
        first, *lines = self._held[:end].decode("latin-1").split("\r\n")
        del self._held[: end + 4]
        status = _status(first)
        if 100 <= status < 200:
            return True  # an interim reply: the real one follows
        self._headers = {name.strip().lower(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
        self._keeps = first.startswith("HTTP/1.1") and "close" not in self._headers.get("connection", "").lower()
        self._status = status
        self._frame()
        return True

    def _frame(self) -> None:
        if self._headers.get("content-encoding", "identity").lower() != "identity":
            raise GarbledError(
                f"the reply is compressed ({self._headers['content-encoding']}), although no compression was requested"
            )
        length = self._headers.get("content-length")
        if self._status in {204, 304}:
            self._lacking = 0
        elif "chunked" in self._headers.get("transfer-encoding", "").lower():
            self._chunked = True
        elif length is None:
            self._until_closed, self._keeps = True, False
        elif not (length.isascii() and length.isdigit()) or int(length) > MOST_BODY:
            raise GarbledError(f"the reply says it is {length[:40]!r} bytes long")
        else:
            self._lacking = int(length)

    def _read_chunks(self) -> Reply | None:
        while True:
            if self._lacking is None:
                if (line := self._line()) is None:
                    return None
                self._lacking = _chunk_size(line)
            if self._lacking == 0:
                while (line := self._line()) is not None:
                    if not line:
                        return self._reply()
                return None
            if len(self._held) < self._lacking + 2:
                return None
            self._move(self._lacking)
            if self._held[:2] != b"\r\n":
                raise GarbledError("a chunk of the reply has the wrong length")
            del self._held[:2]
            self._lacking = None

    def _line(self) -> bytes | None:
        end = self._held.find(b"\r\n")
        if end < 0:
            if len(self._held) > MOST_HEAD:
                raise GarbledError("a line of the reply has no end")
            return None
        line = bytes(self._held[:end])
        del self._held[: end + 2]
        return line

    def _move(self, size: int) -> None:
        if len(self._body) + size > MOST_BODY:
            raise GarbledError(f"the reply is longer than {MOST_BODY} bytes")
        self._body += self._held[:size]
        del self._held[:size]

    def _reply(self) -> Reply:
        return Reply(self._status, self._headers, bytes(self._body), self._keeps and not self._held)


def _status(line: str) -> int:
    version, _, rest = line.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise GarbledError("the reply is not HTTP")
    return int(code)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        size = int(digits, 16) if digits.isalnum() else -1
    except ValueError:
        size = -1
    if not 0 <= size <= MOST_BODY:
        raise GarbledError("a chunk of the reply has no readable size")
    return size
