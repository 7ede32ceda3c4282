"""Prediction files: every format and key name in use, each record with its place in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, DtbenchError, TaskError, UserError, format_error
from dtbench.harness.core.records import MetadataRecord, SkippedEntry, read_json_content
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.core.task import Task
from dtbench.harness.score.official import MISSING
from dtbench.harness.score.script_file import ScriptFile, loses_first_line, script_notes

Parts = Sequence[MetadataRecord | DataError]
Items = Mapping[str | None, Mapping[str, Any]]
MOST_BYTES = 2 << 30
"""The largest prediction file that is read, and all of it is in memory then."""
EXPECTED = "A JSON list or JSON lines of records is expected."
COMPARED = ("question", "choices", "answer", "choice_a", "choice_b", "choice_c", "choice_d", "answer_gt")


class PredictionRow(NamedTuple):
    """One record of a prediction file, joined with its item where the metadata is given."""

    number: int
    """Its place among the records of the file, from 0."""
    where: str
    id: str | None
    item: Mapping[str, Any] | None
    """None where the line is not a record."""
    prediction: object
    """MISSING where the record does not have the key."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """The records of a file, in order, and what a reader of the scores should know of them."""

    rows: Sequence[PredictionRow]
    key: str
    """The name under which the predictions were found."""
    absent: int
    """How many items of the metadata the file has no record for."""
    version: str | None
    """The version of the data, where the metadata or the records themselves name it."""
    notes: tuple[str, ...]
    script_notes: tuple[str, ...] = ()
    """Where the benchmark's own script reads less of the file, or stops at it."""


def read_predictions(task: Task, path: Path, metadata: Path | None, *, allow_duplicates: bool = False) -> Predictions:
    """Read a file of predictions; with metadata, questions and answers are taken from there, by id."""
    content = _content(path)
    parts = _parts(task, path, content)
    key = _prediction_key(task, path, [part for part in parts if isinstance(part, MetadataRecord)])
    has_broken = any(isinstance(part, DataError) for part in parts)
    script = tuple(script_notes(task, key, ScriptFile(path, content, has_broken)))
    file = _PredictionFile(path, parts, key)
    data = None if metadata is None else _load(task, metadata)
    return _joined(task, file, data, allow_duplicates=allow_duplicates, metadata=metadata, script=script)


def given_predictions(
    task: Task, rows: Iterable[Mapping[str, Any]], data: Dataset | None, *, allow_duplicates: bool = False
) -> Predictions:
    """Take rows for the records of a file of predictions; with data, questions and answers are taken from there."""
    name = Path("rows")
    parts = [MetadataRecord(f"{name}: row {number}", dict(row)) for number, row in enumerate(rows)]
    if not parts:
        raise UserError("predictions: there is no row.")
    file = _PredictionFile(name, parts, _prediction_key(task, name, parts))
    return _joined(task, file, data, allow_duplicates=allow_duplicates)


class _PredictionFile(NamedTuple):
    path: Path
    parts: Parts
    key: str


def _joined(
    task: Task,
    file: _PredictionFile,
    data: Dataset | None,
    *,
    allow_duplicates: bool,
    metadata: Path | None = None,
    script: tuple[str, ...] = (),
) -> Predictions:
    path, parts, key = file
    records = [part for part in parts if isinstance(part, MetadataRecord)]
    notes = _other_keys(task, key, records)
    notes += _repeated_ids(path, records, allow_duplicates=allow_duplicates)
    if data is None:
        rows = [_row(number, part, key) for number, part in enumerate(parts)]
        return Predictions(rows, key, 0, task.version_of([record.item for record in records]), tuple(notes), script)
    items: Items = {sample.id: sample.as_published() for sample in data.samples}
    _refuse_unknown_ids(records, items, metadata or Path(data.source))
    notes += _differences(records, items)
    rows = [_row(number, part, key, items) for number, part in enumerate(parts)]
    absent = len(items.keys() - {row.id for row in rows})
    return Predictions(rows, key, absent, data.version, tuple(notes), script)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"--predictions {path}: larger than {MOST_BYTES >> 30} GB, which is the most that is read.")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"--predictions {path}: there is no such file.") from None
    except IsADirectoryError:
        raise UserError(f"--predictions {path}: this is a folder. {EXPECTED}") from None
    except OSError as error:
        raise UserError(f"--predictions {path}: cannot be read ({error.strerror}).") from None


def _parts(scorer: Scorer, path: Path, content: bytes) -> Parts:
    try:
        parts = list(read_json_content(path, content))
    except DataError as error:
        raise UserError(f"--predictions {error} {EXPECTED}") from None
    script = scorer.script_input
    if parts and loses_first_line(script, ScriptFile(path, content, has_broken=False)):
        parts[0] = DataError(f"{path}: line 1 begins with a byte order mark, so the official script drops it.")
    broken = [part for part in parts if isinstance(part, DataError)]
    if not parts:
        script_says = " The official script prints 0 over 0 records." if script and script.skips_broken_lines else ""
        raise UserError(f"--predictions {path}: no record in this file. {EXPECTED}{script_says}")
    if len(broken) == len(parts):
        raise UserError(f"--predictions {broken[0]} {EXPECTED}")
    if broken and not (script is not None and script.skips_broken_lines):
        stops = next((part for part in broken if not isinstance(part, SkippedEntry)), None)
        if stops is not None:
            raise UserError(f"--predictions {stops} The official script stops at this line: repair or remove it.")
    return parts


def _load(task: Task, metadata: Path) -> Dataset:
    try:
        if not metadata.exists():
            raise UserError(f"--metadata {metadata}: there is no such file or folder.")
        return task.load(metadata)
    except DtbenchError:
        raise
    except OSError as error:
        raise UserError(f"--metadata {metadata}: cannot be read ({error.strerror or format_error(error)}).") from None
    except Exception as error:  # the code of a task of the user's own
        raise TaskError(f"task {task.name}: loading {metadata} failed with {format_error(error)}") from error


def _prediction_key(scorer: Scorer, path: Path, records: Sequence[MetadataRecord]) -> str:
    for key in scorer.prediction_keys:
        if any(key in record.item for record in records):
            return key
    keys = list(dict.fromkeys(key for record in records for key in record.item))
    there = ", ".join(keys[:12]) or "none"
    more = f" and {len(keys) - 12} more" if len(keys) > 12 else ""
    raise UserError(
        f"--predictions {path}: no record has a prediction: the key {' or '.join(scorer.prediction_keys)} is expected; "
        f"found: {there}{more}."
    )


def _other_keys(scorer: Scorer, key: str, records: Sequence[MetadataRecord]) -> list[str]:
    """Note predictions under another name that differ from the ones that were read."""
    notes = []
    for other in scorer.prediction_keys:
        differ = sum(other in item and item[other] != item.get(key, MISSING) for _, item in records)
        if differ:
            notes.append(
                f"predictions were read from {key}; records with something else in {other}, which was ignored: {differ}"
            )
    return notes


def _repeated_ids(path: Path, records: Iterable[MetadataRecord], *, allow_duplicates: bool) -> list[str]:
    first: dict[str, MetadataRecord] = {}
    again: dict[str, MetadataRecord] = {}
    for record in records:
        id_ = _id(record)
        if id_ is not None and first.setdefault(id_, record) is not record:
            again.setdefault(id_, record)
    if not again:
        return []
    if allow_duplicates:
        return [f"duplicate ids: {len(again)}; every record is scored, as in the official script"]
    id_, second = next(iter(again.items()))
    places = " and ".join(record.where.rpartition(": ")[2] for record in (first[id_], second))
    raise UserError(
        f"--predictions {path}: duplicate ids: {len(again)} (first: {id_!r}, {places}). "
        f"Remove the extra records, or score every record as the official script does with --allow-duplicates."
    )


def _refuse_unknown_ids(records: Sequence[MetadataRecord], items: Items, metadata: Path) -> None:
    unknown = [record for record in records if _id(record) not in items]
    if unknown:
        first = unknown[0]
        named = f"id {str(first.item['id'])[:80]!r}" if "id" in first.item else "no id"
        raise UserError(
            f"--predictions {first.where}: {named}: {len(unknown)} of {len(records)} records are not in "
            f"{metadata}. Name the metadata that these predictions were made from."
        )


def _differences(records: Iterable[MetadataRecord], items: Items) -> list[str]:
    """Note records whose question, options or answer differ from the metadata's."""
    other = []
    for record in records:
        item = items[_id(record)]
        if any(key in record.item and record.item[key] != item.get(key) for key in COMPARED):
            other.append(_id(record))
    if not other:
        return []
    return [
        f"records whose question, options or answer differ from the metadata: {len(other)} (first: {other[0]!r}); "
        f"the metadata was used, and the predictions may be for another version"
    ]


def _row(number: int, part: MetadataRecord | DataError, key: str, items: Items | None = None) -> PredictionRow:
    if isinstance(part, DataError):
        return PredictionRow(number, str(part), None, None, MISSING)
    id_ = _id(part)
    return PredictionRow(
        number, part.where, id_, part.item if items is None else items[id_], part.item.get(key, MISSING)
    )


def _id(record: MetadataRecord) -> str | None:
    """Return the id as text; None where the field can name no item."""
    id_ = record.item.get("id")
    if isinstance(id_, int) and not isinstance(id_, bool):
        return str(id_)
    return id_ if isinstance(id_, str) else None
