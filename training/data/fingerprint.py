"""Fingerprint a recording: its exact samples, and bits that survive another level, rate, format or cut.

The bits are those of Haitsma and Kalker (ISMIR 2002): whether the difference of neighbouring bands of the spectrum
rises or falls from one moment to the next. Copies of a sound differ in few bits, two sounds in about half.
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
"""Windows of half a second, every 32 ms: wherever a copy was cut, it is off by half a hop at most."""
BANDS, LOWEST, HIGHEST = 33, 300.0, 2000.0
MAX_SECONDS = 120.0
MIN_POWER = 1e-9
"""The power below which a moment is silence, whose bits mean nothing."""
MIN_MOMENTS = 32
"""The least overlap of two recordings in moments: a second."""
MAX_DIFFERENCE = 0.3
"""The share of differing bits below which two recordings are copies: others differ in 0.5, give or take 0.06."""


class Fingerprint(NamedTuple):
    """The fingerprint of a clip."""

    exact: str
    """A hash of its samples: equal for one recording in two lossless files."""
    bits: np.ndarray[Any, Any]
    """32 bits for each moment."""
    sounding: np.ndarray[Any, Any]
    """Whether a moment is not silent."""


def fingerprint(audio: Path | Clip) -> Fingerprint:
    """Fingerprint the first two minutes of a clip; a DataError where it cannot be decoded."""
    import numpy as np

    wave = prepare_audio(audio, RATE, MAX_SECONDS).samples
    padded = np.pad(wave, (0, max(0, WINDOW + HOP - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)) ** 2 / WINDOW
    power = spectrum @ _bands()
    rise = np.diff(np.diff(power, axis=1), axis=0) > 0
    bits = rise.astype(np.uint32) @ (np.uint32(1) << np.arange(BANDS - 1, dtype=np.uint32))
    exact = hashlib.sha256(np.rint(wave * 32768).astype("<i2").tobytes()).hexdigest()
    return Fingerprint(exact, bits.astype(np.uint32), power.sum(axis=1)[1:] > MIN_POWER)


@functools.cache
def _bands() -> np.ndarray[Any, Any]:
    """Return which frequencies belong to each band; bands are evenly spaced to the ear."""
    import numpy as np

    edges = np.floor(np.geomspace(LOWEST, HIGHEST, BANDS + 1) * WINDOW / RATE)
    places = np.arange(WINDOW // 2 + 1)[:, None]
    inside: np.ndarray[Any, Any] = (places >= edges[:-1]) & (places < edges[1:])
    return inside.astype(np.float32)


def bit_difference(a: Fingerprint, b: Fingerprint, offset: int) -> float | None:
    """Return the share of bits that differ where `b` starts `offset` moments into `a`; None for a short overlap."""
    import numpy as np

    start, end = max(0, offset), min(len(a.bits), len(b.bits) + offset)
    if end - start < MIN_MOMENTS:
        return None
    in_a, in_b = slice(start, end), slice(start - offset, end - offset)
    both = a.sounding[in_a] & b.sounding[in_b]
    if both.sum() < MIN_MOMENTS:
        return None
    differing = (a.bits[in_a] ^ b.bits[in_b])[both]
    return float(np.unpackbits(differing.view(np.uint8)).mean())
