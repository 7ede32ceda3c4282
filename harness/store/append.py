"""Append lines to files: a line that append() has returned for is whole, and no end of the process takes it back."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.store.atomic import append_whole, sync_folder, write_failure
from dtbench.harness.store.jsonl import whole_bytes

SYNC_SECONDS = 1.0
"""The most that a power failure can take."""


class AppendedFiles:
    """Files of lines, each opened at its first line, when what a torn write left at its end is cut off.

    A thread syncs what nobody appends after, so that a run which waits for slow answers loses no more than others do.
    """

    def __init__(self) -> None:
        self._descriptors: dict[Path, int] = {}
        self._unsynced: dict[Path, None] = {}
        """In the order of the appends: a question is on disk before the answers to it are."""
        self._synced = time.monotonic()
        self._guard = threading.RLock()
        self._timer: threading.Timer | None = None
        self._failure: DtbenchError | None = None
        """Why the thread could not sync, for whoever appends next."""

    def append(self, path: Path, line: bytes) -> None:
        """Append a line to a file; it is on disk a second later."""
        with self._guard:
            self._raise_failure()
            descriptor = self._descriptors.get(path)
            if descriptor is None:
                descriptor = self._descriptors[path] = _opened(path)
            append_whole(descriptor, line, path)
            self._unsynced.setdefault(path)
            wait = self._synced + SYNC_SECONDS - time.monotonic()
            if wait <= 0:
                self._sync()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self._sync_late)
                self._timer.daemon = True
                self._timer.start()

    def sync(self) -> None:
        """Sync every line to disk."""
        with self._guard:
            self._raise_failure()
            self._sync()

    def close(self) -> None:
        """Close the files; a second call does nothing."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            while self._descriptors:
                os.close(self._descriptors.popitem()[1])

    def _sync(self) -> None:
        while self._unsynced:
            path = next(iter(self._unsynced))
            del self._unsynced[path]
            try:
                os.fsync(self._descriptors[path])
            except OSError as error:
                raise write_failure(path, error) from error
        self._synced = time.monotonic()

    def _sync_late(self) -> None:
        with self._guard:
            self._timer = None
            if self._descriptors:
                try:
                    self._sync()
                except DtbenchError as error:
                    self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure


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
