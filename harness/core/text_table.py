"""Many texts in little memory: their bytes side by side, and a table of places by hash where one is looked up.

A list or a dict of texts takes ten times as much, which of a million ids is more than the rest of a run.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

_FEWEST_SLOTS = 64
_EMPTY = -1
_AT_ONCE = 4096
"""Texts that are decoded together where all are read."""


class Texts(Sequence[str]):
    """Texts in an order, equal to any other sequence of the same ones."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))


class TextTable(Texts):
    """Texts in the order in which they were appended; of equal ones, the last is found."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes = bytearray()
        self._ends = array("I", [0])
        self._slots = array("i")
        """Places by hash, an empty array until a text is looked up."""
        for text in texts:
            self.append(text)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._bytes[self._ends[place] : self._ends[place + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _AT_ONCE):
            ends = self._ends[first : first + _AT_ONCE + 1]
            part = bytes(self._bytes[ends[0] : ends[-1]])
            start = ends[0]
            for place in range(len(ends) - 1):
                yield part[ends[place] - start : ends[place + 1] - start].decode("utf-8", "surrogatepass")

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.find(text) is not None

    def append(self, text: str) -> None:
        """Append a text, also one that is there."""
        stored = text.encode("utf-8", "surrogatepass")
        slot = self._slot(text, stored) if self._slots else _EMPTY
        self._put(stored)
        if slot != _EMPTY:
            self._index(slot)

    def add(self, text: str) -> int:
        """Return the place of a text, which is appended where it is not there."""
        stored = text.encode("utf-8", "surrogatepass")
        slot = self._slot(text, stored)
        if (place := self._slots[slot]) != _EMPTY:
            return place
        self._put(stored)
        self._index(slot)
        return len(self._ends) - 2

    def find(self, text: str) -> int | None:
        """Return the place of a text; None where it is not there."""
        slot = self._slot(text, text.encode("utf-8", "surrogatepass"))  # which may make them
        place = self._slots[slot]
        return None if place == _EMPTY else place

    def distinct(self) -> int:
        """Return how many different texts there are; the table by hash is made anew where it is needed again."""
        if not self._slots:
            self._make_slots()
        count = len(self._slots) - self._slots.count(_EMPTY)
        self._slots = array("i")
        return count

    def _put(self, stored: bytes) -> None:
        self._bytes += stored
        try:
            self._ends.append(len(self._bytes))
        except OverflowError:  # 4 GB of texts
            self._ends = array("Q", self._ends)
            self._ends.append(len(self._bytes))

    def _index(self, slot: int) -> None:
        """Note the last text in its slot, or all of them in twice as many where it is crowded."""
        count = len(self._ends) - 1
        if 2 * count > len(self._slots):
            self._make_slots()
        else:
            self._slots[slot] = count - 1

    def _make_slots(self) -> None:
        count = max(_FEWEST_SLOTS, 1 << (2 * len(self)).bit_length())
        self._slots = slots = array("i", [_EMPTY]) * count
        for place, text in enumerate(self):
            slot = hash(text) & (count - 1)
            if slots[slot] == _EMPTY:
                slots[slot] = place
            else:
                slots[self._slot(text, text.encode("utf-8", "surrogatepass"))] = place

    def _slot(self, text: str, wanted: bytes) -> int:
        """Return the slot of a text, or the empty one that it would take."""
        if not self._slots:
            self._make_slots()
        slots, ends, stored = self._slots, self._ends, self._bytes
        mask = len(slots) - 1
        slot = hash(text) & mask
        while (place := slots[slot]) >= 0 and stored[ends[place] : ends[place + 1]] != wanted:
            slot = (slot + 1) & mask
        return slot


class TextMap(Mapping[str, str]):
    """A text for each of many texts."""

    def __init__(self) -> None:
        self._keys, self._values = TextTable(), TextTable()
        self._numbers = array("I")

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __getitem__(self, key: str) -> str:
        place = self._keys.find(key)
        if place is None:
            raise KeyError(key)
        return self._values[self._numbers[place]]

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __setitem__(self, key: str, value: str) -> None:
        place, number = self._keys.add(key), self._values.add(value)
        if place == len(self._numbers):
            self._numbers.append(number)
        else:
            self._numbers[place] = number


class RepeatedHashes:
    """Finds out whether one of many numbers comes again; 16 bytes a number are held until one does."""

    def __init__(self) -> None:
        self.found = False
        """Whether a number came twice."""
        self._slots = array("Q", [0]) * _FEWEST_SLOTS
        self._count = 0

    def add(self, number: int) -> None:
        """Count a number in, of which 64 bits count."""
        if self.found:
            return
        if self._put((number & 0xFFFF_FFFF_FFFF_FFFF) or 1):
            self.found = True
            self._slots = array("Q")
            return
        self._count += 1
        if 3 * self._count > 2 * len(self._slots):
            before = self._slots
            self._slots = array("Q", [0]) * (2 * len(before))
            for one in before:
                if one:
                    self._put(one)

    def _put(self, number: int) -> bool:
        """Put a number into its slot; return whether it was there."""
        slots = self._slots
        mask = len(slots) - 1
        slot = number & mask
        while (there := slots[slot]) and there != number:
            slot = (slot + 1) & mask
        slots[slot] = number
        return bool(there)
