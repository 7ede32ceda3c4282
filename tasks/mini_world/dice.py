"""Draws that are the same on every machine and in every version of Python."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class SeededRandom:
    """Draws that follow from a text alone."""

    def __init__(self, seed: str) -> None:
        # Only getrandbits and randbytes are used: the Mersenne Twister's own output, which no release has changed.
        self._source = random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big"))

    def below(self, count: int) -> int:
        """A number from 0 to count - 1."""
        return (self._source.getrandbits(32) * count) >> 32

    def between(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, one_in: int) -> bool:
        """True once in so many draws."""
        return self.below(one_in) == 0

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.below(len(values))]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """The values in another order."""
        mixed = list(values)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed

    def noise(self, count: int) -> bytes:
        """White noise: so many little-endian 16-bit numbers."""
        return self._source.randbytes(2 * count)
