"""Many numbers in as few bytes as the largest of them takes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice, repeat
from typing import Any

_CODES = "bhiq"
_AT_ONCE = 1 << 16


class PackedInts:
    """Whole numbers of up to 64 bits, by place; they take a byte each until a larger one comes, and are -1 at first."""

    def __init__(self, count: int = 0) -> None:
        self._numbers = array(_CODES[0], [-1]) * count

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: int) -> int:
        return self._numbers[place]

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def put(self, place: int, number: int) -> None:
        """Put a number at a place, which may be the first that is free."""
        try:
            if place == len(self._numbers):
                self._numbers.append(number)
            else:
                self._numbers[place] = number
        except OverflowError:
            wider = _CODES[_CODES.index(self._numbers.typecode) + 1 :]
            if not wider:
                raise
            self._numbers = array(wider[0], self._numbers)
            self.put(place, number)


class PackedSeconds:
    """Durations or lengths by place; they take nothing until one is not 0, as those of models in this process are."""

    def __init__(self) -> None:
        self._zeros = 0
        self._seconds = array("d")

    def __getitem__(self, place: int) -> float:
        return self._seconds[place] if self._seconds else 0.0

    def __iter__(self) -> Iterator[float]:
        return iter(self._seconds) if self._seconds else repeat(0.0, self._zeros)

    def put(self, place: int, seconds: float) -> None:
        """Put a duration at a place, which may be the first that is free."""
        if not self._seconds:
            if seconds == 0:
                self._zeros = max(self._zeros, place + 1)
                return
            self._seconds = array("d", bytes(8 * self._zeros))
        if place == len(self._seconds):
            self._seconds.append(seconds)
        else:
            self._seconds[place] = seconds

    @property
    def are_zero(self) -> bool:
        """Whether none of them is above 0."""
        return not self._seconds


def ordered(code: str, numbers: Iterable[float]) -> array[Any]:
    """Return numbers in order as an array of this type; few of them are objects at once."""
    left = iter(numbers)
    parts = []
    while part := sorted(islice(left, _AT_ONCE)):
        parts.append(array(code, part))
    return parts[0] if len(parts) == 1 else array(code, merge(*parts))
