"""Keep the last prepared clips: what several questions or repeats share is decoded and resampled once while in use."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from pathlib import Path
from typing import cast

from dtbench.harness.audio.prepare import PreparedAudio
from dtbench.harness.core.schema import Clip

MOST_BYTES = 16_000_000
"""Of clips that are kept beside those of requests in flight: 50 of ten seconds, which are what was sent last."""


class ClipCache:
    """Prepared clips by what they were prepared from; those that were used last are kept."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.bytes = 0
        """How much is kept."""
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, PreparedAudio] = OrderedDict()
        self._begun: dict[Hashable, asyncio.Future[PreparedAudio]] = {}

    async def get(self, clip: Path | Clip, prepare: Callable[[], Awaitable[PreparedAudio]]) -> PreparedAudio:
        """Return a clip that is kept or being prepared, else prepare it; an error is raised to all who wait for it."""
        key = clip_key(clip)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._begun:
            begun = self._begun[key] = asyncio.ensure_future(prepare())
            begun.add_done_callback(lambda done: self._end(key, done))
        # One who gives up must not take it from the others.
        return await asyncio.shield(self._begun[key])

    def _end(self, key: Hashable, done: asyncio.Future[PreparedAudio]) -> None:
        del self._begun[key]
        if done.cancelled() or done.exception() is not None:
            return
        audio = done.result()
        if len(audio.wav) > self._most_bytes:
            return
        self._kept[key] = audio
        self.bytes += len(audio.wav)
        while self.bytes > self._most_bytes:
            self.bytes -= len(self._kept.popitem(last=False)[1].wav)


class _SameObject:
    """Stands for a clip that cannot be compared: it is the same only as itself."""

    def __init__(self, clip: Path | Clip) -> None:
        self._clip = clip  # held, so that no other object gets its identity meanwhile

    def __hash__(self) -> int:
        return id(self._clip)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameObject) and other._clip is self._clip


def clip_key(clip: Path | Clip) -> Hashable:
    """Return what equal clips have in common: their path or value, or the object itself."""
    try:
        hash(clip)
    except TypeError:  # such as samples in an array
        return _SameObject(clip)
    return cast("Hashable", clip)
