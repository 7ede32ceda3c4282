"""Plain values put down one after the other and taken up again by their place; what is much lies on disk.

The file has no name and is gone with the process. Nothing else of a run grows with its number of questions by more than
some dozens of bytes each.
"""

from __future__ import annotations

import marshal
import os
import tempfile
import weakref
from array import array
from typing import Any

from dtbench.harness.core.errors import MachineryError

IN_MEMORY = 4 << 20
"""Bytes that are held before they are written."""


class DiskList:
    """Holds None, numbers, texts, bytes, and tuples, lists and dicts of them; one thread puts them down."""

    def __init__(self) -> None:
        self._ends = array("Q", [0])
        self._held = bytearray()
        self._file: int | None = None
        self._written = 0

    def __len__(self) -> int:
        return len(self._ends) - 1

    def put(self, value: Any) -> None:
        """Put a value down at the end; a ValueError for what is not plain."""
        self._held += marshal.dumps(value)
        self._ends.append(self._written + len(self._held))
        if len(self._held) > IN_MEMORY:
            self._write()

    def take(self, place: int) -> Any:
        """The value that was put down at this place."""
        start, end = self._ends[place], self._ends[place + 1]
        if self._file is not None and start < self._written:
            return marshal.loads(os.pread(self._file, end - start, start))
        return marshal.loads(self._held[start - self._written : end - self._written])

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = _nameless()
                weakref.finalize(self, os.close, self._file)
            while self._held:
                count = os.write(self._file, self._held)
                self._written += count
                del self._held[:count]
        except OSError as error:
            folder = tempfile.gettempdir()
            raise MachineryError(
                f"{folder}: what was read cannot be put there ({error.strerror}): name another folder with TMPDIR."
            ) from None


def _nameless() -> int:
    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())
