"""Records as lines of JSON, each with a checksum; what a crash left of a line is distinguished from a changed line.

A line is `{"id":...,"crc":"0123abcd"}`: the checksum is the CRC-32 of every byte before `,"crc"`.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.regular_files import open_regular
from dtbench.harness.store.types import Record

Kind = TypeVar("Kind")

_CHECKSUM = b',"crc":"%08x"}\n'
_CHECKSUM_BYTES = len(_CHECKSUM % 0)
_BEGINNING = b'{"id":'
QUESTIONS = ".questions.jsonl"
"""How the name of a file of questions ends."""
_RECORD = re.compile(rb'\{"id":"(?:[^"\\]|\\.)*","(?:sample|question_hash)":')
_KEY = re.compile(rb'\{"id":"([^"\\]*)","sample":(\d+)(?:,|$)')
_ENDING = re.compile(rb',"crc":"[0-9a-f]{8}"\}$')
_BUFFER = 1 << 18
_ANSWER = {"response", "extraction", "score"}
"""The fields of a record without an error."""


class Key(NamedTuple):
    """Identifies the answer of a record."""

    id: str
    sample: int
    """Which of the answers to this question, from 0."""


class RecordLine(NamedTuple):
    """A line whose checksum is right."""

    path: Path
    number: int
    """From 1."""
    body: bytes
    """The record as JSON, less the brace at its end."""

    def record(self, kind: type[Kind]) -> Kind:
        """Decode the record and check it field by field; a DataError where it is none of this kind."""
        import msgspec

        try:
            try:  # twice as fast as json.loads
                record: Any = _decoder(kind).decode(self.body + b"}")
            except msgspec.ValidationError:
                raise
            except msgspec.DecodeError:  # half of a surrogate pair, which only json.loads takes
                record = msgspec.convert(self._loaded({"id"}), kind)
        except msgspec.ValidationError as error:
            raise self._wrong(str(error).replace("`", "").replace(" - at $.", " at ")) from None
        except UnicodeEncodeError:  # msgspec would show a text that is not a number, and cannot
            raise self._wrong("half of a character where no text is expected") from None
        if kind is Record and "error" not in record and not record.keys() >= _ANSWER:
            raise self._wrong(f"{', '.join(sorted(_ANSWER - record.keys()))} missing")
        fits: Kind = record
        return fits

    def _loaded(self, needed: Collection[str] = ("id", "sample")) -> dict[str, Any]:
        try:
            record = json.loads(str(self.body, "utf-8") + "}")
        except (ValueError, RecursionError):
            raise self._wrong("no JSON") from None
        if not isinstance(record, dict) or not record.keys() >= set(needed):
            raise self._wrong(f"{' and '.join(needed)} are missing")
        return record

    def _wrong(self, what: str) -> DataError:
        return DataError(f"{self.path}, line {self.number}: not a dtbench record ({what}). Remove the line.")

    def key(self) -> Key:
        """Return the key of the record, without reading all of it."""
        beginning = _KEY.match(self.body)
        if beginning is None:  # an id with escaped characters
            key = key_of(self._loaded())
            if not isinstance(key.id, str) or not _is_repeat(key.sample):
                raise self._wrong("id is to be a text, and sample a number from 0")
            return key
        return Key(str(beginning[1], "utf-8", "replace"), int(beginning[2]))

    def failed(self) -> bool:
        """Whether the record has an error in place of an answer."""
        return b'"error":' in self.body and "error" in self._loaded()


def _is_repeat(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class TornLine(NamedTuple):
    """What an interrupted write left in this line; its record is not there."""

    number: int


_decoders: dict[Any, Any] = {}


def _decoder(kind: Any) -> Any:
    import msgspec

    if kind not in _decoders:
        _decoders[kind] = msgspec.json.Decoder(kind)
    return _decoders[kind]


def key_of(record: Mapping[str, Any]) -> Key:
    """Return the key of a record; a KeyError where it has none."""
    return Key(record["id"], record["sample"])


def encode_line(record: Mapping[str, Any]) -> bytes:
    """Return the line of a record; a ValueError for what JSON cannot hold."""
    body = _record_bytes(record)[:-1]
    return body + _CHECKSUM % zlib.crc32(body)


def _record_bytes(record: Mapping[str, Any]) -> bytes:
    """Encode a record, and read it back before it is trusted: msgspec would write NaN as null.

    Both together take half the time of json.dumps, to which goes whatever does not come back as it was.
    """
    import msgspec

    try:
        encoded = msgspec.json.encode(record)
        if msgspec.json.decode(encoded) == record:
            return encoded
    except (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError):
        pass
    return json_bytes(record)


def line_body(line: bytes) -> bytes | None:
    """Return a whole line less its checksum; None where the line is not as it was written."""
    body = line[:-_CHECKSUM_BYTES]
    return body if line[-_CHECKSUM_BYTES:] == _CHECKSUM % zlib.crc32(body) else None


def read_lines(path: Path, end: int) -> Iterator[RecordLine | TornLine]:
    """Yield the lines within the first `end` bytes; a DataError for a line that was changed since it was written."""
    damaged: tuple[int, bytes] | None = None
    with open_regular(path, _BUFFER) as file:
        read = 0
        for number, line in enumerate(file, 1):
            read += len(line)
            if read > end:
                break
            if damaged is not None:
                yield from _between_others(path, *damaged)
                damaged = None
            body = line_body(line)
            if body is None:
                damaged = (number, line)
            else:
                yield RecordLine(path, number, body)
    if damaged is not None:  # the last line: whatever is wrong with it, its write may have been cut short
        yield from _recovered(path, *damaged) or [TornLine(damaged[0])]


def whole_bytes(descriptor: int) -> int:
    """Return the size of the file without a torn last line."""
    size = os.fstat(descriptor).st_size
    tail = b""
    size_read = _BUFFER
    while len(tail) < size and b"\n" not in tail[:-1]:
        tail = os.pread(descriptor, size_read, max(0, size - size_read))[-size_read:]
        size_read *= 2
    last = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    return size if line_body(last) is not None or _behind_torn(last) is not None else size - len(last)


def json_bytes(value: object, *, indent: int | None = None) -> bytes:
    """Encode JSON in UTF-8, with halves of characters escaped; a ValueError for what JSON cannot hold."""
    separators = (",", ": " if indent else ":")
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=separators, indent=indent)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=separators, indent=indent).encode()


def _between_others(path: Path, number: int, line: bytes) -> list[RecordLine | TornLine]:
    """Recover what a torn write left in a damaged line that others follow; a DataError for any other damage."""
    recovered = _recovered(path, number, line)
    if not recovered and not _is_torn(line):
        again = "written" if path.name.endswith(QUESTIONS) else "asked"
        raise DataError(
            f"{path}, line {number}: this is not what dtbench wrote, the checksum does not match. "
            f"Remove the line: its question is {again} again when the run is resumed."
        )
    return recovered or [TornLine(number)]


def _recovered(path: Path, number: int, line: bytes) -> list[RecordLine | TornLine]:
    """Split a line into a torn record and the whole one right behind it; return nothing for any other line."""
    body = _behind_torn(line)
    return [] if body is None else [TornLine(number), RecordLine(path, number, body)]


def _behind_torn(line: bytes) -> bytes | None:
    bodies = (line_body(line[match.start() :]) for match in _RECORD.finditer(line, 1))
    return next((body for body in bodies if body is not None), None)


def _is_torn(line: bytes) -> bool:
    """Whether the line is the beginning of a record and no more."""
    text = line.rstrip(b"\n")
    if not (text.startswith(_BEGINNING) or _BEGINNING.startswith(text)) or _ENDING.search(text):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False
