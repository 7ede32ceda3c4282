"""Prediction files: every format and key name in use, each record with its place in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.errors import DataError, UserError
from dtbench.harness.records import Record, read_json_parts
from dtbench.harness.schema import Sample
from dtbench.harness.score import MISSING
from dtbench.harness.task import Task

Parts = Sequence[Record | DataError]
COMPARED = ("question", "choices", "answer", "choice_a", "choice_b", "choice_c", "choice_d", "answer_gt")


class Row(NamedTuple):
    """One record of a prediction file, joined with its item where the metadata is given."""

    number: int
    """Its place among the records of the file, from 0."""
    where: str
    id: str | None
    item: Mapping[str, Any] | None
    """None where the line is no record."""
    prediction: object
    """MISSING where the record does not have the key."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """The records of a file, in order, and what a reader of the scores should know of them."""

    rows: Sequence[Row]
    key: str
    """The name under which the predictions were found."""
    absent: Sequence[Mapping[str, Any]]
    """Items of the metadata that the file has no record for."""
    version: str | None
    """The version of the data, where metadata was given to tell it."""
    notes: tuple[str, ...]


def read_predictions(task: Task, path: Path, metadata: Path | None, *, allow_duplicates: bool = False) -> Predictions:
    """Read a file of predictions; with metadata, questions and answers are taken from there, by id."""
    parts = _parts(task, path)
    records = [part for part in parts if isinstance(part, Record)]
    key, notes = _prediction_key(task, path, records)
    notes += _repeated_ids(path, records, allow_duplicates=allow_duplicates)
    if metadata is None:
        rows = [_row(number, part, key) for number, part in enumerate(parts)]
        return Predictions(rows, key, (), None, tuple(notes))
    data = task.load(metadata)
    samples = {sample.id: sample for sample in data.samples}
    _refuse_unknown_ids(path, records, samples, metadata)
    notes += _differences(records, samples)
    rows = [_row(number, part, key, samples) for number, part in enumerate(parts)]
    answered = {row.id for row in rows}
    absent = [sample.item for sample in data.samples if sample.id not in answered]
    return Predictions(rows, key, absent, data.version, tuple(notes))


def _parts(task: Task, path: Path) -> Parts:
    if not path.exists():
        raise UserError(f"--predictions {path}: there is no such file.")
    if path.is_dir():
        raise UserError(f"--predictions {path}: this is a folder; a JSON file or JSON lines is expected.")
    parts = read_json_parts(path)
    broken = [part for part in parts if isinstance(part, DataError)]
    if len(broken) == len(parts):
        expected = "a JSON list or JSON lines of records is expected"
        raise UserError(
            f"{path}: there is no record in it; {expected}." if not broken else f"{broken[0]} In all, {expected}."
        )
    if broken and not task.skips_broken_lines:
        raise broken[0]
    return parts


def _prediction_key(task: Task, path: Path, records: Sequence[Record]) -> tuple[str, list[str]]:
    present = Counter(key for record in records for key in record.item)
    known = [key for key in task.prediction_keys if key in present]
    if not known:
        keys = ", ".join(present) or "none"
        expected = " or ".join(task.prediction_keys)
        raise UserError(f"{path}: no record holds a prediction: expected is the key {expected}; there are: {keys}.")
    others = [f"{other} ({present[other]} records)" for other in known[1:]]
    return known[0], [f"read from {known[0]}, not from {', '.join(others)}"] if others else []


def _repeated_ids(path: Path, records: Iterable[Record], *, allow_duplicates: bool) -> list[str]:
    places: dict[object, list[str]] = {}
    for record in records:
        id_ = record.item.get("id")
        if isinstance(id_, str | int):
            places.setdefault(id_, []).append(record.where.rpartition(": ")[2])
    repeated = {id_: where for id_, where in places.items() if len(where) > 1}
    if not repeated:
        return []
    first, where = next(iter(repeated.items()))
    if not allow_duplicates:
        raise UserError(
            f"{path}: {len(repeated)} ids stand there more than once (first: {first!r}, {' and '.join(where[:3])}). "
            f"Remove the extra records, or score record by record as the official script does: --allow-duplicates."
        )
    return [f"{len(repeated)} ids stand there more than once: every record is scored, as by the official script"]


def _refuse_unknown_ids(path: Path, records: Sequence[Record], samples: Mapping[str, Sample], metadata: Path) -> None:
    unknown = [record for record in records if record.item.get("id") not in samples]
    if unknown:
        first = unknown[0]
        named = f"id {first.item['id']!r}" if "id" in first.item else "no id"
        raise UserError(
            f"{first.where}: {named}: {len(unknown)} of {len(records)} records have no item in {metadata}. "
            f"Score them with the metadata that they were made from."
        )


def _differences(records: Iterable[Record], samples: Mapping[str, Sample]) -> list[str]:
    """Records may carry the question along; where it is another one, that is told."""
    other = [
        record.item["id"]
        for record in records
        if any(key in record.item and record.item[key] != samples[record.item["id"]].item.get(key) for key in COMPARED)
    ]
    if not other:
        return []
    return [
        f"{len(other)} records hold another question, options or answer than the metadata (first: {other[0]!r}): "
        f"the metadata's were used; the predictions may be for another version"
    ]


def _row(number: int, part: Record | DataError, key: str, samples: Mapping[str, Sample] | None = None) -> Row:
    if isinstance(part, DataError):
        return Row(number, str(part), None, None, MISSING)
    id_ = part.item.get("id")
    item = part.item if samples is None else samples[part.item["id"]].item
    return Row(number, part.where, None if id_ is None else str(id_), item, part.item.get(key, MISSING))
