"""The records of a run for one report: read once, as they were at that moment, and beyond some thousands kept on disk.

A report goes through them several times, once in the order of the questions, while the run may go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import cast, overload

from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.store.types import Record

IN_MEMORY = 5_000


class SpooledRecords(Sequence[Record]):
    """Records that may be read again; beyond IN_MEMORY each is made anew when it is looked at."""

    def __init__(self, records: Iterable[Record]) -> None:
        left = iter(records)
        self._first = list(islice(left, IN_MEMORY))
        self._others = DiskList()
        for record in left:
            self._others.append(record)

    @classmethod
    def of(cls, records: Iterable[Record]) -> SpooledRecords:
        """Return records that may be read again, as they are where they may."""
        return records if isinstance(records, cls) else cls(records)

    def __len__(self) -> int:
        return len(self._first) + len(self._others)

    def __iter__(self) -> Iterator[Record]:
        return chain(self._first, cast("Iterable[Record]", self._others))

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        place = range(len(self))[place]
        if place < len(self._first):
            return self._first[place]
        return cast("Record", self._others.read(place - len(self._first)))
