"""Sounds made for tests, encoded, and what can be measured of them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy
import soundfile

Wave = numpy.ndarray[Any, numpy.dtype[Any]]


@dataclass(frozen=True)
class Bytes:
    """A clip that lies in memory."""

    data: bytes
    label: str = "some/clip.wav"

    def read(self) -> bytes:
        return self.data


def sine(hertz: float, seconds: float, rate: int, level: float = 0.5) -> Wave:
    """One channel of a tone."""
    wave: Wave = level * numpy.sin(2 * numpy.pi * hertz * numpy.arange(round(seconds * rate)) / rate)
    return wave


def encoded(wave: Wave, rate: int, kind: str = "WAV", subtype: str | None = None) -> Bytes:
    """A wave (frames, or frames by channels) as a file."""
    out = io.BytesIO()
    soundfile.write(out, wave, rate, format=kind, subtype=subtype)
    return Bytes(out.getvalue())


def encoded_by_ffmpeg(wave: Wave, rate: int, container: str, codec: str) -> Bytes:
    """One channel as a file that libsndfile does not read; needs PyAV."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=container) as media:
        stream = media.add_stream(codec, rate=rate, layout="mono")
        planes = numpy.ascontiguousarray(wave[numpy.newaxis], numpy.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        media.mux([*stream.encode(frame), *stream.encode(None)])
    return Bytes(out.getvalue())


def pitch(wave: Wave, rate: int) -> float:
    """The strongest frequency, in Hz."""
    spectrum = numpy.abs(numpy.fft.rfft(wave * numpy.hanning(len(wave))))
    return float(spectrum.argmax() * rate / len(wave))


def loudness(wave: Wave) -> float:
    """The root of the mean square, edges left out."""
    middle = wave[len(wave) // 4 : -len(wave) // 4]
    return float(numpy.sqrt(numpy.mean(numpy.square(middle, dtype=numpy.float64))))
