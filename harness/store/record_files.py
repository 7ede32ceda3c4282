"""The files of a task's records, and what is read of them while others may be appending."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DataError, UserError, one_line
from dtbench.harness.store.jsonl import QUESTIONS, Key, RecordLine, TornLine, read_lines
from dtbench.harness.store.shards import LABEL, record_files

_NAME = re.compile(r"[\w+-][\w.+-]{0,120}")


class FilePart(NamedTuple):
    """A file of records, as long as it was when it was looked at."""

    path: Path
    end: int
    """How many bytes of it are read."""
    changed: int = 0
    """When it was changed, in nanoseconds."""


def stem_of(task: str) -> str:
    """Return the beginning of the names of a task's files; a UserError for a task whose name cannot be one."""
    plain = task.replace(":", ".")  # as in lm_eval:NAME; not every file system takes a colon
    if not _NAME.fullmatch(plain):
        allowed = "letters, digits, _ . + and - are allowed, and no dot in front"
        raise UserError(f"task {one_line(task)!r}: its name cannot name a file of records: {allowed}.")
    if plain.endswith(QUESTIONS.removesuffix(".jsonl")):
        raise UserError(f"task {one_line(task)!r}: a name that ends so is a file of questions: give it another name.")
    if LABEL.fullmatch(plain.rpartition(".")[2]):
        raise UserError(f"task {one_line(task)!r}: a name that ends so is the file of a shard: give it another name.")
    return plain


def file_parts(folder: Path, task: str) -> list[FilePart]:
    """Return the task's files of records, as long as they are now."""
    paths = record_files(folder, stem_of(task))
    try:
        found = [(path, path.stat()) for path in paths]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from None
    return [FilePart(path, stat.st_size, stat.st_mtime_ns) for path, stat in found]


def read_parts(parts: Sequence[FilePart]) -> Iterator[tuple[Path, RecordLine | TornLine]]:
    """Yield the lines of files of records, each with its file."""
    for path, end, _ in parts:
        try:
            for line in read_lines(path, end):
                yield path, line
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None


def stored_keys(folder: Path, task: str) -> set[Key]:
    """Return the key of each record, also of those that failed or were not asked for last."""
    return {line.key() for _, line in read_parts(file_parts(folder, task)) if isinstance(line, RecordLine)}
