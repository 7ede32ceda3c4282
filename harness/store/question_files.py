"""TASK.questions.jsonl beside TASK.jsonl, a line a question; each shard has its own, as with the records.

A question's line is written just before its first record. A run that was killed at any moment so has the question of
each of its answers, and at most one more.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.text_table import TextTable
from dtbench.harness.store.jsonl import QUESTIONS, RecordLine, read_lines
from dtbench.harness.store.question_types import QuestionRecord
from dtbench.harness.store.record_files import stem_of
from dtbench.harness.store.shards import files_of_shards

_TEXT = rb'"(?:[^"\\]|\\.)*"'
_HEAD = re.compile(
    rb'\{"id":(%b),"question_hash":"([0-9a-f]*)","place":(\d+),"clips":\[(?:\{"name":(?:null|%b),"hash":(null)?)?'
    % (_TEXT, _TEXT)
)


class QuestionHead(NamedTuple):
    """How the line of a question begins."""

    id: str
    question_hash: str
    place: int
    lacks_clip: bool
    """Whether its clip has not been read yet."""


def question_file(folder: Path, task: str) -> Path:
    """Return the task's file of questions; where shards wrote, theirs lie beside it."""
    return folder / f"{stem_of(task)}{QUESTIONS}"


def question_files(folder: Path, task: str) -> list[Path]:
    """Return the task's files of questions: of shards, then the plain one."""
    plain = question_file(folder, task)
    return [*files_of_shards(folder, stem_of(task), QUESTIONS), *([plain] if plain.exists() else [])]


def question_heads(folder: Path, task: str) -> Iterator[QuestionHead]:
    """Yield the beginning of each line, in the order of the files."""
    return (_head(line) for line in _lines(folder, task))


def read_questions(folder: Path, task: str) -> Iterator[QuestionRecord]:
    """Yield the last line of each question in the order of the data set; their texts wait on disk, not in memory."""
    lines = DiskList()
    places, numbers, paths = array("Q"), array("Q"), list[Path]()
    ids, last = TextTable(), array("Q")
    for line in _lines(folder, task):
        head = _head(line)
        number = ids.add(head.id)
        if number == len(last):
            last.append(len(lines))
        else:
            last[number] = len(lines)
        if not paths or paths[-1] != line.path:
            paths.append(line.path)
        lines.append((len(paths) - 1, line.body))
        places.append(head.place)
        numbers.append(line.number)
    del ids
    for entry in _by_place(last, places):
        path, body = lines.read(entry)
        yield RecordLine(paths[path], numbers[entry], body).record(QuestionRecord)


def _by_place(entries: array[int], places: array[int]) -> Iterable[int]:
    """Return entries in the order of their places, those of one place in their own."""
    most = max((places[entry] for entry in entries), default=0)
    if most < 4 * len(entries):  # each has a slot of its own, which takes less than a list of them
        slots = array("q", [-1]) * (most + 1)
        for entry in entries:
            if slots[places[entry]] >= 0:
                break
            slots[places[entry]] = entry
        else:
            return (entry for entry in slots if entry >= 0)
    return sorted(entries, key=lambda entry: (places[entry], entry))


def _lines(folder: Path, task: str) -> Iterator[RecordLine]:
    for path in question_files(folder, task):
        try:
            for line in read_lines(path, path.stat().st_size):
                if isinstance(line, RecordLine):  # else what a kill left of one, whose question has no answer
                    yield line
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None


def _head(line: RecordLine) -> QuestionHead:
    match = _HEAD.match(line.body)
    if match is None:
        raise DataError(
            f"{line.path}, line {line.number}: not a dtbench question. Remove the line: it is written again when the "
            f"run is resumed."
        )
    id_, hash_, place, lacking = match.groups()
    plain = json.loads(id_) if b"\\" in id_ else str(id_[1:-1], "utf-8")
    return QuestionHead(plain, hash_.decode(), int(place), lacking is not None)
