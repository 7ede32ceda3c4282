"""Numbers that are the same on every machine: pitches, levels and the sine as whole numbers, and random draws.

The floating-point functions of C libraries differ in their last digit. `decimal` is exact by its specification, so all
tables come from it; what follows is arithmetic on integers.
"""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Sequence
from decimal import Context, Decimal, localcontext
from typing import TypeVar

T = TypeVar("T")

RATE = 16_000
STEPS_A_SEMITONE = 16
LOW_TO_MID, MID_TO_HIGH = 0, 18 * STEPS_A_SEMITONE
"""Where low ends and where high begins, in steps; step 0 is 400 Hz, so high begins at 1131 Hz."""
SOFT_TO_LOUD = -250
"""Where soft ends, in tenths of a decibel below full scale (RMS while the sound is on)."""
SHORT_TO_LONG = RATE // 2
"""Where short ends, in samples: half a second."""

TURN_BITS = 32
"""A whole turn of the sine is 2 ** TURN_BITS."""
SINE_BITS = 12
_PEAK = 32_767
_EXACT = Context(prec=50)
_PI = Decimal("3.14159265358979323846264338327950288419716939937511")


@functools.cache
def millihertz(step: int) -> int:
    """Return the pitch of a step in thousandths of a hertz."""
    octaves, within = divmod(step, 12 * STEPS_A_SEMITONE)
    with localcontext(_EXACT):
        return round(400_000 * _within_octave(within) * Decimal(2) ** octaves)


@functools.cache
def _within_octave(step: int) -> Decimal:
    """Return how many times as high a step is as the first of its octave; a power takes most of a pitch's time."""
    with localcontext(_EXACT):
        return (Decimal(step) / (12 * STEPS_A_SEMITONE) * _logarithm(2)).exp()


@functools.cache
def _logarithm(number: int) -> Decimal:
    with localcontext(_EXACT):
        return Decimal(number).ln()


def turn_a_sample(step: int) -> int:
    """Return how far the sine of a pitch turns from one sample to the next."""
    return (millihertz(step) << TURN_BITS) // (1000 * RATE)


@functools.cache
def sine_peak(level: int) -> int:
    """Return the peak of a sine at this level, in 1/256 of a 16-bit step."""
    return _at_level(level, 2)


@functools.cache
def noise_peak(level: int) -> int:
    """Return the peak of uniform noise at this level, in 1/256 of a 16-bit step."""
    return _at_level(level, 3)


def _at_level(level: int, peak_to_mean: int) -> int:
    with localcontext(_EXACT):
        times = (Decimal(level) / 200 * _logarithm(10)).exp() * Decimal(peak_to_mean).sqrt()
        return round(times * (_PEAK + 1) * 256)


@functools.cache
def sine_table() -> tuple[int, ...]:
    """Return one turn of the sine in 2 ** SINE_BITS values, between -32767 and 32767."""
    count = 1 << SINE_BITS
    with localcontext(_EXACT):
        cosine, sine = _small_angle(2 * _PI / count)
        x, y = Decimal(1), Decimal(0)
        quarter = []
        for _ in range(count // 4 + 1):
            quarter.append(round(y * _PEAK))
            x, y = x * cosine - y * sine, x * sine + y * cosine
    half = quarter + quarter[-2:0:-1]
    return tuple(half + [-value for value in half])


def _small_angle(angle: Decimal) -> tuple[Decimal, Decimal]:
    """Return cosine and sine of an angle, by their series."""
    sums = [Decimal(0), Decimal(0)]
    term = Decimal(1)
    for power in range(24):
        sums[power % 2] += term if power % 4 < 2 else -term
        term = term * angle / (power + 1)
    return sums[0], sums[1]


class SeededRandom:
    """Random draws that follow from a text alone, the same in every version of Python."""

    def __init__(self, seed: str) -> None:
        # Only getrandbits and randbytes are used: the Mersenne Twister's own output, which no release has changed.
        self._source = random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big"))
        self._bits = self._source.getrandbits

    def below(self, count: int) -> int:
        """Draw a number from 0 to count - 1."""
        return (self._bits(32) * count) >> 32

    def between(self, low: int, high: int) -> int:
        """Draw a number from low to high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, one_in: int) -> bool:
        """Draw True once in `one_in` times, on average."""
        return self.below(one_in) == 0

    def pick(self, values: Sequence[T]) -> T:
        """Draw one of the values."""
        return values[self.below(len(values))]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """Return the values in a random order."""
        order = list(values)
        for last in range(len(order) - 1, 0, -1):
            place = self.below(last + 1)
            order[last], order[place] = order[place], order[last]
        return order

    def noise(self, count: int) -> bytes:
        """Return white noise: `count` little-endian 16-bit numbers."""
        return self._source.randbytes(2 * count)
