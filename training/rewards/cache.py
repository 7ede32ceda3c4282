"""Verdicts kept on disk by what was asked: asking the same again costs nothing, not after a restart either.

Each process appends to a file of its own and reads all that are there when it starts, so that many can share a folder.
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
from dtbench.harness.store.jsonl import RecordLine, encoded, read_lines, whole_bytes
from dtbench.harness.store.redact import masked_text

Entry = Mapping[str, Any]
"""What is kept: a verdict, and what it took."""


def content_key(*parts: object) -> str:
    """A name for what is asked, that differs wherever anything in it does."""
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Cache:
    """What was asked before, and what came of it; without a folder, for as long as the process lives."""

    def __init__(self, folder: Path | None) -> None:
        self.torn = 0
        """Lines that a killed process left unfinished; their verdicts are asked for again."""
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
        """What is kept under a key."""
        return self._entries.get(key)

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry; when this returns, no end of this process can take it back."""
        with self._lock:
            self._entries[key] = entry
            if self._folder is not None:
                append_whole(self._file(), encoded({"id": key, "sample": 0, **entry}), self._path())

    def note(self, failure: Mapping[str, Any]) -> None:
        """Write down what had to do without a verdict, for people to read."""
        if self._folder is None:
            return
        path = self._folder / "without-verdict.jsonl"
        line = json.dumps({**failure, "why": masked_text(str(failure["why"]))}) + "\n"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise write_failure(path, error) from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _load(self, path: Path) -> None:
        for line in read_lines(path, path.stat().st_size):
            if isinstance(line, RecordLine):
                record = line.record()
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
