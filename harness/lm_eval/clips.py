"""Clips between the two: what lm-eval's tasks hold as audio, and what its models expect."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.audio.prepare import prepare_audio, read_clip
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Clip

RATE = 16000
"""At which what asks for an array gets one."""
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


@dataclass(frozen=True, slots=True)
class HeldClip:
    """The encoded bytes of a clip."""

    label: str
    data: bytes

    def read(self) -> bytes:
        """As they were given."""
        return self.data


@dataclass(frozen=True, slots=True)
class SampledClip:
    """A clip that was decoded elsewhere."""

    label: str
    array: Any
    rate: int

    def read(self) -> bytes:
        """As WAV, each number as it is."""
        import numpy
        import soundfile

        wave = numpy.asarray(self.array, dtype=numpy.float32)
        written = io.BytesIO()
        soundfile.write(written, wave, self.rate, format="WAV", subtype="FLOAT")
        return written.getvalue()


def clip_of(value: Any, label: str) -> Path | Clip:
    """The one clip that an audio value of lm-eval stands for; a UserError where it stands for none, or for several."""
    if isinstance(value, list | tuple):
        if len(value) != 1:
            raise UserError(f"{label}: it comes with {len(value)} clips; dtbench asks about one.")
        value = value[0]
    if isinstance(value, LmEvalAudio):
        return value.clip
    if isinstance(value, str | Path):
        return Path(value)
    if isinstance(value, bytes):
        return HeldClip(label, value)
    if isinstance(value, Mapping) and isinstance(value.get("bytes"), bytes):
        return HeldClip(label, value["bytes"])
    try:  # a mapping, or a decoder of torchcodec, which knows these two names alone
        return SampledClip(label, value["array"], int(value["sampling_rate"]))
    except (TypeError, KeyError, IndexError):
        pass
    if isinstance(value, Mapping) and isinstance(value.get("path"), str):
        return Path(value["path"])
    raise UserError(f"{label}: its audio is {type(value).__name__}, in which no clip is found.")


def without_mark(text: str) -> str:
    """The words of a question about a clip: lm-eval marks its place, where here it is a part of the message."""
    return _MARK.sub("", text)


def clip_bytes_of(value: Any, label: str) -> bytes:
    """The encoded bytes of the one clip in an audio value."""
    return read_clip(clip_of(value, label))
