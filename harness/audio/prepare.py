"""Prepare clips for a model: decode them by content, never by file name, and convert them to what it hears.

A model hears PCM16 at its own rate, resampled by soxr: the channels' mean, or each channel where a task asks for it and
the model hears them apart. A clip that is not sound from end to
end is an error. Where a clip is longer than the model takes, one of LONG_CLIP_RULES decides.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from dtbench.harness.core.errors import DataError, UserError, did_you_mean
from dtbench.harness.core.regular_files import open_regular
from dtbench.harness.core.schema import Clip, clip_name

if TYPE_CHECKING:
    from dtbench.harness.audio.decode import PCM, Decoded, DecodedSound, Mono, Samples

WHOLE, CUT, WINDOWS, REFUSE = "whole", "cut", "windows", "refuse"
WINDOW_COUNT = 3
LONG_CLIP_RULES: Mapping[str, str] = {
    CUT: "the model hears its beginning, up to its limit",
    WINDOWS: f"{WINDOW_COUNT} evenly spaced parts are heard, its beginning and its end among them, the limit in all",
    REFUSE: "it is not sent, and its question fails",
}
"""What happens to a clip over a model's limit; one within it is passed on WHOLE, whatever the rule."""

MAX_FRAMES = 1 << 28
"""Of one clip in memory: 1 GB while it is resampled, 1.5 hours at 48 kHz."""
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_HASH_DIGITS = 12
_NOISE_SHIFT = 3
"""Noise is full-scale white noise, halved three times: -23 dB RMS, about as loud as speech."""


class MissingClip(DataError):
    """A clip is not where the data set says."""


class ClipFacts(NamedTuple):
    """The facts of a clip, known from decoding all of it."""

    seconds: float
    rate: int
    channels: int
    format: str


@dataclass(frozen=True, slots=True)
class PreparedAudio:
    """A clip as a model hears it, and how it was prepared."""

    wav: bytes
    """PCM16 WAV at the model's rate."""
    seconds: float
    """The length of the clip as published."""
    rate: int
    """The sampling rate of the clip as published."""
    channels: int
    """The channels of the clip as published."""
    rule: str
    """WHOLE, or the rule by which a clip over the limit was shortened."""
    hash: str = ""
    """hash_clip() of the clip as published."""
    snr_db: float | None = None
    """Where noise was added: by how much the clip is louder, as measured."""
    kbits: float | None = None
    """Where the clip went through a codec: the bitrate of what was encoded, as measured."""

    @property
    def samples(self) -> Samples:
        """Return the samples of `wav` as float32 from -1 to 1: a local model hears what an endpoint would."""
        return wav_samples(self.wav)

    @property
    def heard_channels(self) -> int:
        """Return how many channels the model hears."""
        return _channels(self.wav)


def _channels(wav: bytes) -> int:
    return int(_HEADER.unpack_from(wav)[6])


def wav_samples(wav: bytes) -> Samples:
    """Return the samples of a WAV file of ours as float32 from -1 to 1; of several channels a column each."""
    import numpy

    from dtbench.harness.audio.decode import as_floats

    samples = as_floats(numpy.frombuffer(wav, "<i2", offset=_HEADER.size))
    count = _channels(wav)
    return samples if count == 1 else samples.reshape(-1, count)


def wav_mono(wav: bytes) -> Mono:
    """Return the samples of a WAV file of ours, mixed down."""
    samples = wav_samples(wav)
    return samples if samples.ndim == 1 else cast("Mono", samples.mean(axis=1, dtype="float32"))


def prepare_audio(
    audio: Path | Clip, rate: int, limit: float | None, rule: str = CUT, *, stereo: bool = False
) -> PreparedAudio:
    """Prepare a clip for a model that takes `rate` Hz and at most `limit` seconds; a faulty one is a DataError.

    Its channels are mixed down, unless they are to be kept (`stereo`).
    """
    if rule not in LONG_CLIP_RULES:
        raise UserError(f"unknown rule {rule!r} for clips over the limit. {did_you_mean(rule, LONG_CLIP_RULES)}")
    if limit is not None and not limit > 0:
        raise UserError(f"a limit of {limit} s leaves no audio: it must be above 0, or none.")
    name = clip_name(audio)
    encoded = audio if isinstance(audio, Path) else audio.read()
    digest = _hash_encoded(encoded)
    clip, applied = _decode_within(encoded, name, limit, rule, stereo=stereo)
    sound = clip.sound
    pcm = _pcm16(clip.wave, sound.rate, rate)
    if limit is not None:
        pcm = pcm[: max(1, int(limit * rate))]
    if not len(pcm):
        raise DataError(f"{name}: the clip holds no sound at {rate} Hz ({clip.frames} frames at {sound.rate} Hz).")
    return PreparedAudio(_wav(pcm, rate), clip.frames / sound.rate, sound.rate, sound.channels, applied, digest)


def _wav(pcm: PCM, rate: int) -> bytes:
    size, channels = pcm.nbytes, 1 if pcm.ndim == 1 else pcm.shape[1]
    form = (1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    header = _HEADER.pack(b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, *form, b"data", size)
    return b"".join((header, pcm.data if pcm.flags.c_contiguous else pcm.tobytes()))


def model_rate(audio: PreparedAudio) -> int:
    """Return the sampling rate at which the model hears a clip."""
    return int(_HEADER.unpack_from(audio.wav)[7])


def with_samples(audio: PreparedAudio, samples: Samples) -> PreparedAudio:
    """Return a clip with other samples, from -1 to 1 at the model's rate, in place of its own."""
    return replace(audio, wav=_wav(_to_pcm16(samples), model_rate(audio)))


def _decode_within(
    audio: Path | bytes, name: str, limit: float | None, rule: str, *, stereo: bool
) -> tuple[Decoded, str]:
    """Decode the part of a clip within the limit, and return the rule that was applied."""
    clip = _decode(audio, name, lambda sound: [range(_max_frames(sound.rate, limit))], stereo=stereo)
    rate = clip.sound.rate
    most = _max_frames(rate, limit)
    if clip.frames <= most:
        return clip, WHOLE
    length = f"{name}: the clip is {clip.frames / rate:.2f} s long"
    if most == MAX_FRAMES:
        raise DataError(f"{length}, too long for memory: cut it, or set a smaller limit for the model.")
    if rule == REFUSE:
        raise DataError(f"{length}, over the model's limit of {limit:g} s, and the rule is {REFUSE!r}.")
    if rule == WINDOWS:
        return _decode(audio, name, lambda _: _windows(clip.frames, most), stereo=stereo), WINDOWS
    return clip, CUT


def _max_frames(rate: int, limit: float | None) -> int:
    """Return how many frames of a clip a model may get."""
    return MAX_FRAMES if limit is None else min(MAX_FRAMES, max(1, int(limit * rate)))


def _windows(frames: int, most: int) -> list[range]:
    """Return evenly spaced windows, the first at the beginning and the last at the end, of `most` frames in all."""
    lengths = [most // WINDOW_COUNT] * (WINDOW_COUNT - 1)
    lengths.append(most - sum(lengths))
    gap = (frames - most) / (WINDOW_COUNT - 1)
    starts = [sum(lengths[:place]) + round(gap * place) for place in range(WINDOW_COUNT)]
    return [range(start, start + length) for start, length in zip(starts, lengths, strict=True)]


def _pcm16(given: Samples | PCM, rate: int, new_rate: int) -> PCM:
    """Resample to 16-bit numbers; 16-bit sound at the new rate stays as it is."""
    import numpy

    from dtbench.harness.audio.decode import as_floats

    if rate == new_rate and given.dtype == numpy.int16:
        return given.astype("<i2", copy=False)
    wave = as_floats(given)
    if rate != new_rate:
        import soxr

        wave = soxr.resample(wave, rate, new_rate, quality="HQ")
    return _to_pcm16(wave)


def _to_pcm16(wave: Samples) -> PCM:
    """Convert samples, which are changed, to 16-bit numbers."""
    import numpy

    wave *= numpy.float32(32768)  # the caller's own, as are the next: no copies
    numpy.rint(wave, out=wave)
    numpy.clip(wave, -32768, 32767, out=wave)
    return wave.astype("<i2")


def silence_of(audio: PreparedAudio) -> PreparedAudio:
    """Replace the sound by silence of the same length."""
    return replace(audio, wav=audio.wav[: _HEADER.size] + bytes(len(audio.wav) - _HEADER.size))


def noise_for(audio: PreparedAudio, seed: int) -> PreparedAudio:
    """Replace the sound by white noise of the same length, equal for equal seeds."""
    import random

    import numpy

    # Not numpy's generators: their streams may change from release to release.
    noise = random.Random(seed).randbytes(len(audio.wav) - _HEADER.size)
    pcm = numpy.frombuffer(noise, "<i2") >> _NOISE_SHIFT
    return replace(audio, wav=audio.wav[: _HEADER.size] + pcm.tobytes())


def read_clip(audio: Path | Clip) -> bytes:
    """Read the encoded bytes of a clip, wherever it lies."""
    if not isinstance(audio, Path):
        return audio.read()
    with _file(audio) as file:
        return file.read()


def hash_clip(audio: Path | Clip) -> str:
    """Return the first twelve digits of the SHA-256 of a clip as published; what is decoded depends on the decoder."""
    return _hash_encoded(audio if isinstance(audio, Path) else audio.read())


def hash_of_hashes(hashes: Sequence[str]) -> str:
    """Return one hash for the clips of a question: that of a single clip is its own."""
    lines = "".join(f"{hash_}\n" for hash_ in hashes)
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(lines.encode()).hexdigest()[:_HASH_DIGITS]


def _hash_encoded(audio: Path | bytes) -> str:
    if not isinstance(audio, Path):
        return hashlib.sha256(audio).hexdigest()[:_HASH_DIGITS]
    with _file(audio) as file:
        state = os.fstat(file.fileno())
    return _hash_file(audio, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1 << 15)
def _hash_file(path: Path, *_state: int) -> str:
    """Hash a file once while it stays as it is: a run that goes on looks at the clips that it has answers to."""
    with _file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_HASH_DIGITS]


def inspect_clip(data: bytes, name: str) -> ClipFacts:
    """Decode a clip to its end and return its facts; raise a DataError unless all of it is sound."""
    clip = _decode(data, name, lambda _: [])
    sound = clip.sound
    return ClipFacts(clip.frames / sound.rate, sound.rate, sound.channels, sound.format)


def decode_beginning(audio: Path | Clip, seconds: float) -> Decoded:
    """Decode a clip to its end and keep its beginning, mono and at its own rate; a faulty clip is a DataError."""
    encoded = audio if isinstance(audio, Path) else audio.read()
    return _decode(encoded, clip_name(audio), lambda sound: [range(_max_frames(sound.rate, seconds))])


def _decode(
    audio: Path | bytes, name: str, spans: Callable[[DecodedSound], Sequence[range]], *, stereo: bool = False
) -> Decoded:
    """Decode a clip to its end and keep its spans."""
    from dtbench.harness.audio.decode import decode_clip

    if isinstance(audio, Path):
        with _file(audio) as file:
            return decode_clip(file.fileno(), name, spans, stereo=stereo)
    with _open_unnamed() as file:
        file.write(audio)
        file.seek(0)
        return decode_clip(file.fileno(), name, spans, stereo=stereo)


def _open_unnamed() -> IO[bytes]:
    """Open a file without a name; on a disk only where the system has none in memory."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("clip"), "w+b", buffering=0)
    import tempfile  # 2 ms that memory without a name does not need

    return tempfile.TemporaryFile(buffering=0)


@contextmanager
def _file(path: Path) -> Iterator[BufferedReader]:
    try:
        with open_regular(path) as file:
            yield file
    except FileNotFoundError:
        raise MissingClip(f"{path}: the clip is missing.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the clip cannot be read ({error}).") from None
