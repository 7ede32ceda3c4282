"""Find training data that overlaps a benchmark: a model that was trained on a question says nothing when it is tested.

A row overlaps where its clip is a benchmark's, sample for sample or as a copy of it, or where it asks a benchmark's
question. Many benchmarks ask one question about many clips; only a question about a single clip counts.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.schema import Clip, Sample
from dtbench.tasks.registry import TASKS, get_task
from dtbench.training.data.fingerprint import MAX_DIFFERENCE, Fingerprint, bit_difference, fingerprint
from dtbench.training.data.rows import TrainingRow, write_lines

Item = TypeVar("Item")
_WORD = re.compile(r"\w+")
MIN_WORDS = 4
"""The least words of a question with its options; fewer are too common to count."""
MAX_CANDIDATES = 8
"""How many alignments of a clip are compared bit by bit."""
_COMMON = 2000
"""Bits that so many moments share are those of hum or noise: they align nothing."""


class Overlap(NamedTuple):
    """A row that a benchmark has too."""

    row: str
    task: str
    question: str
    """The id of the benchmark's question."""
    how: str
    """`same clip`, `copy of the clip`, or `same question`."""


class OverlapIndex:
    """The clips and questions of benchmarks, to compare training data with."""

    def __init__(self) -> None:
        self.clips = 0
        """How many clips can be compared."""
        self.undecoded: list[str] = []
        """Clips that could not be decoded, as `name: why`: of these, only the question is compared."""
        self._known: list[tuple[str, str, Fingerprint]] = []
        self._by_samples: dict[str, int] = {}
        self._questions: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._texts: Counter[str] = Counter()
        self._index: tuple[Any, Any, Any] | None = None

    def add(self, task: str, samples: Iterable[Sample]) -> None:
        """Add a benchmark: its questions, and its clips where they can be decoded."""
        for sample in samples:
            self._questions[_question_key(sample.question, sample.choices)].append((task, sample.id))
            self._texts[_plain(sample.question)] += 1
            for audio in sample.clips or (sample.audio,):
                clip = self._fingerprint(f"{task} {sample.id}", audio)
                if clip is not None and clip.exact not in self._by_samples:
                    self._by_samples[clip.exact] = len(self._known)
                    self._known.append((task, sample.id, clip))
        self.clips = len(self._known)
        self._index = None

    def add_clips(self, name: str, rows: Iterable[TrainingRow]) -> None:
        """Add the clips of other rows, whose questions may be asked about other clips."""
        for row in rows:
            clip = self._fingerprint(f"{name} {row.id}", row.audio)
            if clip is not None and clip.exact not in self._by_samples:
                self._by_samples[clip.exact] = len(self._known)
                self._known.append((name, row.id, clip))
        self.clips = len(self._known)
        self._index = None

    def check(self, rows: Iterable[TrainingRow]) -> list[Overlap]:
        """Compare rows with the benchmarks, each by its clip first, then by its question."""
        overlaps: list[Overlap] = []
        by_clip: dict[Path, Overlap | None] = {}
        for row in rows:
            if row.audio not in by_clip:
                by_clip[row.audio] = self._same_clip(row)
            same = by_clip[row.audio]
            if same is not None:
                overlaps.append(same._replace(row=row.id))
                continue
            key = _question_key(row.question, row.choices)
            known = self._questions.get(key, [])
            if len(known) == 1 and self._texts[_plain(row.question)] == 1 and len(key.split()) >= MIN_WORDS:
                overlaps.append(Overlap(row.id, *known[0], "same question"))
        return overlaps

    def _fingerprint(self, name: str, audio: Path | Clip) -> Fingerprint | None:
        try:
            return fingerprint(audio)
        except DataError as error:
            self.undecoded.append(f"{name}: {error}")
            return None

    def _same_clip(self, row: TrainingRow) -> Overlap | None:
        clip = self._fingerprint(f"row {row.id}", row.audio)
        if clip is None:
            return None
        known = self._by_samples.get(clip.exact)
        if known is not None:
            task, id_, _ = self._known[known]
            return Overlap(row.id, task, id_, "same clip")
        for place, offset in self._candidates(clip):
            task, id_, other = self._known[place]
            differing = bit_difference(other, clip, offset)
            if differing is not None and differing < MAX_DIFFERENCE:
                return Overlap(row.id, task, id_, "copy of the clip")
        return None

    def _candidates(self, clip: Fingerprint) -> Iterator[tuple[int, int]]:
        """Clips and alignments by the moments that they have in common, the most first."""
        import numpy as np

        bits, clips, moments = self._sorted_moments()
        sounding = np.flatnonzero(clip.sounding)
        left = np.searchsorted(bits, clip.bits[sounding], "left")
        right = np.searchsorted(bits, clip.bits[sounding], "right")
        votes: Counter[tuple[int, int]] = Counter()
        for moment, start, end in zip(sounding.tolist(), left.tolist(), right.tolist(), strict=True):
            if 0 < end - start <= _COMMON:
                votes.update(zip(clips[start:end].tolist(), (moments[start:end] - moment).tolist(), strict=True))
        return iter([pair for pair, _ in votes.most_common(MAX_CANDIDATES)])

    def _sorted_moments(self) -> tuple[Any, Any, Any]:
        """Return every moment of every clip, sorted by its bits."""
        import numpy as np

        if self._index is None:
            parts = [
                (clip.bits[clip.sounding], np.full(int(clip.sounding.sum()), index), np.flatnonzero(clip.sounding))
                for index, (_, _, clip) in enumerate(self._known)
            ]
            empty = np.zeros(0, np.int64)
            columns = [np.concatenate([part[i] for part in parts]) if parts else empty for i in range(3)]
            order = np.argsort(columns[0], kind="stable")
            self._index = (columns[0][order], columns[1][order], columns[2][order])
        return self._index


def _plain(question: str) -> str:
    return " ".join(_WORD.findall(question.casefold()))


def _question_key(question: str, choices: Sequence[str]) -> str:
    """Normalize a question and its options: their order, case and punctuation make no difference."""
    return " ".join((_plain(question), *sorted(_plain(choice) for choice in choices)))


FOUND, NONE = "found", "none"
BENCHMARKS = tuple(name for name in TASKS if not name.startswith("mini"))
"""What nobody may train on; mini is not among them, as it has splits for training."""
SHOWN = 3
DEV_SPLIT = "dev split"
"""How its clips are named beside those of benchmarks."""


def check_overlap(
    rows: Sequence[TrainingRow],
    against: str,
    data_dir: Path | None,
    listing: Path,
    *,
    dev: Sequence[TrainingRow] = (),
    progress: Callable[[int, int], None] = lambda done, expected: None,
) -> list[str]:
    """Return notes on what was compared; a DataError where rows overlap a benchmark, all of them in the listing.

    Rows of a dev split are compared with the benchmarks too, and the others with their clips.
    `progress` is called with how many clips of how many were listened to.
    """
    datasets, notes = _load_benchmarks(against, data_dir)
    if not datasets and not dev:
        return notes
    index, done = OverlapIndex(), itertools.count(1)
    expected = len(rows) + 2 * len(dev) + sum(len(dataset.samples) for dataset in datasets.values())

    def counted(clips: Iterable[Item]) -> Iterator[Item]:
        for clip in clips:
            yield clip
            progress(next(done), expected)

    for name, dataset in datasets.items():
        index.add(name, counted(dataset.samples))
    overlaps = index.check(counted(dev))
    index.add_clips(DEV_SPLIT, counted(dev))
    if overlaps := [*overlaps, *index.check(counted(rows))]:
        write_lines(listing, (overlap._asdict() for overlap in overlaps))
        shown = ", ".join(f"{o.row} ({o.how} as {o.task} {o.question})" for o in overlaps[:SHOWN])
        also = " or the dev split" if dev else ""
        raise DataError(
            f"{len(overlaps)} of {len(rows) + len(dev)} rows overlap a benchmark{also}, such as {shown}. All are "
            f"listed in {listing}: remove them from the data."
        )
    compared = ", ".join([*datasets, *([DEV_SPLIT] if dev else [])])
    notes.append(f"overlap: none of {len(rows)} rows with {compared} ({index.clips} clips)")
    if index.undecoded:
        notes.append(
            f"overlap: {len(index.undecoded)} clips could not be decoded, so only their questions were compared "
            f"(first: {index.undecoded[0]})"
        )
    return notes


def _load_benchmarks(against: str, data_dir: Path | None) -> tuple[dict[str, Dataset], list[str]]:
    """Load the benchmarks that a user names, or all whose data is here, with a note on each that is not."""
    if against == NONE:
        return {}, ["overlap: not checked (--against none)"]
    if data_dir is not None and not data_dir.is_dir():
        raise UserError(f"--data-dir {data_dir}: there is no such folder.")
    named = [name.strip() for name in against.split(",") if name.strip()]
    if not named:
        raise UserError(f"--against {against!r}: benchmark names, {FOUND} or {NONE} is expected.")
    if against != FOUND:
        tasks = [get_task(name) for name in named]
        return {task.name: task.load(data_dir) for task in tasks}, []
    datasets, lacking = {}, []
    for name in BENCHMARKS:
        try:
            datasets[name] = get_task(name).load(data_dir)
        except DataError:
            lacking.append(name)
    if not lacking:
        return datasets, []
    return datasets, [f"overlap: not checked, as their data was not found (`dtbench data pull`): {', '.join(lacking)}"]
