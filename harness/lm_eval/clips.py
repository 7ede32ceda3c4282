"""Convert clips: from the audio values of lm-eval's tasks, and to what its models expect."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

from dtbench.harness.audio.prepare import prepare_audio, read_clip
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.memory_clips import clip_of_value
from dtbench.harness.core.schema import Clip

RATE = 16000
"""Sampling rate of the arrays that lm-eval's models get."""
MARK = "<audio>"
"""Stands in a text of lm-eval where a clip goes."""
_MARK = re.compile(rf" ?{MARK}")


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


def clips_of(value: Any, label: str) -> list[Path | Clip]:
    """Return the clips of an audio value of lm-eval, in order; a UserError where something else is there."""
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise UserError(f"{label}: its list of clips is empty.")
    more = len(values) > 1
    return [_clip_of(one, f"{label}, clip {place}" if more else label) for place, one in enumerate(values, start=1)]


def _clip_of(value: Any, label: str) -> Path | Clip:
    if isinstance(value, LmEvalAudio):
        return value.clip
    clip = clip_of_value(value, label)
    if clip is not None:
        return clip
    raise UserError(f"{label}: its audio is {type(value).__name__}, in which no clip is found.")


def place_clips(text: str, count: int) -> str:
    """Write lm-eval's marks for clips as ours: the first is that of the first clip. A single clip stands in front."""
    if count < 2:
        return _MARK.sub("", text)
    before, *rest = text.split(MARK)
    ours = (f"{{audio {number}}}" if number <= count else "" for number in itertools.count(1))
    return before + "".join(f"{mark}{part}" for mark, part in zip(ours, rest, strict=False))


def clip_bytes_of(value: Any, place: int, label: str) -> bytes:
    """Return the encoded bytes of a clip of an audio value, by its place."""
    clips = clips_of(value, label)
    if place >= len(clips):
        raise UserError(f"{label}: its text names more clips than the {len(clips)} that it comes with.")
    return read_clip(clips[place])
