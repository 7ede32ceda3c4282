"""Many numbers in as few bytes as the largest of them takes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import Any

_CODES = "bhiq"
_AT_ONCE = 1 << 16


class PackedInts:
    """Whole numbers of up to 64 bits, by place; they take a byte each until a larger one comes."""

    def __init__(self) -> None:
        self._numbers = array(_CODES[0])

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


def ordered(code: str, numbers: Iterable[float]) -> array[Any]:
    """Return numbers in order as an array of this type; few of them are objects at once."""
    left = iter(numbers)
    parts = []
    while part := sorted(islice(left, _AT_ONCE)):
        parts.append(array(code, part))
    return parts[0] if len(parts) == 1 else array(code, merge(*parts))
