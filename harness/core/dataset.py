"""A task's questions: 5,000 stay in memory, and beyond these only the ids, where 50,000 would take 200 MB."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring
from pathlib import Path
from typing import overload

from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.core.schema import Clip, Sample, clip_name

IN_MEMORY = 5_000
"""Samples that are kept as they are, which no published benchmark exceeds."""


class Dataset:
    """The samples of a task, and which version of them this is."""

    def __init__(self, samples: Iterable[Sample], version: str, source: str, notes: Iterable[str] = ()) -> None:
        self._stored = samples if isinstance(samples, _StoredSamples) else _StoredSamples(_SampleStore(samples))
        self.samples: Sequence[Sample] = self._stored
        """Those beyond the first IN_MEMORY are read back from disk one by one."""
        self._shared_clips: dict[str, int] | None = None
        self.version = version
        """The name of the version, recognized by the content, such as `v2-github`."""
        self.source = source
        """The file that was read."""
        self.notes = tuple(notes)
        """What a user should know of this data before trusting a score."""

    @property
    def sha256(self) -> str:
        """Over ids, questions, choices and answers in order, of the whole data in a selection too."""
        return self._stored.store.content.hexdigest()

    @property
    def unanswerable(self) -> Sequence[str]:
        """The ids of samples whose right answer is none of their options, of the whole data in a selection too."""
        return self._stored.store.unanswerable

    @property
    def ids(self) -> list[str]:
        """The id of each sample, in order."""
        return [self._stored.store.ids[place] for place in self._stored.places]

    @property
    def whole(self) -> Dataset:
        """The whole data that this is a selection of; this data set itself where it is none."""
        if isinstance(self._stored.places, range):
            return self
        return Dataset(_StoredSamples(self._stored.store), self.version, self.source, self.notes)

    def place_in_whole(self, place: int) -> int:
        """Return where the sample at a place stands in the whole data."""
        return self._stored.places[place]

    def question_hash(self, place: int) -> str:
        """Return twelve digits that differ where a question, its options or its answer do."""
        return f"{self._stored.store.hashes[self._stored.places[place]]:012x}"

    def places(self) -> dict[str, int]:
        """Map each id to its place in `samples`."""
        return {id_: place for place, id_ in enumerate(self.ids)}

    def clip_names(self) -> list[str]:
        """Return the name that messages use for the clip of each sample, in order."""
        return [self._stored.store.clip_name(place) for place in self._stored.places]

    def shared_clips(self) -> dict[str, int]:
        """Number the clips that several questions are about, by the questions' ids."""
        if self._shared_clips is None:
            names = self.clip_names()
            times = Counter(names)
            numbers = {name: number for number, name in enumerate(name for name in times if times[name] > 1)}
            self._shared_clips = {
                id_: numbers[name] for id_, name in zip(self.ids, names, strict=True) if name in numbers
            }
        return dict(self._shared_clips)

    def select(self, places: Iterable[int]) -> Dataset:
        """Return the samples at these places as a data set, without copying them."""
        own = array("Q", (self._stored.places[place] for place in places))
        return Dataset(_StoredSamples(self._stored.store, own), self.version, self.source, self.notes)


class _StoredSamples(Sequence[Sample]):
    """Some places of a store, or all."""

    def __init__(self, store: _SampleStore, places: Sequence[int] | None = None) -> None:
        self.store = store
        self.places = range(len(store.ids)) if places is None else places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, place: int) -> Sample: ...
    @overload
    def __getitem__(self, place: slice) -> _StoredSamples: ...
    def __getitem__(self, place: int | slice) -> Sample | _StoredSamples:
        if isinstance(place, slice):
            return _StoredSamples(self.store, self.places[place])
        return self.store.sample(self.places[place])


class _SampleStore:
    """The first samples as they are, the others on disk; what marshal cannot write, such as a clip in memory, stays."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        import hashlib  # 5 ms that scoring a file does not need

        self.ids: list[str] = []
        self.unanswerable: list[str] = []
        self.content = hashlib.sha256()
        self._first: list[Sample] = []
        self.hashes = array("Q")
        self._fields = DiskList()
        self._whole: dict[int, Sample] = {}
        self._clips: dict[int, Clip] = {}
        for place, sample in enumerate(samples):
            self.ids.append(sample.id)
            if sample.answer is not None and sample.choices and sample.answer not in sample.choices:
                self.unanswerable.append(sample.id)
            line = _json_row(sample).encode() + b"\n"
            self.content.update(line)
            self.hashes.append(int.from_bytes(hashlib.blake2b(line, digest_size=6).digest(), "big"))
            if place < IN_MEMORY:
                self._first.append(sample)
            else:
                self._put(place, sample)

    def _put(self, place: int, sample: Sample) -> None:
        path = str(sample.audio) if isinstance(sample.audio, Path) else None
        fields = (sample.question, sample.choices, sample.answer, path, sample.groups, sample.item)
        is_plain = type(sample) is Sample
        try:
            self._fields.append(fields if is_plain else None)
        except ValueError:  # someone else's item, with more than plain values in it
            is_plain = False
            self._fields.append(None)
        if not is_plain:
            self._whole[place] = sample
        elif not isinstance(sample.audio, Path):
            self._clips[place] = sample.audio

    def sample(self, place: int) -> Sample:
        if place < len(self._first):
            return self._first[place]
        if place in self._whole:
            return self._whole[place]
        question, choices, answer, path, groups, item = self._fields.read(place - len(self._first))
        audio = self._clips[place] if path is None else Path(path)
        return Sample(self.ids[place], question, choices, answer, audio, groups, item)

    def clip_name(self, place: int) -> str:
        return clip_name(self._clips[place] if place in self._clips else self.sample(place).audio)


def _json_row(sample: Sample) -> str:
    """Return what json.dumps makes of id, question, options and answer, which are hashed; in a third of its time."""
    if isinstance(sample.choices, tuple | list):
        try:
            options = ", ".join(map(encode_basestring, sample.choices))
            answer = "null" if sample.answer is None else encode_basestring(sample.answer)
            return f"[{encode_basestring(sample.id)}, {encode_basestring(sample.question)}, [{options}], {answer}]"
        except TypeError:  # a task of a user's own may give something else than texts
            pass
    return json.dumps((sample.id, sample.question, sample.choices, sample.answer), ensure_ascii=False)
