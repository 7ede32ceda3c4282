"""Decoding clips block by block: libsndfile for what it reads, FFmpeg for AAC and its containers."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.errors import DataError

if TYPE_CHECKING:
    import numpy

    Block = numpy.ndarray[tuple[int, int], numpy.dtype[Any]]
    """Frames by channels: int16 or float32, from -1 to 1."""
    Mono = numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]]

Source = int | bytes
"""A file that is open, by its descriptor, or the bytes of one. A descriptor carries no name that could mislead."""

SLOWEST, FASTEST = 1_000, 768_000
"""Sampling rates that a sound can have; a header that says more would make the resampler fill the memory."""
MOST_HOURS = 24
"""How long a clip can be: an archive of a few bytes may say that it holds years."""
_BLOCK_VALUES = 1 << 18
"""How many numbers a block holds: 1 MB as float32, whatever the channels."""
_LOUDEST = 64.0
"""Float samples are held to this, which is 36 dB beyond full scale, so that arithmetic on them stays finite."""
_STREAMED = 0x7FFFF000
"""From here on a RIFF size stands for "unknown", as programs write it that stream."""
_MPEG_SLACK = 5 * 1152
"""Frames by which encoders miscount the length of an MP3 or of AAC."""
_AS_INT16 = ("PCM_16", "PCM_S8", "PCM_U8")
"""What fits into int16, which libsndfile reads eight times as fast as it makes floats of it."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A clip being decoded from its beginning to its end."""

    rate: int
    channels: int
    format: str
    promised: int
    """How many frames its header says there are at least; 0 where it cannot be trusted to know."""
    blocks: Iterator[Block]
    """Each is valid until the next is asked for."""


class Decoded(NamedTuple):
    """What was asked for of a clip."""

    sound: Sound
    mono: Mono
    """The mean of the channels, from -1 to 1, in the spans asked for; the caller's own."""
    frames: int
    """How many there are in all, asked for or not."""


def decode(source: Source, name: str, spans: Callable[[Sound], Sequence[range]]) -> Decoded:
    """Decode a clip to its end and keep the spans of it; what is not sound from end to end is a DataError."""
    with _opened(source, name) as sound:
        return _gathered(sound, spans(sound), name)


@contextmanager
def _opened(source: Source, name: str) -> Iterator[Sound]:
    """The sound of a clip; whatever is wrong with it, now or while it is decoded, is a DataError."""
    import soundfile

    head, size = _head(source)
    if not size:
        raise DataError(f"{name}: the clip is empty (0 bytes).")
    container = _ffmpeg_name(head)
    if container:
        from dtbench.harness.clips_ffmpeg import opened_by_ffmpeg

        with opened_by_ffmpeg(source, container, name) as sound:
            yield sound
        return
    try:
        with soundfile.SoundFile(source if isinstance(source, int) else io.BytesIO(source), closefd=False) as file:
            # soundfile seeks after each block where it can: slow, and an end to streamed FLAC, whose length is unknown.
            file.seekable = lambda: False
            yield Sound(file.samplerate, file.channels, file.format, _promised(file, head), _blocks(file))
    except soundfile.LibsndfileError as error:
        reason = " ".join(error.error_string.split()).rstrip(".")
        raise DataError(f"{name}: the clip does not decode: {reason} (it begins with {head[:4]!r}).") from None
    if _riff_cut_short(head, size):
        raise DataError(f"{name}: the clip is cut short: {size} bytes are there, its header promises more.")


def _gathered(sound: Sound, spans: Sequence[range], name: str) -> Decoded:
    """Decode to the end, and keep the frames of the spans; what is not sound throughout is a DataError."""
    import numpy

    if not SLOWEST <= sound.rate <= FASTEST:
        raise DataError(f"{name}: the clip has a rate of {sound.rate} Hz, allowed are {SLOWEST} to {FASTEST} Hz.")
    kept: list[Mono] = []
    done = 0
    for block in sound.blocks:
        mono = _mixed(block, name)
        kept += (mono[max(span.start - done, 0) : max(span.stop - done, 0)] for span in spans)
        done += len(mono)
        if done > MOST_HOURS * 3600 * sound.rate:
            raise DataError(f"{name}: the clip is longer than {MOST_HOURS} hours: cut it.")
    if not done:
        raise DataError(f"{name}: the clip holds no sound (0 frames).")
    if done < sound.promised:
        raise DataError(f"{name}: the clip is cut short: {done / sound.rate:.2f} s decode, its header promises more.")
    return Decoded(sound, numpy.concatenate(kept) if kept else numpy.empty(0, numpy.float32), done)


def _mixed(block: Block, name: str) -> Mono:
    """The mean of the channels, from -1 to 1. Column by column: numpy's mean takes ten times as long."""
    import numpy

    whole = block.dtype == numpy.int16
    with numpy.errstate(over="ignore", invalid="ignore"):
        mono = block[:, 0].astype(numpy.float32)
        for channel in range(1, block.shape[1]):
            mono += block[:, channel]
        mono *= numpy.float32(1 / block.shape[1] / (32768 if whole else 1))
    if not whole:
        if not numpy.isfinite(mono).all():
            raise DataError(f"{name}: the clip holds samples that are no numbers (NaN or infinite).")
        numpy.clip(mono, -_LOUDEST, _LOUDEST, out=mono)
    return mono


def _blocks(file: Any) -> Iterator[Block]:
    """The frames of a file, until there are none: headers are wrong about their number."""
    import numpy

    count = max(1, _BLOCK_VALUES // file.channels)
    buffer = numpy.empty((count, file.channels), "int16" if file.subtype in _AS_INT16 else "float32")
    while len(block := file.read(count, out=buffer)):
        yield block


def _promised(file: Any, head: bytes) -> int:
    """The length that the header gives, less what it may err by."""
    frames = int(file.frames)
    if file.format == "MP3":
        # Without a table of contents in its first frame the length of an MP3 is an estimate.
        known = any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))
        return max(0, frames - _MPEG_SLACK) if known else 0
    return 0 if frames == 2**63 - 1 else frames


def _head(source: Source) -> tuple[bytes, int]:
    """The first bytes, in which an MP3 tells its length, and how many there are in all."""
    if isinstance(source, bytes):
        return source[:8192], len(source)
    return os.pread(source, 8192, 0), os.fstat(source).st_size


def _ffmpeg_name(head: bytes) -> str | None:
    """FFmpeg's name of what only it reads. Told here, since it would also open play lists, which name other files."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mp4"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:
        return "aac"
    return None


def _riff_cut_short(head: bytes, size: int) -> bool:
    """Whether a RIFF file has fewer bytes than it says; decoders pass over that in silence."""
    if head[:4] != b"RIFF":
        return False
    said = int.from_bytes(head[4:8], "little")
    return size - 8 < said < _STREAMED
