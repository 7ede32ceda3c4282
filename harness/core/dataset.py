"""A task's questions: 5,000 stay in memory, and beyond these only the ids, packed, where 50,000 would take 200 MB."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, overload

from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.core.schema import Clip, Sample, clip_name
from dtbench.harness.core.text_table import RepeatedHashes, Texts, TextTable

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
    def most_clips(self) -> int:
        """Return the largest number of clips that a question of the whole data set has."""
        return self._stored.store.most_clips

    @property
    def has_words(self) -> bool:
        """Whether any question of the whole data set is written, and not in its clip alone."""
        return self._stored.store.has_words

    @property
    def has_options(self) -> bool:
        """Whether any question of the whole data set has options."""
        return True in self._stored.store.first_of

    def first_of_each_kind(self) -> Sequence[Sample]:
        """Return the first question of the whole data set with options, and the first one without, if there is one."""
        store = self._stored.store
        return [store.sample(store.first_of[kind]) for kind in (True, False) if kind in store.first_of]

    @property
    def ids(self) -> Sequence[str]:
        """The id of each sample, in order."""
        store = self._stored.store
        return store.ids if isinstance(self._stored.places, range) else _Ids(store, self._stored.places)

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

    def places(self) -> Mapping[str, int]:
        """Map each id to its place in `samples`."""
        return _Places(self._stored.store, self._stored.places)

    def repeated_id(self) -> str | None:
        """Return the first id that two samples have; None where each has one of its own."""
        if self._stored.store.ids.is_unique():
            return None
        seen: set[str] = set()
        for id_ in self.ids:
            if id_ in seen:
                return id_
            seen.add(id_)
        return None

    def clip_names(self) -> list[tuple[str, ...]]:
        """Return the names that messages use for the clips of each sample, in order."""
        return [self._stored.store.clip_names(place) for place in self._stored.places]

    def shared_clips(self) -> dict[str, int]:
        """Number the sets of questions that hang together by their clips, by the questions' ids."""
        if self._shared_clips is None:
            self._shared_clips = self._number_shared() if self._stored.store.may_share_clips else {}
        return dict(self._shared_clips)

    def _number_shared(self) -> dict[str, int]:
        names = self.clip_names()
        first_of = _join_by_clips(names)
        times = Counter(first_of)
        numbers = {first: number for number, first in enumerate(first for first in times if times[first] > 1)}
        return {id_: numbers[first] for id_, first in zip(self.ids, first_of, strict=True) if first in numbers}

    def select(self, places: Iterable[int]) -> Dataset:
        """Return the samples at these places as a data set, without copying them."""
        own = array("Q", (self._stored.places[place] for place in places))
        return Dataset(_StoredSamples(self._stored.store, own), self.version, self.source, self.notes)


def _join_by_clips(names: Sequence[tuple[str, ...]]) -> list[int]:
    """Return for each question the place of the first one that it hangs together with, by clips that they share."""
    first_of = list(range(len(names)))

    def root(place: int) -> int:
        while first_of[place] != place:
            first_of[place] = first_of[first_of[place]]
            place = first_of[place]
        return place

    first_with: dict[str, int] = {}
    for place, clips in enumerate(names):
        for clip in clips:
            one, other = root(first_with.setdefault(clip, place)), root(place)
            first_of[max(one, other)] = min(one, other)
    return [root(place) for place in range(len(names))]


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

    def __iter__(self) -> Iterator[Sample]:
        if self.places == range(len(self.store.ids)):
            return self.store.every_sample()
        return map(self.store.sample, self.places)


class _Ids(Texts):
    """The ids of some samples of a store."""

    def __init__(self, store: _SampleStore, places: Sequence[int]) -> None:
        self._store, self._places = store, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self._store.ids[one] for one in self._places[place]]
        return self._store.ids[self._places[place]]


class _Places(Mapping[str, int]):
    """Where the sample with an id stands, among all of a store or some."""

    def __init__(self, store: _SampleStore, places: Sequence[int]) -> None:
        self._ids = store.ids if isinstance(places, range) else _Ids(store, places)
        self._store, self._places = store, places
        self._own: dict[str, int] | None = None
        if not isinstance(places, range) and not (
            store.ids.is_unique() and all(one < other for one, other in pairwise(places))
        ):
            self._own = {id_: place for place, id_ in enumerate(self._ids)}

    def __len__(self) -> int:
        return len(self._ids) if self._store.ids.is_unique() else len(set(self._ids))

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids) if self._store.ids.is_unique() else iter(dict.fromkeys(self._ids))

    def __getitem__(self, id_: str) -> int:
        place = self._own.get(id_) if self._own is not None else self._found(self._store.ids.find(id_))
        if place is None:
            raise KeyError(id_)
        return place

    def _found(self, whole: int | None) -> int | None:
        """Return the place among ours of a sample of the store."""
        if whole is None or isinstance(self._places, range):
            return whole
        place = bisect_left(self._places, whole)
        return place if place < len(self._places) and self._places[place] == whole else None


class _IdTable(TextTable):
    """Ids; a task of a user's own may give some that are no texts, which are kept as they are until it is refused."""

    def __init__(self) -> None:
        super().__init__()
        self._others: dict[int, Any] = {}
        self._unique: bool | None = None

    def append(self, text: str) -> None:
        """Append an id, of whatever type."""
        if not isinstance(text, str):
            self._others[len(self)] = text
            text = ""
        super().append(text)
        self._unique = None

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if self._others and isinstance(place, int) and place in self._others:
            other: str = self._others[place]
            return other
        return super().__getitem__(place)

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self))) if self._others else super().__iter__()

    def is_unique(self) -> bool:
        """Whether no id comes twice; False where some are no texts."""
        if self._unique is None:
            self._unique = not self._others and self.distinct() == len(self)
        return self._unique


class _SampleStore:
    """The first samples as they are, the others on disk; what marshal cannot write, such as a clip in memory, stays."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        import hashlib  # 5 ms that scoring a file does not need

        self.ids = _IdTable()
        self.unanswerable: list[str] = []
        self.content = hashlib.sha256()
        self._first: list[Sample] = []
        self.hashes = array("Q")
        self._fields = DiskList()
        self._whole: dict[int, Sample] = {}
        self._clips: dict[int, tuple[Path | Clip, ...]] = {}
        self.most_clips = 0
        self.has_words = False
        self.first_of: dict[bool, int] = {}
        """Whether they have options -> where the first such question stands."""
        clips = RepeatedHashes()
        for place, sample in enumerate(samples):
            self.ids.append(sample.id)
            self.most_clips = max(self.most_clips, len(sample.clips))
            self.has_words |= bool(sample.question)
            self.first_of.setdefault(bool(sample.choices), place)
            if sample.answer is not None and sample.choices and sample.answer not in sample.choices:
                self.unanswerable.append(sample.id)
            line = _json_row(sample).encode() + b"\n"
            self.content.update(line)
            self.hashes.append(int.from_bytes(hashlib.blake2b(line, digest_size=6).digest(), "big"))
            for hash_ in _clip_hashes(sample):
                clips.add(hash_)
            if place < IN_MEMORY:
                self._first.append(sample)
            else:
                self._put(place, sample)
        self.may_share_clips = clips.found
        """Whether two samples may have one clip: equal names have equal hashes."""

    def _put(self, place: int, sample: Sample) -> None:
        are_files = all(isinstance(clip, Path) for clip in sample.clips)
        clips = tuple(map(str, sample.clips)) if are_files else None
        fields = (sample.question, sample.choices, sample.answer, clips, sample.groups, sample.item)
        is_plain = type(sample) is Sample
        try:
            self._fields.append(fields if is_plain else None)
        except ValueError:  # someone else's item, with more than plain values in it
            is_plain = False
            self._fields.append(None)
        if not is_plain:
            self._whole[place] = sample
        elif clips is None:
            self._clips[place] = sample.clips

    def sample(self, place: int) -> Sample:
        if place < len(self._first):
            return self._first[place]
        if place in self._whole:
            return self._whole[place]
        return self._from_fields(place, self.ids[place], self._fields.read(place - len(self._first)))

    def every_sample(self) -> Iterator[Sample]:
        """Yield the samples in order, which reads those on disk several times as fast as one by one."""
        yield from self._first
        stored = zip(islice(self.ids, len(self._first), None), self._fields, strict=True)
        for place, (id_, fields) in enumerate(stored, len(self._first)):
            yield self._whole[place] if fields is None else self._from_fields(place, id_, fields)

    def _from_fields(self, place: int, id_: str, fields: tuple[Any, ...]) -> Sample:
        question, choices, answer, stored, groups, item = fields
        clips = self._clips[place] if stored is None else map(Path, stored)
        return Sample(id_, question, choices, answer, groups=groups, item=item, clips=clips)

    def clip_names(self, place: int) -> tuple[str, ...]:
        clips = self._clips[place] if place in self._clips else self.sample(place).clips
        return tuple(map(clip_name, clips))


def _clip_hashes(sample: Sample) -> set[int]:
    try:
        return {hash(clip_name(clip)) for clip in sample.clips}
    except Exception:  # someone else's clip, which is named again where it is heard
        return {0}


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
