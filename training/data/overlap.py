"""Training data that overlaps a benchmark is refused: what was trained on says nothing when it is asked again.

A row overlaps where its clip is a benchmark's, sample for sample or as a copy of it, or where it asks a benchmark's
question. Many benchmarks put one question to many clips; only a question that one clip alone is asked is telling.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Clip, Sample
from dtbench.training.data.fingerprint import SAME, Fingerprint, difference, fingerprint
from dtbench.training.data.rows import TrainingRow

_WORD = re.compile(r"\w+")
LEAST_WORDS = 4
"""Of a question and its options together; fewer are told apart by nothing."""
CANDIDATES = 8
"""How many alignments of a clip are looked at closely."""


class Overlap(NamedTuple):
    """A row that a benchmark holds too."""

    row: str
    task: str
    question: str
    """The benchmark's id."""
    how: str
    """`same clip`, `copy of the clip`, or `same question`."""


@dataclass(slots=True)
class OverlapReport:
    """What was compared, and what was found."""

    overlaps: list[Overlap] = field(default_factory=list)
    rows: int = 0
    clips: int = 0
    """Of the benchmarks."""
    unheard: list[str] = field(default_factory=list)
    """What could not be heard, as `name: why`: of these, only the question was compared."""


class OverlapIndex:
    """What benchmarks hold, to hold training data against."""

    def __init__(self) -> None:
        self.clips = 0
        self.unheard: list[str] = []
        self._known: list[tuple[str, str, Fingerprint]] = []
        self._by_samples: dict[str, int] = {}
        self._questions: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._texts: Counter[str] = Counter()
        self._index: tuple[Any, Any, Any] | None = None

    def add(self, task: str, samples: Iterable[Sample], progress: Callable[[], None] = lambda: None) -> None:
        """Take in a benchmark: its questions, and its clips where they are there."""
        for sample in samples:
            self._questions[_asked(sample.question, sample.choices)].append((task, sample.id))
            self._texts[_plain(sample.question)] += 1
            print_ = self._heard(f"{task} {sample.id}", sample.audio)
            if print_ is not None and print_.exact not in self._by_samples:
                self._by_samples[print_.exact] = len(self._known)
                self._known.append((task, sample.id, print_))
            progress()
        self.clips = len(self._known)
        self._index = None

    def check(self, rows: Iterable[TrainingRow], progress: Callable[[], None] = lambda: None) -> OverlapReport:
        """Every overlap of the rows, a row's first by clip, then by question."""
        found = OverlapReport(clips=self.clips)
        heard: dict[Path, Overlap | None] = {}
        unheard_before = len(self.unheard)
        for row in rows:
            found.rows += 1
            if row.audio not in heard:
                heard[row.audio] = self._same_clip(row)
            by_clip = heard[row.audio]
            overlap = by_clip._replace(row=row.id) if by_clip else self._same_question(row)
            if overlap is not None:
                found.overlaps.append(overlap)
            progress()
        found.unheard = self.unheard[unheard_before:]
        return found

    def _heard(self, name: str, audio: Path | Clip) -> Fingerprint | None:
        try:
            return fingerprint(audio)
        except DataError as error:
            self.unheard.append(f"{name}: {error}")
            return None

    def _same_clip(self, row: TrainingRow) -> Overlap | None:
        print_ = self._heard(f"row {row.id}", row.audio)
        if print_ is None:
            return None
        known = self._by_samples.get(print_.exact)
        if known is not None:
            task, id_, _ = self._known[known]
            return Overlap(row.id, task, id_, "same clip")
        for place, offset in self._candidates(print_):
            task, id_, other = self._known[place]
            differing = difference(other, print_, offset)
            if differing is not None and differing < SAME:
                return Overlap(row.id, task, id_, "copy of the clip")
        return None

    def _candidates(self, print_: Fingerprint) -> Iterator[tuple[int, int]]:
        """Clips and alignments with the most moments in common, the most common first."""
        import numpy as np

        bits, clips, moments = self._indexed()
        wanted = np.flatnonzero(print_.sounding)
        left = np.searchsorted(bits, print_.bits[wanted], "left")
        right = np.searchsorted(bits, print_.bits[wanted], "right")
        votes: Counter[tuple[int, int]] = Counter()
        for moment, start, end in zip(wanted.tolist(), left.tolist(), right.tolist(), strict=True):
            if 0 < end - start <= _COMMON:
                votes.update(zip(clips[start:end].tolist(), (moments[start:end] - moment).tolist(), strict=True))
        return iter([pair for pair, _ in votes.most_common(CANDIDATES)])

    def _indexed(self) -> tuple[Any, Any, Any]:
        """Every moment of every clip, in the order of its bits."""
        import numpy as np

        if self._index is None:
            parts = [
                (one.bits[one.sounding], np.full(int(one.sounding.sum()), place), np.flatnonzero(one.sounding))
                for place, (_, _, one) in enumerate(self._known)
            ]
            empty = np.zeros(0, np.int64)
            columns = [np.concatenate([part[at] for part in parts]) if parts else empty for at in range(3)]
            order = np.argsort(columns[0], kind="stable")
            self._index = (columns[0][order], columns[1][order], columns[2][order])
        return self._index

    def _same_question(self, row: TrainingRow) -> Overlap | None:
        asked = _asked(row.question, row.choices)
        known = self._questions.get(asked, [])
        telling = len(known) == 1 and self._texts[_plain(row.question)] == 1 and len(asked.split()) >= LEAST_WORDS
        return Overlap(row.id, *known[0], "same question") if telling else None


_COMMON = 2000
"""Bits that so many moments share are those of hum or noise: they align nothing."""


def _plain(question: str) -> str:
    return " ".join(_WORD.findall(question.casefold()))


def _asked(question: str, choices: Sequence[str]) -> str:
    """A question with its options, whatever their order, case and signs."""
    return " ".join((_plain(question), *sorted(_plain(choice) for choice in choices)))
