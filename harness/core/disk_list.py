"""A list of plain values on disk: append at the end, read by place.

The file has no name and is gone with the process. Nothing else of a run grows with its number of questions by more than
some dozens of bytes each.
"""

from __future__ import annotations

import marshal
import os
import weakref
from array import array
from typing import Any

from dtbench.harness.core.errors import MachineryError

IN_MEMORY = 4 << 20
"""Bytes that are buffered before they are written."""


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
        start, end = self._ends[place], self._ends[place + 1]
        if self._file is not None and start < self._written:
            return marshal.loads(os.pread(self._file, end - start, start))
        return marshal.loads(self._buffer[start - self._written : end - self._written])

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
