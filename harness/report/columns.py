"""Numbers of many answers as packed columns: a header in JSON, then typed arrays that a browser reads in place.

A hundred thousand answers are a few megabytes in memory and no object at all; a filter is one loop over bytes.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import sys
from array import array
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple, TypedDict

Kind = Literal["B", "I", "f"]
"""Bytes, whole numbers of four bytes, and numbers of four bytes with a fraction; not a number where there is none."""
PART_CHARACTERS = 1 << 17
"""About so much text is unpacked at once when a question is opened."""
_ALIGNED = 4


class ColumnPlace(TypedDict):
    """Where the page finds a column."""

    at: int
    n: int
    kind: Kind


class PackedColumns:
    """Columns one after the other, each at a multiple of four bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, kind: Kind, values: Iterable[float]) -> ColumnPlace:
        """Append a column and return where it lies."""
        column = array(kind, values)
        if sys.byteorder == "big":
            column.byteswap()
        place: ColumnPlace = {"at": self._size, "n": len(column), "kind": kind}
        data = column.tobytes()
        data += bytes(-len(data) % _ALIGNED)
        self._parts.append(data)
        self._size += len(data)
        return place

    def packed(self, header: Mapping[str, Any]) -> str:
        """Return header and columns, compressed, in base64: the length of the header comes first."""
        text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % _ALIGNED)
        return compressed(b"".join((len(text).to_bytes(_ALIGNED, "little"), text, *self._parts)))


def compressed(data: bytes) -> str:
    """Return bytes as gzip in base64, as the page unpacks them."""
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode()


class TextPart(NamedTuple):
    """Texts that the page unpacks together."""

    name: str
    """The id of its element."""
    packed: str


class TextParts:
    """Objects with texts, packed in parts of which the page unpacks the one that it needs."""

    def __init__(self, name: str) -> None:
        self.begins: list[int] = []
        """The number of each part's first object."""
        self.characters = 0
        self._name = name
        self._parts: list[list[str]] = []
        self._count = self._room = 0

    def add(self, value: Mapping[str, Any]) -> None:
        """Append an object."""
        if self._room <= 0:
            self.begins.append(self._count)
            self._parts.append([])
            self._room = PART_CHARACTERS
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        self._parts[-1].append(text)
        self._count += 1
        self._room -= len(text)
        self.characters += len(text)

    def packed(self) -> list[TextPart]:
        """Compress all parts, on several cores, and let go of their texts."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            packed = list(pool.map(lambda texts: compressed(f"[{','.join(texts)}]".encode()), self._parts))
        self._parts = []
        return [TextPart(f"{self._name}-{number}", text) for number, text in enumerate(packed)]


class ValueNumbers:
    """Numbers for values that come again and again, from 1 in the order in which they come; 0 is no value."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, value: str | None) -> int:
        """Return the number of a value."""
        return 0 if value is None else self._numbers.setdefault(value, len(self._numbers) + 1)

    def values(self) -> list[str]:
        """Return the values; the first has the number 1."""
        return list(self._numbers)
