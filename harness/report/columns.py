"""Numbers of many answers as packed columns: a header in JSON, then typed arrays that a browser reads in place.

A hundred thousand answers are a few megabytes in memory and no object at all; a filter is one loop over bytes.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

Kind = Literal["B", "I", "f"]
"""Bytes, whole numbers of four bytes, and numbers of four bytes with a fraction; not a number where there is none."""
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
