"""A list of plain values on disk: append at the end, read by place.

The file has no name and is gone with the process. Nothing else of a run grows with its number of questions by more than
some dozens of bytes each.
"""

from __future__ import annotations

import marshal
import os
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from dtbench.harness.core.errors import MachineryError

IN_MEMORY = 4 << 20
"""Bytes that are buffered before they are written."""
_BLOCK = 1 << 16
"""Bytes that are read together where all values are."""


class DiskList:
    """Stores None, numbers, texts, bytes, and tuples, lists and dicts of them; one thread appends."""

    def __init__(self) -> None:
        self._ends = array("I", [0])
        self._buffer = bytearray()
        self._file: int | None = None
        self._written = 0

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, value: Any) -> None:
        """Append a value; raise a ValueError for one that is not plain."""
        self._buffer += marshal.dumps(value)
        end = self._written + len(self._buffer)
        try:
            self._ends.append(end)
        except OverflowError:  # 4 GB of values
            self._ends = array("Q", self._ends)
            self._ends.append(end)
        if len(self._buffer) > IN_MEMORY:
            self._write()

    def read(self, place: int) -> Any:
        """Read the value at a place."""
        return marshal.loads(self._bytes(self._ends[place], self._ends[place + 1]))

    def __iter__(self) -> Iterator[Any]:
        """Read the values in their order, a block of them at a time."""
        place = 0
        while place < len(self):
            end = max(place + 1, bisect_right(self._ends, self._ends[place] + _BLOCK) - 1)
            end = min(end, len(self))
            yield from self._read_block(place, end)
            place = end

    def _read_block(self, first: int, end: int) -> Iterator[Any]:
        ends = self._ends[first : end + 1]
        block = self._bytes(ends[0], ends[-1])
        start = ends[0]
        for one, other in pairwise(ends):
            yield marshal.loads(block[one - start : other - start])

    def _bytes(self, start: int, end: int) -> bytes | bytearray:
        held = self._buffer[max(0, start - self._written) : max(0, end - self._written)]
        if self._file is None or start >= self._written:
            return held
        return os.pread(self._file, min(end, self._written) - start, start) + held

    def _write(self) -> None:
        import tempfile  # 2 ms that what fits into memory does not need

        try:
            if self._file is None:
                with tempfile.TemporaryFile(buffering=0) as file:
                    self._file = os.dup(file.fileno())
                weakref.finalize(self, os.close, self._file)
            while self._buffer:
                count = os.write(self._file, self._buffer)
                self._written += count
                del self._buffer[:count]
        except OSError as error:
            folder = tempfile.gettempdir()
            raise MachineryError(
                f"{folder}: temporary data cannot be written there ({error.strerror}): name another folder with TMPDIR."
            ) from None
