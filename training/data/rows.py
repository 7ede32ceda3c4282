"""Training rows, and their file: JSON lines, a row each.

{"id": "a1", "audio": "clips/a1.wav", "question": "Which bird calls?", "choices": ["Crow", "Jay"], "answer": "Jay",
 "chain": "A harsh call, twice ...", "source": "avqa", "extra": {"groups": {"type": "Which"}}}

`audio` starts from the folder of the file. A folder of `datasets` is read like a file (dataset_folder.py). A draft is a
row whose question or chain is still to be written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.output_paths import refuse_no_folder
from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.harness.core.schema import Sample
from dtbench.harness.store.atomic import replace_whole, write_failure
from dtbench.harness.store.types import Status
from dtbench.training.data.dataset_folder import dataset_records, is_dataset_folder

FIELDS = ("id", "audio", "question", "choices", "answer", "chain", "source")


@dataclass(frozen=True, slots=True)
class RowsResult:
    """How a command that writes training rows ended."""

    status: Status
    exit_code: int
    report: Mapping[str, Any]
    """What `--json` prints: `rows`, the file of rows, `status`, and what became of what was read."""


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A question of the training data: a clip, options, the answer, and a chain of thought that leads to it."""

    id: str
    audio: Path
    question: str
    choices: tuple[str, ...]
    answer: str
    """The right option, verbatim from the choices."""
    chain: str = ""
    """The reference chain of thought; empty where there is none yet."""
    source: str = ""
    """The data set that it comes from."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Other facts, such as the true sounds of a generated clip; a model is shown none of them."""

    def sample(self) -> Sample:
        """Return the row as tasks score it."""
        item = {"id": self.id, "question": self.question, "choices": list(self.choices), "answer": self.answer}
        return Sample(self.id, self.question, self.choices, self.answer, self.audio, item={**self.extra, **item})


def refuse_other_rows(out: Path) -> None:
    """Raise a UserError where no folder of rows can be: a file, or the folder of a run or a training."""
    refuse_no_folder("--out", out)
    for made, file in (("run", "run.json"), ("train", "train.json")):
        if (out / file).exists():
            raise UserError(f"--out {out}: `dtbench {made}` made this folder; name another --out.")


def read_rows(path: Path, *, drafts: bool = False) -> Iterator[TrainingRow]:
    """Yield the rows of a file or of a folder of `datasets`; a DataError for one that cannot be trained on.

    Drafts are allowed where that is asked for.
    """
    is_folder = is_dataset_folder(path)
    if not path.is_file() and not is_folder:
        what = "this folder was not saved by datasets" if path.is_dir() else "there is no such file"
        raise UserError(f"{path}: {what}; training data is JSON lines with {', '.join(FIELDS)}.")
    first_places: dict[str, str] = {}
    for record in dataset_records(path) if is_folder else read_json(path):
        row = _parse_row(record, path if is_folder else path.parent, drafts=drafts)
        if (first := first_places.setdefault(row.id, record.where)) != record.where:
            raise record.wrong(f"duplicate id {row.id!r} (first: {first}); ids must be unique")
        yield row
    if not first_places:
        raise DataError(f"{path}: no row in this {'folder' if is_folder else 'file'}.")


def _parse_row(record: MetadataRecord, folder: Path, *, drafts: bool) -> TrainingRow:
    question = _text(record, "question", drafts)
    choices = () if drafts and not record.item.get("choices") else record.texts("choices")
    answer = _text(record, "answer", drafts)
    if question and (len(set(choices)) < 2 or len(set(choices)) < len(choices)):
        raise record.wrong(f"'choices' must be two or more different texts, found {list(choices)}")
    if question and answer not in choices:
        raise record.wrong(f"the answer {answer!r} is none of the choices {list(choices)}")
    extra = record.item.get("extra", {})
    if not isinstance(extra, dict):
        raise record.wrong("'extra' must be an object")
    return TrainingRow(
        id=record.text("id"),
        audio=folder / record.text("audio"),
        question=question,
        choices=choices,
        answer=answer,
        chain=_text(record, "chain", drafts=True),
        source=record.text("source"),
        extra=extra,
    )


def _text(record: MetadataRecord, name: str, drafts: bool) -> str:
    if drafts and record.item.get(name) is None:
        return ""
    text = record.text(name)
    if not text.strip() and not drafts:
        raise record.wrong(f"{name!r} is empty")
    return text


def row_as_json(row: TrainingRow, folder: Path | None = None) -> dict[str, Any]:
    """Return a row as a file in that folder stores it; without one, with the path of its clip as it is."""
    content: dict[str, Any] = {name: getattr(row, name) for name in FIELDS}
    audio = str(row.audio) if folder is None else os.path.relpath(row.audio, folder)
    content |= {"audio": audio, "choices": list(row.choices)}
    return {**content, "extra": dict(row.extra)} if row.extra else content


def write_rows(path: Path, rows: Iterable[TrainingRow]) -> int:
    """Write a file of rows, completely or not at all; return their number."""
    return write_lines(path, (row_as_json(row, path.parent) for row in rows))


def write_lines(path: Path, objects: Iterable[Mapping[str, Any]]) -> int:
    """Write objects as JSON lines, completely or not at all; return their number."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failure(path, error) from error
    lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in objects]
    # Half of a surrogate pair, which no encoding can write, becomes JSON's own escape.
    replace_whole(path, "".join(lines).encode("utf-8", "backslashreplace"))
    return len(lines)
