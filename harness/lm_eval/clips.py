"""Convert clips: from the audio values of lm-eval's tasks, and to what its models expect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dtbench.harness.audio.prepare import prepare_audio, read_clip
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.memory_clips import clip_of_value
from dtbench.harness.core.schema import Clip

RATE = 16000
"""Sampling rate of the arrays that lm-eval's models get."""
_MARK = re.compile(r" ?<audio>")


class LmEvalAudio(dict[str, Any]):
    """Audio as lm-eval passes it on, `array` and `sampling_rate`, decoded only when the array is asked for.

    lm-eval holds all requests of a run at once: a thousand decoded clips take gigabytes. What is stored is plain, so
    that its cache can make a key of it and its log of samples stays small.
    """

    def __init__(self, clip: Path | Clip, **about: str) -> None:
        super().__init__({**about, "sampling_rate": RATE})
        self.clip = clip

    def __missing__(self, key: str) -> Any:
        if key == "array":
            return prepare_audio(self.clip, RATE, None).samples
        if key == "bytes":
            return read_clip(self.clip)
        if key == "path":
            return None
        raise KeyError(key)


def clip_of(value: Any, label: str) -> Path | Clip:
    """Return the one clip of an audio value of lm-eval; a UserError where it has none, or several."""
    if isinstance(value, list | tuple):
        if len(value) != 1:
            raise UserError(f"{label}: it comes with {len(value)} clips; dtbench asks about one.")
        value = value[0]
    if isinstance(value, LmEvalAudio):
        return value.clip
    clip = clip_of_value(value, label)
    if clip is not None:
        return clip
    raise UserError(f"{label}: its audio is {type(value).__name__}, in which no clip is found.")


def strip_mark(text: str) -> str:
    """Remove lm-eval's mark for the place of a clip: here the clip is a part of the message."""
    return _MARK.sub("", text)


def clip_bytes_of(value: Any, label: str) -> bytes:
    """Return the encoded bytes of the one clip of an audio value."""
    return read_clip(clip_of(value, label))
