"""Decode clips block by block: with libsndfile what it reads, with FFmpeg AAC, ALAC, MP4, Matroska and odd MP3s.

A clip is given as the descriptor of an open file, even where its bytes are in memory. A descriptor has no name: neither
that nor files beside it (libsndfile takes an MP3 beside `._NAME` for another format) can mislead. And libsndfile reads
it without calling back into Python, which would hold up other threads and print what is wrong with damaged clips.
"""

from __future__ import annotations

import itertools
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.installed import install_command

if TYPE_CHECKING:
    import numpy

    Block = numpy.ndarray[tuple[int, int], numpy.dtype[Any]]
    """Frames by channels: int16 or float32, from -1 to 1."""
    Mono = numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]]
    Samples = numpy.ndarray[Any, numpy.dtype[numpy.float32]]
    """Frames, or frames by channels."""
    PCM = numpy.ndarray[Any, numpy.dtype[numpy.int16]]

SLOWEST, FASTEST = 1_000, 768_000
"""Sampling rates that a sound can have; a header that says more would make the resampler fill the memory."""
MOST_HOURS = 24
"""How long a clip can be: an archive of a few bytes may claim to contain years."""
_BLOCK_VALUES = 1 << 18
"""The numbers in a block: 1 MB as float32, whatever the channels."""
_LOUDEST = 64.0
"""Float samples are clipped to this, which is 36 dB beyond full scale, so that arithmetic on them stays finite."""
_STREAMED = 0x7FFFF000
"""From here on a RIFF size stands for "unknown", as programs write it that stream."""
_UNKNOWN = 2**63 - 1
"""What libsndfile says of a length that it does not know."""
_MP3_SLACK = 3 * 1152
"""Frames by which encoders miscount the length of an MP3."""
_MP4_SLACK = 3 * 2048
"""Frames by which the length in an MP4 differs from what decodes: the delay of the encoder, a last packet unfilled."""
_OGG_HEADER, _MAX_OGG_PAGE = 27, 65_307
_AS_INT16 = ("PCM_16", "PCM_S8", "PCM_U8")
"""What fits into int16, which libsndfile reads eight times as fast as it makes floats of it."""
_MP3_RATES = (44100, 48000, 32000)
_MP3_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBITS_LOW = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MP3_CONTENTS = (b"Xing", b"Info", b"VBRI")
_MP3_FIRST_FRAME = 2048
_LAYER_3 = 1
_MP3_SAME = 0xFFFE0C00
"""The bits of a header that all frames of a file share: version, layer, rate."""


@dataclass(frozen=True, slots=True)
class DecodedSound:
    """A clip being decoded from its beginning to its end."""

    rate: int
    channels: int
    format: str
    promised: int
    """The frames that its header says there are at least; 0 where the header cannot be trusted."""
    blocks: Iterator[Block]
    """Each is valid until the next is read."""


class Decoded(NamedTuple):
    """The parts of a clip that were requested."""

    sound: DecodedSound
    wave: Samples | PCM
    """The mean of the channels in the spans, float32 from -1 to 1, the caller's own; one channel of 16 bits stays as it
    is. Channels that are kept are columns."""
    frames: int
    """All of the clip, inside the spans or not."""


class _Underestimated(Exception):
    """libsndfile takes an MP3 for shorter than it is, and would stop there in silence."""


def decode_clip(
    descriptor: int, name: str, spans: Callable[[DecodedSound], Sequence[range]], *, stereo: bool = False
) -> Decoded:
    """Decode a clip to its end and keep its spans; raise a DataError unless all of it is sound.

    The channels are mixed down, unless they are to be kept (`stereo`, however many there are).
    """
    head, size = os.pread(descriptor, 16, 0), os.fstat(descriptor).st_size
    if not size:
        raise DataError(f"{name}: the clip is empty (0 bytes).")
    if _ogg_cut_short(head, descriptor, size):
        raise DataError(f"{name}: the clip is cut short: it ends after {size} bytes, within a page.")
    container = _ffmpeg_container(head)
    if container is None:
        try:
            with _open_with_libsndfile(descriptor, head, name) as sound:
                decoded = _collect(sound, spans(sound), name, stereo=stereo)
        except _Underestimated:
            container = "mp3"
        else:
            if _riff_cut_short(head, size):
                raise DataError(f"{name}: the clip is cut short: it has {size} bytes, its header promises more.")
            return decoded
    with _open_with_ffmpeg(descriptor, container, name) as sound:
        return _collect(sound, spans(sound), name, stereo=stereo)


@contextmanager
def _open_with_libsndfile(descriptor: int, head: bytes, name: str) -> Iterator[DecodedSound]:
    """Open a clip; every fault of the clip, now or while it is decoded, is a DataError."""
    import soundfile

    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        with soundfile.SoundFile(descriptor, closefd=False) as file:
            # soundfile seeks after each block where it can: slow, and an end to streamed FLAC, whose length is unknown.
            file.seekable = lambda: False
            promised = _promised_frames(file, descriptor)
            yield DecodedSound(file.samplerate, file.channels, file.format, promised, _blocks(file))
    except soundfile.LibsndfileError as error:
        reason = " ".join(error.error_string.split()).rstrip(".")
        raise DataError(f"{name}: the clip does not decode: {reason} (it begins with {head[:4]!r}).") from None


@contextmanager
def _open_with_ffmpeg(descriptor: int, container: str, name: str) -> Iterator[DecodedSound]:
    """Open a clip with PyAV, in a container that FFmpeg knows by this name; every fault of the clip is a DataError."""
    try:
        import av
    except ImportError:
        raise DataError(f"{name}: only FFmpeg decodes this clip ({container}): {install_command('aac')}.") from None
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        try:
            with av.open(file, format=container, metadata_errors="ignore") as media:
                if not media.streams.audio:
                    raise DataError(f"{name}: the clip holds no sound (no audio stream in its {container}).")
                yield _ffmpeg_sound(media, container, name)
        except av.FFmpegError as error:
            reason = str(error.strerror).rstrip(".")
            raise DataError(f"{name}: the clip does not decode: {reason} (FFmpeg, as {container}).") from None


def _ffmpeg_sound(media: Any, container: str, name: str) -> DecodedSound:
    """Return the first audio stream, at the rate of its first frame: containers are wrong about HE-AAC."""
    stream = media.streams.audio[0]
    if stream.codec_context is None:  # PyAV before 18 dies of it
        raise DataError(f"{name}: the clip does not decode: unknown codec (FFmpeg, as {container}).")
    frames = media.decode(stream)
    first = next(frames, None)
    if first is None:
        raise DataError(f"{name}: the clip holds no sound (0 frames).")
    blocks = _ffmpeg_blocks(itertools.chain([first], frames), name)
    promised = 0
    if container == "mp4" and stream.duration and stream.time_base:
        promised = max(0, int(stream.duration * stream.time_base * first.sample_rate) - _MP4_SLACK)
    return DecodedSound(
        first.sample_rate, first.layout.nb_channels, stream.codec_context.name.upper(), promised, blocks
    )


def _ffmpeg_blocks(frames: Iterator[Any], name: str) -> Iterator[Block]:
    import av

    resampler = av.AudioResampler(format="fltp")  # changes the format of the samples, not their rate
    for frame in frames:
        try:
            resampled = resampler.resample(frame)
        except ValueError:
            raise DataError(f"{name}: the clip does not decode: it changes its rate or channels midway.") from None
        for part in resampled:
            yield part.to_ndarray().T


def _collect(sound: DecodedSound, spans: Sequence[range], name: str, *, stereo: bool) -> Decoded:
    """Decode to the end and keep the frames of the spans; raise a DataError unless all of it is sound."""
    import numpy

    if not SLOWEST <= sound.rate <= FASTEST:
        raise DataError(f"{name}: the clip has a rate of {sound.rate} Hz, {SLOWEST} to {FASTEST} Hz is allowed.")
    parts: list[Samples | PCM] = []
    done = 0
    for block in sound.blocks:
        wave = _channels_of(block, name) if stereo and sound.channels > 1 else _mix_down(block, name)
        for span in spans:
            kept = wave[max(span.start - done, 0) : max(span.stop - done, 0)]
            if len(kept):  # an empty one would hold on to its block, and all of them to the whole clip
                parts.append(kept if len(kept) == len(wave) else kept.copy())
        done += len(wave)
        if done > MOST_HOURS * 3600 * sound.rate:
            raise DataError(f"{name}: the clip is longer than {MOST_HOURS} hours: cut it.")
    if not done:
        raise DataError(f"{name}: the clip holds no sound (0 frames).")
    if done < sound.promised:
        raise DataError(f"{name}: the clip is cut short: {done / sound.rate:.2f} s decode, its header promises more.")
    joined = cast("Samples | PCM", numpy.concatenate(parts)) if parts else numpy.empty(0, numpy.float32)
    return Decoded(sound, joined, done)


def as_floats(pcm: Samples | PCM) -> Samples:
    """Convert 16-bit numbers to float32 from -1 to 1; return float32 as it is."""
    import numpy

    if pcm.dtype == numpy.float32:
        return cast("Samples", pcm)
    samples: Samples = pcm.astype(numpy.float32)
    samples *= numpy.float32(1 / 32768)
    return samples


def _mix_down(block: Block, name: str) -> Mono | PCM:
    """Return the mean of the channels, column by column: numpy's own mean takes ten times as long."""
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
        _limit(mono, name)
    return mono


def _channels_of(block: Block, name: str) -> Samples | PCM:
    """Return a copy of the block, a column each channel."""
    import numpy

    if block.dtype == numpy.int16:
        return block.copy()
    wave = block.astype(numpy.float32)
    _limit(wave, name)
    return wave


def _limit(wave: Samples, name: str) -> None:
    """Clip float samples to what arithmetic takes; raise a DataError where some are no numbers."""
    import numpy

    if not numpy.isfinite(wave).all():
        raise DataError(f"{name}: the clip holds samples that are no numbers (NaN or infinite).")
    numpy.clip(wave, -_LOUDEST, _LOUDEST, out=wave)


def _blocks(file: Any) -> Iterator[Block]:
    """Read the frames of a file until there are none: headers are wrong about their number."""
    import numpy

    count = max(1, _BLOCK_VALUES // file.channels)
    buffer = numpy.empty((count, file.channels), "int16" if file.subtype in _AS_INT16 else "float32")
    while len(block := file.read(count, out=buffer)):
        yield block


def _promised_frames(file: Any, descriptor: int) -> int:
    """Return how many frames the clip must have; 0 where that cannot be known."""
    if file.format != "MP3":
        return 0 if file.frames == _UNKNOWN else int(file.frames)
    counted = _count_mp3_samples(descriptor)
    if counted is None:
        return max(0, int(file.frames) - _MP3_SLACK)
    if counted > file.frames + _MP3_SLACK:
        raise _Underestimated
    return 0


def _ffmpeg_container(head: bytes) -> str | None:
    """Return FFmpeg's name of a container that only it reads; left to itself it would open play lists, too."""
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
    stated = int.from_bytes(head[4:8], "little")
    return size - 8 < stated < _STREAMED


def _ogg_cut_short(head: bytes, descriptor: int, size: int) -> bool:
    """Whether the last page of an Ogg stream ends before it should; libsndfile leaves such a page out in silence."""
    if head[:4] != b"OggS":
        return False
    tail = os.pread(descriptor, _MAX_OGG_PAGE, max(0, size - _MAX_OGG_PAGE))
    page = tail[tail.rfind(b"OggS") :]
    segments = page[_OGG_HEADER : _OGG_HEADER + page[_OGG_HEADER - 1]] if len(page) >= _OGG_HEADER else b""
    return len(page) < _OGG_HEADER + len(segments) + sum(segments) or len(segments) < page[_OGG_HEADER - 1]


class _Mp3Frame(NamedTuple):
    size: int
    samples: int


def _count_mp3_samples(descriptor: int) -> int | None:
    """Count the samples of an MP3, which decoders estimate; None if its first frame says it, or it is no layer III."""
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as data:
        at = _tag_size(data[:10])
        first = int.from_bytes(data[at : at + 4])
        if _mp3_frame(first) is None or any(mark in data[at : at + _MP3_FIRST_FRAME] for mark in _MP3_CONTENTS):
            return None
        samples = 0
        while 0 <= at <= len(data) - 4:
            header = int.from_bytes(data[at : at + 4])
            frame = _mp3_frame(header) if header & _MP3_SAME == first & _MP3_SAME else None
            if frame is None:
                at = data.find(b"\xff", at + 1)
            else:
                at += frame.size
                samples += frame.samples
        return samples


def _tag_size(head: bytes) -> int:
    """Return the size of an ID3 tag before the sound."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _mp3_frame(header: int) -> _Mp3Frame | None:
    """Parse a frame header of layer III; None for anything else."""
    version, layer = header >> 19 & 3, header >> 17 & 3
    kbits, rate = header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or version == 1 or layer != _LAYER_3 or kbits in (0, 15) or rate == 3:
        return None
    slower = {3: 0, 2: 1, 0: 2}[version]  # MPEG-1, 2 and 2.5: each has half the rates of the one before
    samples = 576 if slower else 1152
    bits = (_MP3_KBITS_LOW if slower else _MP3_KBITS)[kbits] * 1000
    return _Mp3Frame(samples * bits // 8 // (_MP3_RATES[rate] >> slower) + (header >> 9 & 1), samples)
