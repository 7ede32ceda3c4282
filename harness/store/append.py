"""Append lines to files: a line that append() has returned for is whole, and no end of the process takes it back."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dtbench.harness.store.atomic import append_whole, sync_folder, write_failure
from dtbench.harness.store.jsonl import whole_bytes

SYNC_SECONDS = 1.0
"""The most that a power failure can take."""


class AppendedFiles:
    """Files of lines, each opened at its first line, when what a torn write left at its end is cut off."""

    def __init__(self) -> None:
        self._descriptors: dict[Path, int] = {}
        self._unsynced: dict[Path, None] = {}
        """In the order of the appends: a question is on disk before the answers to it are."""
        self._synced = time.monotonic()

    def append(self, path: Path, line: bytes) -> None:
        """Append a line to a file, and sync all that is not on disk where it is time to."""
        descriptor = self._descriptors.get(path)
        if descriptor is None:
            descriptor = self._descriptors[path] = _opened(path)
        append_whole(descriptor, line, path)
        self._unsynced.setdefault(path)
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Sync every line to disk."""
        while self._unsynced:
            path = next(iter(self._unsynced))
            del self._unsynced[path]
            try:
                os.fsync(self._descriptors[path])
            except OSError as error:
                raise write_failure(path, error) from error
        self._synced = time.monotonic()

    def close(self) -> None:
        """Close the files; a second call does nothing."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])


def _opened(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.ftruncate(descriptor, whole_bytes(descriptor))
            sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise write_failure(path, error) from error
    return descriptor
