"""Measure what a clip sounds like: from samples to numbers, with librosa.

Pitch is by YIN, and a frame is voiced where it correlates with itself one period later. On made-up voices from 80 to
440 Hz in noise down to 10 dB, the median is within 3 % of pyin's and the voiced share within 0.04, in a twelfth of the
time (12 against 150 ms for 5 s of sound). All measures take 70 to 90 ms of CPU for a clip of 10 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtbench.harness.acoustics.columns import Values, no_values

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy

    from dtbench.harness.audio.decode import Decoded

    Array = numpy.ndarray[Any, numpy.dtype[Any]]

RATE = 16_000
"""What is measured is mono at this rate, which most models hear; bandwidth is measured at the published rate."""
FRAME, HOP = 1024, 256
"""Of a frame, 64 ms, and from one to the next, 16 ms."""
LOWEST_HZ, HIGHEST_HZ = 60.0, 800.0
"""Between these a pitch is looked for; one at the edge is none, for there the search ends."""
EDGE = 0.02
VOICED = 0.6
"""The correlation with the sound one period later from which a frame is voiced."""
RISE = 0.1
"""By how much it must exceed that after half a period: rumble is like itself a little later, and has no period."""
SILENT_DB, FLOOR_DBFS = 40.0, -80.0
"""A frame is silent so far below the loudest one, and below this level in any case."""
QUIETEST = 0.1
"""The share of frames that are taken for noise alone."""
SMALLEST_SNR_DB, LARGEST_SNR_DB = -20.0, 100.0
"""Below the first there is no estimate: a sound that never changes cannot be told from noise."""
BANDWIDTH_DB = 60.0
BANDS = 64
"""Mel bands in which onsets are looked for; none of them is empty with so short a frame."""
SHORTEST_RHYTHM_S, FEWEST_ONSETS = 2.0, 3
"""Shorter clips and fewer onsets have no tempo."""
_SPECTRUM, _BLOCK = 2048, 1 << 18


def measure_clip(decoded: Decoded) -> Values:
    """Return the columns of a clip of which the beginning was decoded; what it does not have is None."""
    from dtbench.harness.audio.decode import as_floats

    sound = decoded.sound
    values = no_values()
    values["duration_s"] = decoded.frames / sound.rate
    values["sample_rate_hz"], values["channels"] = float(sound.rate), float(sound.channels)
    published = as_floats(decoded.wave)
    samples = _resampled(published, sound.rate)
    levels = _levels(samples)
    if levels is None:
        return values
    quiet = _silent(levels)
    values["silence_share"] = float(quiet.mean())
    if quiet.all():
        return values
    values["loudness_dbfs"] = _decibels(float((samples.astype("float64") ** 2).mean()))
    values["snr_db"] = _noise_ratio(levels)
    values |= _pitch(samples, quiet) | _rhythm(samples)
    values["bandwidth_hz"] = _bandwidth(published, sound.rate)
    return values


def _resampled(samples: Array, rate: int) -> Array:
    if rate == RATE:
        return samples
    import soxr

    resampled: Array = soxr.resample(samples, rate, RATE, quality="HQ")
    return resampled


def _levels(samples: Array) -> Array | None:
    """Return the power of each frame; None where the clip has not one whole frame."""
    if len(samples) < FRAME:
        return None
    import numpy

    ends = numpy.arange(FRAME, len(samples) + 1, HOP)
    sums = numpy.concatenate([[0.0], numpy.cumsum(samples.astype(numpy.float64) ** 2)])
    powers: Array = numpy.maximum(sums[ends] - sums[ends - FRAME], 0.0) / FRAME
    return powers


def _silent(levels: Array) -> Array:
    threshold = max(levels.max() / 10 ** (SILENT_DB / 10), 10 ** (FLOOR_DBFS / 10))
    silent: Array = levels < threshold
    return silent


def _decibels(power: float) -> float:
    import math

    return 10 * math.log10(power)


def _noise_ratio(levels: Array) -> float | None:
    """Return the power beyond that of the quietest frames over the latter, in dB; None where nothing stands out."""
    import numpy

    noise, mean = float(numpy.quantile(levels, QUIETEST)), float(levels.mean())
    if noise <= 0:
        return LARGEST_SNR_DB
    ratio = max(mean / noise - 1, 1e-20)
    return None if _decibels(ratio) < SMALLEST_SNR_DB else min(LARGEST_SNR_DB, _decibels(ratio))


def _pitch(samples: Array, quiet: Array) -> Values:
    import librosa
    import numpy

    pitch = librosa.yin(
        samples, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=RATE, frame_length=FRAME, hop_length=HOP, center=False
    )
    frames = numpy.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    count = min(len(pitch), len(frames), len(quiet))
    pitch = pitch[:count]
    inside = (pitch > LOWEST_HZ * (1 + EDGE)) & (pitch < HIGHEST_HZ * (1 - EDGE))
    again, between = _repetition(frames[:count], RATE / pitch), _repetition(frames[:count], RATE / pitch / 2)
    voiced = inside & ~quiet[:count] & (again > VOICED) & (again - between > RISE)
    share = float(voiced.mean())
    if not voiced.any():
        return {"voiced_share": share}
    low, middle, high = (float(one) for one in numpy.quantile(pitch[voiced], (0.05, 0.5, 0.95)))
    return {"voiced_share": share, "f0_hz": middle, "f0_range_semitones": float(12 * numpy.log2(high / low))}


def _repetition(frames: Array, periods: Array) -> Array:
    """Return the correlation of each frame's first half with the sound so many samples later."""
    import numpy

    half = FRAME // 2
    lags = numpy.minimum(numpy.round(periods).astype(int), half)
    found = numpy.empty(len(lags))
    for start in range(0, len(lags), _BLOCK // FRAME):
        part = slice(start, start + _BLOCK // FRAME)
        first = frames[part, :half]
        later = numpy.take_along_axis(frames[part], lags[part, None] + numpy.arange(half), axis=1)
        power = (first**2).sum(axis=1) * (later**2).sum(axis=1)
        found[part] = (first * later).sum(axis=1) / numpy.sqrt(numpy.maximum(power, 1e-20))
    return found


def _rhythm(samples: Array) -> Values:
    import librosa

    seconds = len(samples) / RATE
    strength = librosa.onset.onset_strength(y=samples, sr=RATE, n_fft=FRAME, hop_length=HOP, n_mels=BANDS)
    onsets = len(librosa.onset.onset_detect(onset_envelope=strength, sr=RATE, hop_length=HOP))
    values: Values = {"onsets_per_s": onsets / seconds}
    if seconds >= SHORTEST_RHYTHM_S and onsets >= FEWEST_ONSETS:
        tempo: Callable[..., Any] = librosa.feature.tempo
        values["tempo_bpm"] = float(tempo(onset_envelope=strength, sr=RATE, hop_length=HOP)[0])
    return values


def _bandwidth(samples: Array, rate: int) -> float | None:
    """Return the highest frequency of the mean spectrum that is within BANDWIDTH_DB of its strongest one."""
    import numpy

    size = min(_SPECTRUM, len(samples))
    frames = numpy.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2]
    window = numpy.hanning(size).astype(numpy.float32)
    power = numpy.zeros(size // 2 + 1)
    step = max(1, _BLOCK // size)
    for start in range(0, len(frames), step):
        power += (numpy.abs(numpy.fft.rfft(frames[start : start + step] * window)) ** 2).sum(axis=0)
    strongest = power.max()
    if strongest <= 0:
        return None
    highest = int(numpy.flatnonzero(power >= strongest / 10 ** (BANDWIDTH_DB / 10))[-1])
    return highest * rate / size
