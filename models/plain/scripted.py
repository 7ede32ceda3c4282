"""Answer, wait and fail as a file prescribes, for tests of the run."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, ModelError, UserError
from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.harness.core.schema import Prompt, Response

FIELDS = ("id", "text", "sleep", "error", "again", "retry_after", "finish_reason")


class _Line(NamedTuple):
    text: str
    sleep: float
    error: str | None
    again: bool
    retry_after: float | None
    finish_reason: str


class Scripted:
    """Lines with an id answer that question, in turn, the last one again and again; the others answer any question."""

    listens = False
    rate = 16000
    limit_seconds: float | None = None

    def __init__(self, *, script: Path) -> None:
        self._script = script
        self._by_id: dict[str, deque[_Line]] = {}
        self._shared: deque[_Line] = deque()
        for record in _read(script):
            line = _line(record)
            id_ = record.item.get("id")
            (self._shared if id_ is None else self._by_id.setdefault(str(id_), deque())).append(line)

    async def generate(self, prompt: Prompt) -> Response:
        """Do as the next line for this question says."""
        line = self._next(prompt.id)
        if line.sleep:
            await asyncio.sleep(line.sleep)
        if line.error is not None:
            raise ModelError(line.error, again=line.again, retry_after=line.retry_after)
        return Response(line.text, line.finish_reason)

    def _next(self, id_: str) -> _Line:
        own = self._by_id.get(id_)
        if own:
            return own.popleft() if len(own) > 1 else own[0]
        if not self._shared:
            raise ModelError(f"{self._script.name} has no line for {id_!r}", again=False)
        self._shared.rotate(-1)
        return self._shared[-1]

    def describe(self) -> Mapping[str, Any]:
        """Return the name of the script."""
        return {"name": "scripted", "script": self._script.name}

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


def _read(script: Path) -> list[MetadataRecord]:
    try:
        return list(read_json(script))
    except OSError as error:
        raise UserError(f"-M script={script}: cannot be read ({error.strerror}).") from None
    except DataError as error:
        raise UserError(f"-M script: {error}") from None


def _line(record: MetadataRecord) -> _Line:
    item = record.item
    if unknown := sorted(item.keys() - set(FIELDS)):
        what = f"unknown field {unknown[0]!r}; known: {', '.join(FIELDS)}"
        raise UserError(f"-M script: {record.wrong(what)}")
    return _Line(
        text=str(item.get("text", "")),
        sleep=_number(record, "sleep") or 0.0,
        error=None if item.get("error") is None else str(item["error"]),
        again=bool(item.get("again", True)),
        retry_after=_number(record, "retry_after"),
        finish_reason=str(item.get("finish_reason", "stop")),
    )


def _number(record: MetadataRecord, key: str) -> float | None:
    value = record.item.get(key)
    if value is not None and not isinstance(value, int | float):
        raise UserError(f"-M script: {record.wrong(f'{key!r} must be a number, found {value!r}')}")
    return value
