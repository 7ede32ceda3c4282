"""A recording told by its sound: its exact samples, and bits that survive another level, rate, format or cut.

The bits are those of Haitsma and Kalker (ISMIR 2002): whether the difference of neighbouring bands of the spectrum
rises or falls from one moment to the next. Two recordings of one sound differ in few bits, two sounds in about half.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.audio.prepare import prepare_audio
from dtbench.harness.core.schema import Clip

if TYPE_CHECKING:
    import numpy as np

RATE = 8000
WINDOW, HOP = 4096, 256
"""Half a second looked at, every 32 ms: wherever a copy was cut, half a hop is the most it is off by."""
BANDS, LOWEST, HIGHEST = 33, 300.0, 2000.0
MOST_SECONDS = 120.0
FAINTEST = 1e-9
"""The power below which a moment is silence, whose bits say nothing."""
SHORTEST = 32
"""Moments that two recordings must share to be compared: a second."""
SAME = 0.3
"""The share of differing bits below which two recordings are one: strangers differ in 0.5, give or take 0.06."""


class Fingerprint(NamedTuple):
    """What is known of a clip."""

    exact: str
    """Over its samples: equal for one file in two containers that lose nothing."""
    bits: np.ndarray[Any, Any]
    """A number of 32 bits for each moment."""
    sounding: np.ndarray[Any, Any]
    """Whether anything is to be heard in that moment."""


def fingerprint(audio: Path | Clip) -> Fingerprint:
    """The fingerprint of a clip, of its first two minutes; a DataError where it cannot be heard."""
    import numpy as np

    wave = prepare_audio(audio, RATE, MOST_SECONDS).samples
    padded = np.pad(wave, (0, max(0, WINDOW + HOP - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)) ** 2 / WINDOW
    power = spectrum @ _bands()
    rise = np.diff(np.diff(power, axis=1), axis=0) > 0
    bits = rise.astype(np.uint32) @ (np.uint32(1) << np.arange(BANDS - 1, dtype=np.uint32))
    exact = hashlib.sha256(np.rint(wave * 32768).astype("<i2").tobytes()).hexdigest()
    return Fingerprint(exact, bits.astype(np.uint32), power.sum(axis=1)[1:] > FAINTEST)


@functools.cache
def _bands() -> np.ndarray[Any, Any]:
    """Which frequencies belong to which band, evenly spaced to the ear."""
    import numpy as np

    edges = np.floor(np.geomspace(LOWEST, HIGHEST, BANDS + 1) * WINDOW / RATE)
    places = np.arange(WINDOW // 2 + 1)[:, None]
    inside: np.ndarray[Any, Any] = (places >= edges[:-1]) & (places < edges[1:])
    return inside.astype(np.float32)


def difference(one: Fingerprint, other: Fingerprint, offset: int) -> float | None:
    """The share of bits that differ where `other` begins `offset` moments into `one`; None for too short a time."""
    import numpy as np

    start, end = max(0, offset), min(len(one.bits), len(other.bits) + offset)
    if end - start < SHORTEST:
        return None
    mine, theirs = slice(start, end), slice(start - offset, end - offset)
    both = one.sounding[mine] & other.sounding[theirs]
    if both.sum() < SHORTEST:
        return None
    differing = (one.bits[mine] ^ other.bits[theirs])[both]
    return float(np.unpackbits(differing.view(np.uint8)).mean())
