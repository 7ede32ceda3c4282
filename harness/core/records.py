"""Reading records: JSON lists, JSON lines, parquet columns; whatever is wrong is named with its place."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError

_POINTER = b"version https://git-lfs.github.com/spec"
_LOOK_AHEAD = 4096


class SkippedEntry(DataError):
    """An entry that is no object but a list or a text: scripts that look for a key in it do not find it, and go on."""


class MetadataRecord(NamedTuple):
    """One object of a metadata file, and where it stood."""

    where: str
    item: dict[str, Any]

    def wrong(self, what: str) -> DataError:
        """Return the error that says what is wrong with this record."""
        return DataError(f"{self.where}: {what}.")

    def get(self, key: str) -> Any:
        """Return a field that every record must have."""
        if key not in self.item:
            known = ", ".join(self.item) or "none"
            raise self.wrong(f"the field {key!r} is missing; found: {known}")
        return self.item[key]

    def text(self, key: str) -> str:
        """Return a field that must be text."""
        value = self.item.get(key)
        if not isinstance(value, str):
            raise self.wrong(f"{key!r} must be text, found {_show(self.get(key))}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a field that must be a list of texts, not empty."""
        value = self.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
            raise self.wrong(f"{key!r} must be a list of texts, found {_show(value)}")
        return tuple(value)


def read_json(path: Path) -> Iterator[MetadataRecord]:
    """Yield the objects of a file one by one; its content decides whether it is a JSON list or JSON lines."""
    for record in read_json_parts(path):
        if isinstance(record, DataError):
            raise record
        yield record


def read_json_parts(path: Path) -> Iterator[MetadataRecord | DataError]:
    """Yield the objects as read_json does, with an error in the place of each line that is not a record."""
    with _rewindable(path) as file:
        yield from _parts(path, file)


def read_json_content(path: Path, content: bytes) -> Iterator[MetadataRecord | DataError]:
    """Yield the objects of a file that has been read, as read_json_parts does; the path is for messages."""
    return _parts(path, io.BufferedReader(io.BytesIO(content)))


def _parts(path: Path, file: io.BufferedReader) -> Iterator[MetadataRecord | DataError]:
    head = file.peek(_LOOK_AHEAD)
    _refuse_pointer(path, head)
    if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
        yield from _json_list(path, file.read())
    else:
        yield from _json_lines(path, file)


@contextlib.contextmanager
def _rewindable(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading, or copy a pipe into memory so that it can be read again."""
    with path.open("rb") as file:
        if file.seekable():
            yield file
        else:
            yield io.BufferedReader(io.BytesIO(file.read()))


def read_columns(path: Path, columns: Sequence[str]) -> list[MetadataRecord]:
    """Read the rows of a parquet file, with these columns alone; a dotted name is a part of a column."""
    with open_parquet(path) as file:
        missing = {name.split(".")[0] for name in columns} - set(file.schema_arrow.names)
        if missing:
            there = ", ".join(file.schema_arrow.names)
            raise DataError(f"{path}: the column {min(missing)!r} is missing; found: {there}.")
        rows = file.read(columns=list(columns)).to_pylist()
    return [MetadataRecord(f"{path}: row {number}", row) for number, row in enumerate(rows)]


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a parquet file."""
    with open_parquet(path) as file:
        return list(file.schema_arrow.names)


@contextlib.contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """Open a parquet file; a DataError where it is none, or cannot be read while it is open."""
    import pyarrow
    import pyarrow.parquet

    with path.open("rb") as handle:
        _refuse_pointer(path, handle.read(len(_POINTER)))
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file ({str(error).splitlines()[0]}).") from None


def _refuse_pointer(path: Path, head: bytes) -> None:
    """Raise a DataError for a pointer of Git LFS: a clone without its large files has one in place of each."""
    if head.startswith(_POINTER):
        raise DataError(f"{path}: this is a Git LFS pointer, not the data: run `git lfs pull` in its folder.")


def _decoded(path: Path, data: bytes, offset: int = 0) -> str:
    try:
        return data.decode("utf-8-sig" if offset == 0 else "utf-8")
    except UnicodeDecodeError as error:
        place = offset + error.start
        raise DataError(f"{path}: not UTF-8 text (byte {place}); is it another kind of file?") from None


def _json_list(path: Path, data: bytes) -> Iterator[MetadataRecord | DataError]:
    items = _decode_plain(data)
    if items is None:
        items = _decode_list(path, _decoded(path, data))
    for number, item in enumerate(items, start=1):
        try:
            yield _record(f"{path}: item {number}", item)
        except DataError as error:
            yield error


def _decode_plain(data: bytes) -> Any:
    """Decode JSON ten times as fast as json does; None for whatever json may see otherwise, and for null."""
    import msgspec

    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # it knows no NaN and no half of a surrogate pair
        return None


def _decode_list(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}, column {error.colno}: not JSON ({error.msg}).") from None
    except ValueError as error:
        raise DataError(f"{path}: {_long_number(error)}.") from None
    except RecursionError:
        raise DataError(f"{path}: not a list of items: the JSON is nested too deeply.") from None


def _json_lines(path: Path, file: io.BufferedReader) -> Iterator[MetadataRecord | DataError]:
    offset = 0
    for number, line in enumerate(file, start=1):
        offset += len(line)
        if isinstance(item := _decode_plain(line), dict):
            yield MetadataRecord(f"{path}: line {number}", item)
            continue
        for text in _lines_within(_decoded(path, line, offset - len(line))):
            part = _json_line(f"{path}: line {number}", text)
            if offset == len(line) and isinstance(part, DataError) and _is_one_object(path, file):
                yield DataError(f"{path}: one JSON object over several lines; one record per line is expected.")
                return
            yield part


def _lines_within(text: str) -> Iterator[str]:
    """Yield what Python's own reader takes for lines, without the spaces around them that str.strip() knows.

    A line may end with a carriage return alone, and no-break spaces or form feeds may stand around a record.
    """
    return filter(None, map(str.strip, text.split("\r")))


def _is_one_object(path: Path, file: io.BufferedReader) -> bool:
    """Whether the whole file is one object; reading goes on where it was."""
    here = file.tell()
    file.seek(0)
    try:
        return isinstance(json.loads(_decoded(path, file.read())), dict)
    except (ValueError, RecursionError, DataError):
        return False
    finally:
        file.seek(here)


def _json_line(where: str, line: str) -> MetadataRecord | DataError:
    try:
        return _record(where, json.loads(line))
    except json.JSONDecodeError as error:
        return DataError(f"{where}, column {error.colno}: not JSON ({error.msg}).")
    except ValueError as error:
        return DataError(f"{where}: {_long_number(error)}.")
    except RecursionError:
        return DataError(f"{where}: not an item: the JSON is nested too deeply.")
    except DataError as error:
        return error


def _long_number(error: ValueError) -> str:
    """Python refuses to read whole numbers of thousands of digits, and json lets that through."""
    return f"a number in it is too long to be read ({str(error).partition(';')[0]})"


def _record(where: str, item: object) -> MetadataRecord:
    if not isinstance(item, dict):
        kind = SkippedEntry if isinstance(item, list | str) else DataError
        raise kind(f"{where}: an object with fields is expected, found {_show(item)}.")
    return MetadataRecord(where, item)


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
