"""A cache of verdicts on disk, by the content of the request: it survives restarts and kills.

Each process appends to a file of its own and reads all files when it starts, so that many can share a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.store.atomic import append_whole, write_failure
from dtbench.harness.store.jsonl import RecordLine, encode_line, read_lines, whole_bytes
from dtbench.harness.store.redact import mask_text

Entry = Mapping[str, Any]
"""A verdict, and the tokens that it took."""


def content_key(*parts: object) -> str:
    """Hash the parts of a request into a key."""
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Cache:
    """Caches verdicts in a folder; in memory alone without one."""

    def __init__(self, folder: Path | None) -> None:
        self.torn = 0
        """How many lines a killed process left unfinished; their verdicts are requested again."""
        self._folder = folder
        self._entries: dict[str, Entry] = {}
        self._descriptor: int | None = None
        self._lock = threading.Lock()
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise write_failure(folder, error) from error
            for path in sorted(folder.glob("verdicts-*.jsonl")):
                self._load(path)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key; None where there is none."""
        return self._entries.get(key)

    def put(self, key: str, entry: Entry) -> None:
        """Store an entry; once this returns, it survives the end of this process."""
        with self._lock:
            self._entries[key] = entry
            if self._folder is not None:
                append_whole(self._file(), encode_line({"id": key, "sample": 0, **entry}), self._path())

    def note_failure(self, failure: Mapping[str, Any]) -> None:
        """Log a request that got no verdict, for people to read."""
        if self._folder is None:
            return
        path = self._folder / "without-verdict.jsonl"
        line = json.dumps({**failure, "why": mask_text(str(failure["why"]))}) + "\n"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise write_failure(path, error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _load(self, path: Path) -> None:
        for line in read_lines(path, path.stat().st_size):
            if isinstance(line, RecordLine):
                record = line.record(dict[str, Any])
                del record["sample"]
                self._entries.setdefault(record.pop("id"), record)
            else:
                self.torn += 1

    def _path(self) -> Path:
        assert self._folder is not None
        return self._folder / f"verdicts-{socket.gethostname()}-{os.getpid()}.jsonl"

    def _file(self) -> int:
        if self._descriptor is None:
            path = self._path()
            try:
                self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
                os.ftruncate(self._descriptor, whole_bytes(self._descriptor))
            except OSError as error:
                raise write_failure(path, error) from error
        return self._descriptor
