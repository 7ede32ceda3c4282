"""Check whether a leaderboard would accept a file: every id once, the right fields, nothing too long."""

from __future__ import annotations

import csv
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError, UserError, one_line, why_unreadable
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.export.submission_formats import INSIDE, TABLED, ExportOptions, SubmissionFormat
from dtbench.harness.score.official import MISSING
from dtbench.harness.score.prediction_file import PredictionRow, Predictions
from dtbench.harness.score.prediction_scores import PredictionScores, score_predictions
from dtbench.tasks import registry as task_registry

_MEGABYTE = 1 << 20
MOST_MEGABYTES = 256
"""The largest submission that is looked at: the longest chains for every question of a benchmark take less."""


@dataclass(slots=True)
class FileCheck:
    """The findings of a check."""

    records: int = 0
    problems: list[str] = field(default_factory=list)
    """Why it would not be accepted, or not be scored as intended."""
    notes: list[str] = field(default_factory=list)
    against_data: bool = False
    """Whether the benchmark's questions were there to compare it with."""
    report: PredictionScores | None = None
    """The score, where questions and answers are known and the official script can read the file."""


def check_file(options: ExportOptions) -> FileCheck:
    """Check a file of any origin; a UserError where it cannot be read."""
    file, kind, own = options.check, options.format, options.task_file
    assert file is not None
    task = task_registry.get_task(options.task or kind.task) if own is None else task_registry.task_from_file(own)
    if task.name != kind.task:
        raise UserError(f"--task {task.name}: --format {kind.name} is for {kind.task}.")
    try:
        if (size := file.stat().st_size) > MOST_MEGABYTES * _MEGABYTE:
            what = f"{size // _MEGABYTE} MB, and a submission of at most {MOST_MEGABYTES} MB is expected"
            raise UserError(f"--check {file}: {what}.")
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"--check {file}: {why_unreadable(error)}.") from None
    try:
        data = task.load(options.data_dir)
    except DtbenchError:
        if options.data_dir is not None:  # a folder that a user names has to hold the questions
            raise
        data = None
    return check_submission(content, kind, task, data)


def check_submission(content: bytes, kind: SubmissionFormat, task: Scorer, data: Dataset | None) -> FileCheck:
    """Return everything that is wrong with a submission, each kind of fault in one line."""
    checked = FileCheck(against_data=data is not None)
    records = _records(content, kind, checked)
    checked.records = len(records)
    if records:
        checked.problems += _faults_of_fields(records, kind)
        checked.problems += _faults_of_ids(records, kind, data)
        checked.notes += _notes(records, kind, data)
        if data is not None:
            checked.problems += _other_data(records, kind, data)
    if data is None:
        checked.notes.append(
            "ids and score were not checked: the benchmark's data was not found; name its folder with --data-dir"
        )
    elif records and not checked.problems and task.answers_public:
        checked.report = score_predictions(task, task.official_versions[0], _predictions(records, kind, data))
    return checked


def _records(content: bytes, kind: SubmissionFormat, checked: FileCheck) -> list[dict[str, Any]]:
    text = _text(content, kind, checked)
    if text is None:
        return []
    if kind.shape == "list":
        return _of_list(text, checked)
    if kind.shape == "csv":
        return _of_table(text, kind, checked)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()  # what follows the last line's end
    records, broken = [], []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            records.append(record)
        else:
            broken.append(f"line {number} ({line[:40]!r})" if line.strip() else f"line {number} (empty)")
    checked.problems += _line("lines that are not JSON objects", broken)
    if not lines:
        checked.problems.append("it is empty")
    return records


def _of_table(text: str, kind: SubmissionFormat, checked: FileCheck) -> list[dict[str, Any]]:
    """Return the records of a table, under the names of their fields."""
    header = list(kind.columns.values())
    try:
        first, *rows = list(csv.reader(StringIO(text, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        checked.problems.append(f"it is not a table of text ({error})")
        return []
    if first != header:
        checked.problems.append(f"its first line is {','.join(first)[:60]!r}: {','.join(header)!r} is expected")
        return []
    odd = [f"row {number} with {len(row)} cells" for number, row in enumerate(rows, start=1) if len(row) != len(header)]
    checked.problems += _line(f"rows that do not have {len(header)} cells", odd)
    if not rows:
        checked.problems.append("it is empty")
    return [dict(zip(kind.columns, row, strict=True)) for row in rows if len(row) == len(header)]


def _of_list(text: str, checked: FileCheck) -> list[dict[str, Any]]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        checked.problems.append(f"it is not JSON ({error}): a list of objects is expected")
        return []
    if not isinstance(entries, list):
        checked.problems.append(f"its JSON is of type {type(entries).__name__}: a list of objects is expected")
        return []
    wrong = [f"entry {number}" for number, one in enumerate(entries) if not isinstance(one, dict)]
    checked.problems += _line("entries that are not objects", wrong)
    if not entries:
        checked.problems.append("it is empty")
    return [one for one in entries if isinstance(one, dict)]


def _text(content: bytes, kind: SubmissionFormat, checked: FileCheck) -> str | None:
    if kind.shape == "zip":
        unpacked = _unpacked(content, checked)
        if unpacked is None:
            return None
        content = unpacked
    if content.startswith(b"\xef\xbb\xbf"):
        checked.problems.append(
            "it begins with a byte order mark, which JSON readers do not accept: save it without one"
        )
        content = content[3:]
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        checked.problems.append(f"it is not UTF-8 (byte {error.start})")
        return None


def _unpacked(content: bytes, checked: FileCheck) -> bytes | None:
    if not zipfile.is_zipfile(BytesIO(content)):
        if content.lstrip()[:1] == b"{":
            checked.problems.append(f"it is not zipped: a zip with {INSIDE} at its top level is expected")
            return content
        checked.problems.append(f"it is not a zip file: a zip with {INSIDE} at its top level is expected")
        return None
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if INSIDE not in names:
                shown = ", ".join(map(one_line, names[:5])) or "nothing"
                checked.problems.append(f"the zip lacks {INSIDE} at its top level, found: {shown}")
                return None
            if len(names) > 1:
                checked.notes.append(f"files in the zip besides {INSIDE}: {len(names) - 1}")
            if archive.getinfo(INSIDE).file_size > MOST_MEGABYTES * _MEGABYTE:
                checked.problems.append(f"{INSIDE} unpacks to more than {MOST_MEGABYTES} MB")
                return None
            return archive.read(INSIDE)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        checked.problems.append(f"the zip is damaged ({error})")
        return None


def _faults_of_fields(records: Sequence[Mapping[str, Any]], kind: SubmissionFormat) -> Iterator[str]:
    for name in (*kind.texts, *kind.reads):
        lacking = [_called(record, n) for n, record in enumerate(records) if name not in record]
        yield from _line(f"records without {name}", lacking)
    for name in kind.texts:
        odd = [
            f"{_called(record, n)} has {json.dumps(record[name])[:40]}"
            for n, record in enumerate(records)
            if name in record and not isinstance(record[name], str)
        ]
        yield from _line(f"records whose {name} is not text", odd)
    if kind.longest is not None:
        long = [
            f"{_called(record, n)} with {len(record['thinking_prediction'])}"
            for n, record in enumerate(records)
            if isinstance(record.get("thinking_prediction"), str) and len(record["thinking_prediction"]) > kind.longest
        ]
        yield from _line(f"reasoning of {kind.longest + 1:,} characters or more", long)


def _faults_of_ids(records: Sequence[Mapping[str, Any]], kind: SubmissionFormat, data: Dataset | None) -> Iterator[str]:
    ids = [record["id"] for record in records if isinstance(record.get("id"), str)]
    times = Counter(ids)
    yield from _line("duplicate ids", [repr(id_) for id_, count in times.items() if count > 1])
    if data is None:
        return
    known = dict.fromkeys(sample.id for sample in data.samples)
    yield from _line(f"ids that are not in {data.source}", [repr(id_) for id_ in times if id_ not in known])
    yield from _line(f"ids of {data.source} that are missing", [repr(id_) for id_ in known if id_ not in times])
    if kind.in_order and set(ids) == set(known) and len(ids) == len(known) and ids != list(known):
        place = next(n for n, pair in enumerate(zip(ids, known, strict=True)) if pair[0] != pair[1])
        where = f"first difference: record {place}"
        yield f"the records are not in the order of {data.source}, which the leaderboard needs ({where})"


def _other_data(records: Sequence[Mapping[str, Any]], kind: SubmissionFormat, data: Dataset) -> Iterator[str]:
    """Compare the questions that the file repeats with those of the data."""
    items = {sample.id: sample.as_published() for sample in data.samples}
    other = [
        f"{record['id']!r} in {name}"
        for record in records
        if isinstance(record.get("id"), str) and record["id"] in items
        for name in kind.carries
        if name in items[record["id"]]
        and (record[name] != items[record["id"]][name] if name in record else name == TABLED)
    ]
    yield from _line(f"records whose question, options or answer differ from {data.source} ({data.version})", other)


def _notes(records: Sequence[Mapping[str, Any]], kind: SubmissionFormat, data: Dataset | None) -> Iterator[str]:
    predictions = [record.get(kind.prediction) for record in records]
    empty = [str(number) for number, one in enumerate(predictions) if one == ""]
    yield from _line(f"records with an empty {kind.prediction}", empty)
    if "thinking_prediction" in kind.texts:
        bare = [_called(record, n) for n, record in enumerate(records) if record.get("thinking_prediction") == ""]
        yield from _line("records without reasoning", bare)
    if data is not None and kind.name != "mmsu":
        options = {sample.id: sample.choices for sample in data.samples}
        free = [
            _called(record, n)
            for n, (record, one) in enumerate(zip(records, predictions, strict=True))
            if isinstance(record.get("id"), str) and one and one not in options.get(record["id"], (one,))
        ]
        yield from _line("answers that do not match an option word for word", free)


def _predictions(records: Sequence[Mapping[str, Any]], kind: SubmissionFormat, data: Dataset) -> Predictions:
    """Return the records as the official script reads them; those of a format without questions get the data's."""
    items = {sample.id: sample.as_published() for sample in data.samples}
    rows = [
        PredictionRow(
            number,
            f"record {number}",
            record["id"],
            record if kind.carries else items[record["id"]],
            record.get(kind.prediction, MISSING),
        )
        for number, record in enumerate(records)
    ]
    return Predictions(rows, kind.prediction, 0, data.version, ())


def _called(record: Mapping[str, Any], number: int) -> str:
    id_ = record.get("id")
    return repr(id_)[:60] if isinstance(id_, str) else f"record {number}"


def _line(what: str, cases: Iterable[str]) -> Iterator[str]:
    listed = list(cases)
    if listed:
        yield one_line(f"{what}: {len(listed)} (first: {', '.join(listed[:3])})")
