"""Samples held small: of 50,000 questions only the ids are in memory, where their objects would take 200 MB."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.core.schema import Clip, Sample


class SampleList(Sequence[Sample]):
    """Samples that are made anew each time they are asked for; what marshal cannot hold stays as it is."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        import hashlib  # 5 ms that scoring a file does not need

        self.ids: list[str] = []
        """Of each sample, in order."""
        self.unanswerable: list[str] = []
        """The ids of those whose right answer is none of their options."""
        self._content = hashlib.sha256()
        self._spool = DiskList()
        self._kept: dict[int, Sample] = {}
        self._clips: dict[int, Clip] = {}
        for sample in samples:
            self.append(sample)

    def append(self, sample: Sample) -> None:
        """Add one at the end."""
        self.ids.append(sample.id)
        if sample.answer is not None and sample.answer not in sample.choices:
            self.unanswerable.append(sample.id)
        row = (sample.id, sample.question, sample.choices, sample.answer)
        self._content.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        if not self._spooled(sample):
            self._kept[len(self.ids) - 1] = sample

    def _spooled(self, sample: Sample) -> bool:
        """Whether it could be put down; a place is taken either way."""
        path = str(sample.audio) if isinstance(sample.audio, Path) else None
        try:
            if type(sample) is Sample:
                fields = (sample.question, sample.choices, sample.answer, path, sample.groups, sample.item)
                self._spool.put(fields)
                if not isinstance(sample.audio, Path):
                    self._clips[len(self.ids) - 1] = sample.audio
                return True
        except ValueError:  # someone else's item, with more than plain values in it
            pass
        self._spool.put(None)
        return False

    @property
    def sha256(self) -> str:
        """Over what is asked, in order, blind to layout and audio."""
        return self._content.hexdigest()

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Sample]:
        return map(self._unpacked, range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Sample: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Sample]: ...
    def __getitem__(self, place: int | slice) -> Sample | Sequence[Sample]:
        everywhere = range(len(self))
        return chosen(self, everywhere[place]) if isinstance(place, slice) else self._unpacked(everywhere[place])

    def clip_names(self) -> Iterator[str]:
        """What messages call the clip of each, in order."""
        for place in range(len(self)):
            if place in self._kept:
                yield clip_name(self._kept[place].audio)
            elif place in self._clips:
                yield self._clips[place].label
            else:
                yield self._spool.take(place)[3]

    def _unpacked(self, place: int) -> Sample:
        if place in self._kept:
            return self._kept[place]
        question, choices, answer, path, groups, item = self._spool.take(place)
        audio = self._clips[place] if path is None else Path(path)
        return Sample(self.ids[place], question, choices, answer, audio, groups, item)


class _Chosen(Sequence[Sample]):
    """Some of the samples of a data set."""

    def __init__(self, whole: Sequence[Sample], places: Sequence[int]) -> None:
        self._whole = whole
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Sample: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Sample]: ...
    def __getitem__(self, place: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(place, slice):
            return _Chosen(self._whole, self._places[place])
        return self._whole[self._places[place]]


def chosen(samples: Sequence[Sample], places: Iterable[int]) -> Sequence[Sample]:
    """The samples at these places, without a copy of them."""
    return _Chosen(samples, array("Q", places))


def clips_of(samples: Sequence[Sample]) -> Iterator[str]:
    """What messages call the clip of each, in order."""
    if isinstance(samples, SampleList):
        yield from samples.clip_names()
    else:
        yield from (clip_name(sample.audio) for sample in samples)


def clip_name(audio: Path | Clip) -> str:
    """What messages call a clip."""
    return str(audio) if isinstance(audio, Path) else audio.label


def ids_of(samples: Sequence[Sample]) -> Sequence[str]:
    """The ids in order, without making samples where that can be spared."""
    return samples.ids if isinstance(samples, SampleList) else [sample.id for sample in samples]
