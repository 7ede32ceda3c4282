"""Change what a model hears of a clip: noise at a stated distance, or a codec that it went through.

Everything is done to the PCM that the model would get, with all its channels, after it was resampled and cut: what is
stated of it holds for what is heard.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dtbench.harness.audio.modes import AudioMode
from dtbench.harness.audio.prepare import PreparedAudio, model_rate, noise_for, silence_of, with_samples
from dtbench.harness.core.errors import UserError

if TYPE_CHECKING:
    from dtbench.harness.audio.decode import Samples

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MP3_DELAY = 1105
"""Samples before the sound in an MP3 that does not say how many there are: LAME's encoder and the usual decoder."""
_FORMATS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS")}
_LOUDEST = 32767 / 32768


def is_replaced(mode: AudioMode) -> bool:
    """Whether a mode needs the seed of a question: something is heard that is drawn for it."""
    return mode.kind in {"silence", "noise"}


def replace_sound(audio: PreparedAudio, mode: AudioMode, seed: int) -> PreparedAudio:
    """Return silence or noise in place of a clip, or the clip with noise; equal for equal seeds."""
    if mode.kind == "silence":
        return silence_of(audio)
    noise = noise_for(audio, seed)
    return noise if mode.snr_db is None else _mix(audio, noise, mode.snr_db)


def through_codec(audio: PreparedAudio, mode: AudioMode) -> PreparedAudio:
    """Return a clip encoded at a bitrate and decoded again; the clip itself for a mode without a codec."""
    if mode.kbits is None:
        return audio
    import soundfile
    import soxr

    rate, samples = model_rate(audio), audio.samples
    coded_rate = _coding_rate(mode, rate)
    given = samples if coded_rate == rate else soxr.resample(samples, rate, coded_rate, quality="HQ")
    file = io.BytesIO()
    kind, subtype = _FORMATS[mode.kind]
    constant = {"bitrate_mode": "CONSTANT"} if mode.kind == "mp3" else {}
    level = _compression_level(mode, coded_rate)
    soundfile.write(file, given, coded_rate, format=kind, subtype=subtype, compression_level=level, **constant)
    size = file.tell()
    file.seek(0)
    heard, _ = soundfile.read(file, dtype="float32")
    if mode.kind == "mp3" and len(heard) >= len(given) + _MP3_DELAY:
        heard = heard[_MP3_DELAY:]
    if coded_rate != rate:
        heard = soxr.resample(heard, coded_rate, rate, quality="HQ")
    kbits = size * 8 / 1000 / (len(samples) / rate)
    return replace(with_samples(audio, _as_long(heard, len(samples))), kbits=round(kbits, 2))


def refuse_unknown_codec(mode: AudioMode) -> None:
    """Raise a UserError where the libsndfile at hand cannot write a codec."""
    if mode.kbits is None:
        return
    import soundfile

    kind, subtype = _FORMATS[mode.kind]
    if subtype not in soundfile.available_subtypes(kind if kind in soundfile.available_formats() else "WAV"):
        version = soundfile.__libsndfile_version__
        raise UserError(
            f"--audio {mode}: libsndfile {version} here cannot encode {mode.kind}; 1.1 and later can: "
            "pip install --upgrade --force-reinstall soundfile."
        )


def _mix(audio: PreparedAudio, noise: PreparedAudio, snr_db: float) -> PreparedAudio:
    """Add noise to a clip, so that the clip's mean power is this far above the noise's; both are made less loud where
    the sum would clip.

    A clip of silence has no such distance: it stays as it is.
    """
    import numpy

    clip, added = audio.samples.astype(numpy.float64), noise.samples.astype(numpy.float64)
    power = _energy(clip)
    if not power:
        return audio
    added *= (power / _energy(added) / 10 ** (snr_db / 10)) ** 0.5
    mixed = clip + added
    scale = min(1.0, _LOUDEST / float(numpy.abs(mixed).max()))
    result = with_samples(audio, (mixed * scale).astype(numpy.float32))
    rest = result.samples - clip * scale
    measured = 10 * numpy.log10(power * scale * scale / _energy(rest))
    return replace(result, snr_db=round(float(measured), 2))


def _energy(samples: Any) -> float:
    """Return the sum of squares, of all channels."""
    flat = samples.ravel()
    return float(flat @ flat)


def _as_long(samples: Samples, length: int) -> Samples:
    """Return the samples cut, or filled up with zeros, to this length."""
    import numpy

    missing = max(0, length - len(samples))
    return numpy.pad(samples[:length], ((0, missing), *[(0, 0)] * (samples.ndim - 1)))


def _coding_rate(mode: AudioMode, rate: int) -> int:
    """Return the sampling rate at which a codec has this bitrate: the model's own, or the nearest that does."""
    assert mode.kbits is not None
    rates: Any = OPUS_RATES
    if mode.kind == "mp3":
        # LAME has 32 kbit/s and more from 32 kHz on, and 64 at most below 16 kHz.
        lowest = 16000 if mode.kbits > 64 else MP3_RATES[0]
        highest = 24000 if mode.kbits < 32 or mode.kbits == 144 else MP3_RATES[-1]
        rates = [one for one in MP3_RATES if lowest <= one <= highest]
    return int(next((one for one in rates if one >= rate), rates[-1]))


def _compression_level(mode: AudioMode, rate: int) -> float:
    """Return what libsndfile takes in place of a bitrate: 0 for the highest one of a codec, nearly 1 for the lowest."""
    assert mode.kbits is not None
    if mode.kind == "opus":
        highest, lowest = 256, 6
    else:
        highest, lowest = (64, 8) if rate < 16000 else (160, 8) if rate < 32000 else (320, 32)
    return min(0.9999, (highest - mode.kbits) / (highest - lowest))
