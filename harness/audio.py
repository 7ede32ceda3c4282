"""Reading clips: by content, never by file name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.errors import DataError
from dtbench.harness.schema import Clip

_BLOCK_FRAMES = 1 << 18
_STREAMED = 0x7FFFF000
"""From here on a RIFF size stands for "unknown", as programs write it that stream."""


class MissingClip(DataError):
    """A clip is not where the data set says."""


class ClipFacts(NamedTuple):
    """What a clip is, known from decoding all of it."""

    seconds: float
    rate: int
    channels: int
    format: str


def clip_name(audio: Path | Clip) -> str:
    """How messages name a clip."""
    return str(audio) if isinstance(audio, Path) else audio.label


def clip_bytes(audio: Path | Clip) -> bytes:
    """The encoded bytes of a clip, wherever it lies."""
    if not isinstance(audio, Path):
        return audio.read()
    try:
        return audio.read_bytes()
    except FileNotFoundError:
        raise MissingClip(f"{audio}: the clip is missing.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{audio}: the clip cannot be read ({error}).") from None


def decode_all(data: bytes, name: str) -> ClipFacts:
    """Decode a clip to its end and say what it is; what is not sound from end to end is a DataError."""
    import numpy
    import soundfile

    if not data:
        raise DataError(f"{name}: the clip is empty (0 bytes).")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            frames = 0
            for block in sound.blocks(_BLOCK_FRAMES, dtype="float32"):
                frames += len(block)
                if not numpy.isfinite(block).all():
                    raise DataError(f"{name}: the clip holds samples that are no numbers (NaN or infinite).")
            facts = ClipFacts(frames / sound.samplerate, sound.samplerate, sound.channels, sound.format)
            promised = sound.frames
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().rstrip(".")
        raise DataError(f"{name}: the clip does not decode: {reason} (it begins with {data[:4]!r}).") from None
    if not frames:
        raise DataError(f"{name}: the clip holds no sound (0 frames).")
    if frames < promised or _cut_short(data):
        raise DataError(f"{name}: the clip is cut short: {facts.seconds:.2f} s decode, its header promises more.")
    return facts


def _cut_short(data: bytes) -> bool:
    """Whether a RIFF file has fewer bytes than it says; decoders pass over that in silence."""
    if data[:4] != b"RIFF":
        return False
    said = int.from_bytes(data[4:8], "little")
    return len(data) - 8 < said < _STREAMED
