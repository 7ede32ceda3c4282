"""Paraphrased questions: the file of `dtbench run --paraphrase`, and its copy in each run that was asked with it.

A line is a JSON object: `id`, and `question`, `choices` or both in other words. A question may have several lines. The
options of a paraphrase stand in the order of the data set's, so that the right one is known by its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, UserError, why_unreadable
from dtbench.harness.store.atomic import replace_whole

COPY = "paraphrases.ndjson"
"""In a run folder: no name that a task's file has."""


class Paraphrase(NamedTuple):
    """A question in other words."""

    question: str | None
    """None where it stays as it is."""
    choices: tuple[str, ...] | None
    """None where they stay as they are."""


@dataclass(frozen=True, slots=True)
class ParaphraseFile:
    """All paraphrases of a file."""

    content: bytes
    by_id: Mapping[str, Sequence[Paraphrase]]

    @property
    def sha256(self) -> str:
        """Return the hash of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def most(self) -> int:
        """Return how many paraphrases a question has at most."""
        return max(map(len, self.by_id.values()))

    def numbered(self, number: int) -> dict[str, Paraphrase]:
        """Return the paraphrase with this number, from 1, of each question that has so many."""
        return {id_: each[number - 1] for id_, each in self.by_id.items() if len(each) >= number}


def read_paraphrases(path: Path) -> ParaphraseFile:
    """Read a file of paraphrases; a UserError says which line is wrong."""
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"--paraphrase {path}: {why_unreadable(error)}.") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"--paraphrase {path}: not UTF-8 text (byte {error.start}); is it another kind of file?"
        ) from None
    by_id: dict[str, list[Paraphrase]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"--paraphrase {path}, line {number}"
            id_, paraphrase = _parse(line, where)
            there = by_id.setdefault(id_, [])
            if paraphrase in there:
                raise UserError(
                    f"{where}: the same paraphrase of {id_!r} is already on an earlier line: leave one out."
                )
            there.append(paraphrase)
    if not by_id:
        raise UserError(
            f"--paraphrase {path}: there is no paraphrase in it; "
            'a line for each is expected, such as {"id": "...", "question": "..."}.'
        )
    return ParaphraseFile(content, by_id)


def _parse(line: str, where: str) -> tuple[str, Paraphrase]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(f'{where}: not JSON; {{"id": "...", "question": "..."}} is expected.') from None
    if not isinstance(row, dict):
        raise UserError(f'{where}: a JSON object is expected, such as {{"id": "...", "question": "..."}}.')
    id_, question, choices = (row.get(name) for name in ("id", "question", "choices"))
    if not isinstance(id_, str) or not id_:
        raise UserError(f"{where}: id is {json.dumps(id_)}, the id of a question is expected, as a text.")
    if question is None and choices is None:
        raise UserError(f"{where}: question and choices are missing; one of them is expected in other words.")
    if question is not None and (not isinstance(question, str) or not question.strip()):
        raise UserError(f"{where}: the question of {id_!r} is {json.dumps(question)}, a text is expected.")
    return id_, Paraphrase(question, None if choices is None else _options(choices, id_, where))


def _options(choices: Any, id_: str, where: str) -> tuple[str, ...]:
    if not isinstance(choices, list) or not all(isinstance(one, str) and one.strip() for one in choices):
        raise UserError(f"{where}: choices of {id_!r} are {json.dumps(choices)[:200]}, a list of texts is expected.")
    if len({one.strip() for one in choices}) < len(choices):
        raise UserError(f"{where}: two choices of {id_!r} are the same, so that no answer could tell them apart.")
    return tuple(choices)


def keep_paraphrases(folder: Path, given: ParaphraseFile) -> None:
    """Copy a file of paraphrases into a run folder, unless it is there."""
    path = folder / COPY
    if not path.exists() or path.read_bytes() != given.content:
        replace_whole(path, given.content)


@lru_cache(maxsize=32)
def kept_paraphrases(folder: Path, sha256: str, number: int) -> Mapping[str, Paraphrase]:
    """Return the paraphrases that a run was asked with; a DataError where their file is not what it was."""
    path = folder / COPY
    try:
        found = read_paraphrases(path)
    except UserError as error:
        raise DataError(f"the run was asked in other words, and they are gone: {error}") from None
    if found.sha256 != sha256:
        raise DataError(f"{path}: this is another file than the run was asked with (sha256 {sha256[:12]}).")
    return found.numbered(number)
