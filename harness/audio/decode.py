"""Decoding clips block by block: libsndfile for what it reads, FFmpeg for AAC and its containers.

A clip is given as the descriptor of an open file, even where its bytes are in memory. A descriptor has no name: neither
that nor files beside it (libsndfile takes an MP3 beside `._NAME` for another format) can mislead. And libsndfile reads
it without calling back into Python, which would hold up other threads and print what is wrong with damaged clips.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dtbench.harness.audio.mp3 import count_mp3_samples
from dtbench.harness.audio.sound import DecodedSound
from dtbench.harness.core.errors import DataError

if TYPE_CHECKING:
    from dtbench.harness.audio.sound import PCM, Block, Mono

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
_UNKNOWN = 2**63 - 1
"""What libsndfile says of a length that it does not know."""
_MP3_SLACK = 3 * 1152
"""Frames by which encoders miscount the length of an MP3."""
_OGG_HEADER, _LONGEST_OGG_PAGE = 27, 65_307
_AS_INT16 = ("PCM_16", "PCM_S8", "PCM_U8")
"""What fits into int16, which libsndfile reads eight times as fast as it makes floats of it."""


class Decoded(NamedTuple):
    """What was asked for of a clip."""

    sound: DecodedSound
    mono: Mono | PCM
    """The mean of the channels in the spans asked for, float32 from -1 to 1, the caller's own; one channel of 16 bits
    stays as it is."""
    frames: int
    """How many there are in all, asked for or not."""


class _Underestimated(Exception):
    """libsndfile takes an MP3 for shorter than it is, and would stop there in silence."""


def decode_clip(descriptor: int, name: str, spans: Callable[[DecodedSound], Sequence[range]]) -> Decoded:
    """Decode a clip to its end and keep the spans of it; what is not sound from end to end is a DataError."""
    head, size = os.pread(descriptor, 16, 0), os.fstat(descriptor).st_size
    if not size:
        raise DataError(f"{name}: the clip is empty (0 bytes).")
    if _ogg_cut_short(head, descriptor, size):
        raise DataError(f"{name}: the clip is cut short: it ends after {size} bytes, within a page.")
    container = _ffmpeg_name(head)
    if container is None:
        try:
            with _opened(descriptor, head, name) as sound:
                decoded = _gathered(sound, spans(sound), name)
        except _Underestimated:
            container = "mp3"
        else:
            if _riff_cut_short(head, size):
                raise DataError(f"{name}: the clip is cut short: it has {size} bytes, its header promises more.")
            return decoded
    from dtbench.harness.audio.ffmpeg import opened_by_ffmpeg

    with opened_by_ffmpeg(descriptor, container, name) as sound:
        return _gathered(sound, spans(sound), name)


@contextmanager
def _opened(descriptor: int, head: bytes, name: str) -> Iterator[DecodedSound]:
    """The sound of a clip; whatever is wrong with it, now or while it is decoded, is a DataError."""
    import soundfile

    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        with soundfile.SoundFile(descriptor, closefd=False) as file:
            # soundfile seeks after each block where it can: slow, and an end to streamed FLAC, whose length is unknown.
            file.seekable = lambda: False
            promised = _promised(file, descriptor)
            yield DecodedSound(file.samplerate, file.channels, file.format, promised, _blocks(file))
    except soundfile.LibsndfileError as error:
        reason = " ".join(error.error_string.split()).rstrip(".")
        raise DataError(f"{name}: the clip does not decode: {reason} (it begins with {head[:4]!r}).") from None


def _gathered(sound: DecodedSound, spans: Sequence[range], name: str) -> Decoded:
    """Decode to the end, and keep the frames of the spans; what is not sound throughout is a DataError."""
    import numpy

    if not SLOWEST <= sound.rate <= FASTEST:
        raise DataError(f"{name}: the clip has a rate of {sound.rate} Hz, allowed are {SLOWEST} to {FASTEST} Hz.")
    kept: list[Mono | PCM] = []
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
    joined = cast("Mono | PCM", numpy.concatenate(kept)) if kept else numpy.empty(0, numpy.float32)
    return Decoded(sound, joined, done)


def as_floats(pcm: Mono | PCM) -> Mono:
    """16-bit numbers as float32 from -1 to 1; what is float32 already as it is."""
    import numpy

    if pcm.dtype == numpy.float32:
        return cast("Mono", pcm)
    samples: Mono = pcm.astype(numpy.float32)
    samples *= numpy.float32(1 / 32768)
    return samples


def _mixed(block: Block, name: str) -> Mono | PCM:
    """The mean of the channels, as `Decoded` has it. Column by column: numpy's mean takes ten times as long."""
    import numpy

    whole = block.dtype == numpy.int16
    if whole and block.shape[1] == 1:
        return block[:, 0].copy()
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


def _promised(file: Any, descriptor: int) -> int:
    """How many frames the clip has to have; 0 where that cannot be known."""
    if file.format != "MP3":
        return 0 if file.frames == _UNKNOWN else int(file.frames)
    counted = count_mp3_samples(descriptor)
    if counted is None:
        return max(0, int(file.frames) - _MP3_SLACK)
    if counted > file.frames + _MP3_SLACK:
        raise _Underestimated
    return 0


def _ffmpeg_name(head: bytes) -> str | None:
    """FFmpeg's name of what only it reads. Told here, since it would also open play lists, which name other files."""
    if head[:2] == b"\0\0" and head[4:8] == b"ftyp":
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


def _ogg_cut_short(head: bytes, descriptor: int, size: int) -> bool:
    """Whether the last page of an Ogg stream ends before it should; libsndfile leaves such a page out in silence."""
    if head[:4] != b"OggS":
        return False
    tail = os.pread(descriptor, _LONGEST_OGG_PAGE, max(0, size - _LONGEST_OGG_PAGE))
    page = tail[tail.rfind(b"OggS") :]
    segments = page[_OGG_HEADER : _OGG_HEADER + page[_OGG_HEADER - 1]] if len(page) >= _OGG_HEADER else b""
    return len(page) < _OGG_HEADER + len(segments) + sum(segments) or len(segments) < page[_OGG_HEADER - 1]
