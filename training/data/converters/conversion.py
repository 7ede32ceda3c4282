"""What converters share: find clips by name, count items that make no row, order options."""

from __future__ import annotations

import csv
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
    "avqa": "dtbench.training.data.converters.avqa:avqa_rows",
    "audiomcq": "dtbench.training.data.converters.audiomcq:audiomcq_rows",
    "musicbench": "dtbench.training.data.converters.musicbench:musicbench_rows",
    "iemocap": "dtbench.training.data.converters.iemocap:iemocap_rows",
    "music-avqa": "dtbench.training.data.converters.music_avqa:music_avqa_rows",
    "audioset": "dtbench.training.data.converters.audioset:audioset_rows",
    "magnatagatune": "dtbench.training.data.converters.magnatagatune:magnatagatune_rows",
    "switchboard": "dtbench.training.data.converters.switchboard:switchboard_rows",
    "cochlscene": "dtbench.training.data.converters.cochlscene:cochlscene_rows",
}


class Skipped(NamedTuple):
    """An item that makes no row, with the reason."""

    why: str


@dataclass(slots=True)
class Conversion:
    """The rows of a data set, and the reasons why items made none."""

    rows: list[TrainingRow] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def drafts(self) -> int:
        """The number of rows without a question or a chain, which `dtbench cot` writes."""
        return sum(not (row.question and row.chain) for row in self.rows)


class ClipIndex:
    """The clips below a folder, by name without suffix."""

    def __init__(self, folder: Path) -> None:
        self._by_name: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in ENDINGS:
                self._by_name.setdefault(path.stem, path)

    def find(self, *names: str) -> Path | None:
        """Return the clip of the first name that has one."""
        return next((self._by_name[name] for name in names if name in self._by_name), None)


def convert_dataset(name: str, folder: Path) -> Conversion:
    """Convert a data set in a folder; a DataError where its files are missing."""
    import importlib

    if name not in CONVERTERS:
        raise UserError(f"{name}: no converter is known. {did_you_mean(name, CONVERTERS)}")
    if not folder.is_dir():
        raise UserError(
            f"{folder}: {'this is a file' if folder.exists() else 'there is no such folder'}; name a folder."
        )
    module, _, attribute = CONVERTERS[name].partition(":")
    converter: Callable[[Path], Iterator[TrainingRow | Skipped]] = getattr(importlib.import_module(module), attribute)
    conversion = Conversion()
    ids: set[str] = set()
    for row in converter(folder):
        if isinstance(row, Skipped):
            conversion.skipped[row.why] += 1
        elif row.id in ids:
            conversion.skipped["its id was there before"] += 1
        else:
            ids.add(row.id)
            conversion.rows.append(row)
    if not conversion.rows:
        why = ", ".join(f"{count} {name}" for name, count in conversion.skipped.most_common(3))
        raise DataError(f"{folder}: no row could be made ({why or 'no items'}).")
    return conversion


def find_files(folder: Path, patterns: Sequence[str], what: str) -> list[Path]:
    """Return the files of the first pattern that matches any; a DataError where none does."""
    for pattern in patterns:
        if files := sorted(path for path in folder.glob(pattern) if path.is_file()):
            return files
    raise DataError(f"{folder}: this is no {what}: looked for {', '.join(patterns)}.")


def read_cells(file: Path, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield where each line of a table is, and its cells; a DataError where it is not text."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == ",", strict=True)
            for cells in reader:
                if cells:
                    yield f"{file}, line {reader.line_num}", cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read ({error}).") from None


def labels_note(labels: Iterable[str]) -> str:
    """Write labels as a note on a clip, which `dtbench cot` puts beside what its captioner hears."""
    return f"Listeners gave it these labels, and may have left out others: {', '.join(labels)}."


def seeded_shuffle(options: Iterable[str], seed: str) -> tuple[str, ...]:
    """Return the options in an order that depends on the seed alone."""
    mixed = list(options)
    random.Random(seed).shuffle(mixed)
    return tuple(mixed)


def with_distractors(answer: str, others: Iterable[str], seed: str, count: int = 4) -> tuple[str, ...]:
    """Return the answer among distractors, drawn by the seed alone."""
    pool = sorted({other for other in others if other.casefold() != answer.casefold()})
    return seeded_shuffle((answer, *random.Random(f"{seed} others").sample(pool, min(count - 1, len(pool)))), seed)


def ask_about_audio(question: str) -> str:
    """Reword a question about a video into one about its recording, as earlier work on this data did."""
    words: Mapping[str, str] = {"video": "recording", "Video": "Recording", "videos": "recordings"}
    return " ".join(_replaced(word, words) for word in question.split())


def _replaced(word: str, words: Mapping[str, str]) -> str:
    bare = word.strip("?.,!:;'\"")
    return word.replace(bare, words[bare]) if bare in words else word
