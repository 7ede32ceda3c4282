"""What every converter does: finding clips by name, counting what makes no row, putting options in an order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DataError, UserError, did_you_mean
from dtbench.training.data.rows import TrainingRow

ENDINGS = frozenset((".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".mp4", ".webm"))
CONVERTERS = {
    "avqa": "dtbench.training.data.converters.avqa:rows",
    "audiomcq": "dtbench.training.data.converters.audiomcq:rows",
    "musicbench": "dtbench.training.data.converters.musicbench:rows",
    "iemocap": "dtbench.training.data.converters.iemocap:rows",
    "music-avqa": "dtbench.training.data.converters.music_avqa:rows",
}


class Skipped(NamedTuple):
    """An item that makes no row, and why."""

    why: str


@dataclass(slots=True)
class Converted:
    """The rows of a data set, and what is not among them."""

    rows: list[TrainingRow] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def drafts(self) -> int:
        """How many rows lack a question or a chain, which `dtbench cot` writes."""
        return sum(not (row.question and row.chain) for row in self.rows)


class Clips:
    """The clips below a folder, by name without ending."""

    def __init__(self, folder: Path) -> None:
        self._by_name: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in ENDINGS:
                self._by_name.setdefault(path.stem, path)

    def find(self, *names: str) -> Path | None:
        """The first of these names that is there."""
        return next((self._by_name[name] for name in names if name in self._by_name), None)


def convert(name: str, folder: Path) -> Converted:
    """The rows of a data set in a folder; a DataError where its files are not there."""
    import importlib

    if name not in CONVERTERS:
        raise UserError(f"{name}: no converter is known. {did_you_mean(name, CONVERTERS)}")
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder.")
    module, _, attribute = CONVERTERS[name].partition(":")
    found: Callable[[Path], Iterator[TrainingRow | Skipped]] = getattr(importlib.import_module(module), attribute)
    converted = Converted()
    ids: set[str] = set()
    for row in found(folder):
        if isinstance(row, Skipped):
            converted.skipped[row.why] += 1
        elif row.id in ids:
            converted.skipped["its id was there before"] += 1
        else:
            ids.add(row.id)
            converted.rows.append(row)
    if not converted.rows:
        why = ", ".join(f"{count} {name}" for name, count in converted.skipped.most_common(3))
        raise DataError(f"{folder}: no row could be made ({why or 'no items'}).")
    return converted


def the_files(folder: Path, patterns: Sequence[str], what: str) -> list[Path]:
    """The files of the first pattern that any fits; a DataError where none does."""
    for pattern in patterns:
        if files := sorted(path for path in folder.glob(pattern) if path.is_file()):
            return files
    raise DataError(f"{folder}: this is no {what}: looked for {', '.join(patterns)}.")


def shuffled(options: Iterable[str], seed: str) -> tuple[str, ...]:
    """The options in an order that follows from a text alone."""
    mixed = list(options)
    random.Random(seed).shuffle(mixed)
    return tuple(mixed)


def with_others(answer: str, others: Iterable[str], seed: str, count: int = 4) -> tuple[str, ...]:
    """The answer among others, drawn from a text alone."""
    pool = sorted({other for other in others if other.casefold() != answer.casefold()})
    return shuffled((answer, *random.Random(f"{seed} others").sample(pool, min(count - 1, len(pool)))), seed)


def heard_not_seen(question: str) -> str:
    """A question about a video put about what is heard of it, as those did who trained on it before."""
    words: Mapping[str, str] = {"video": "recording", "Video": "Recording", "videos": "recordings"}
    return " ".join(_replaced(word, words) for word in question.split())


def _replaced(word: str, words: Mapping[str, str]) -> str:
    bare = word.strip("?.,!:;'\"")
    return word.replace(bare, words[bare]) if bare in words else word
