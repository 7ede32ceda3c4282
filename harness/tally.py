"""From predictions to the official numbers of a benchmark, and a reader's beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dtbench.harness.errors import UserError
from dtbench.harness.extract import extract
from dtbench.harness.predictions import Predictions, Row
from dtbench.harness.schema import Official
from dtbench.harness.score import MISSING, NO_PREDICTION, NOT_TEXT
from dtbench.harness.stats import Share, share
from dtbench.harness.task import Asked, Grouping, Task

NOT_JSON = "not a JSON record"
NO_RECORD = "no record in the file"


class RowScore(NamedTuple):
    """Both verdicts on one record."""

    row: int
    id: str | None
    official: Official
    correct: bool | None
    """A reader's verdict; None where no answer was given."""
    choice: str | None
    how: str

    def as_json(self) -> dict[str, Any]:
        """The line of `--rows`."""
        return {
            "row": self.row,
            "id": self.id,
            "official_correct": self.official.correct,
            "official_counted": self.official.counted,
            "correct": self.correct,
            "choice": self.choice,
            "how": self.how,
        }


class Count(NamedTuple):
    """Records that the script counts, and those of them that it calls correct."""

    correct: int
    counted: int

    @property
    def accuracy(self) -> float:
        """Zero where nothing is counted, as the scripts print it."""
        return self.correct / self.counted if self.counted else 0.0

    def as_json(self) -> dict[str, Any]:
        """The counts with their share."""
        return {"correct": self.correct, "counted": self.counted, "accuracy": self.accuracy}


@dataclass(frozen=True, slots=True)
class Report:
    """The score of a prediction file."""

    task: Task
    scorer: str
    rows: Sequence[RowScore]
    total: Count
    groups: Mapping[Grouping, Mapping[str, Count]]
    strict: Share
    unanswered: int
    dropped: Mapping[str, int]
    """Why records are not in the script's denominator."""
    version: str | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        groups = {
            ", ".join(grouping.fields): {value: count.as_json() for value, count in table.items()}
            for grouping, table in self.groups.items()
        }
        return {
            "task": self.task.name,
            "scorer": self.scorer,
            "n": self.strict.n,
            "official": {**self.total.as_json(), "groups": groups},
            "strict": self.strict._asdict(),
            "unanswered": self.unanswered,
            "dropped": sum(self.dropped.values()),
            "dropped_why": dict(self.dropped),
            "data": self.version,
            "notes": list(self.notes),
        }


def tally(task: Task, scorer: str, predictions: Predictions) -> Report:
    """Score every record, in the order of the file."""
    scores, labels = [], []
    rule = task.official(scorer)
    for row in predictions.rows:
        if row.item is None:
            official = Official(correct=False, counted=False, why=NOT_JSON)
            scores.append(RowScore(row.number, row.id, official, None, None, NOT_JSON))
            continue
        asked = _asked(task, row)
        labels.append(_labels(task, row))
        official = rule(row.item, row.prediction)
        scores.append(RowScore(row.number, row.id, official, *_read(asked, row.prediction)))
    n = len(scores) + len(predictions.absent)
    counted = [
        (score, label)
        for score, label in zip(_of_records(scores, predictions), labels, strict=True)
        if score.official.counted
    ]
    dropped = Counter(score.official.why for score in scores if not score.official.counted)
    if predictions.absent:
        dropped[NO_RECORD] = len(predictions.absent)
    return Report(
        task=task,
        scorer=scorer,
        rows=scores,
        total=Count(sum(score.official.correct for score, _ in counted), len(counted)),
        groups={grouping: _table(grouping, place, counted) for place, grouping in enumerate(task.groupings)},
        strict=share(sum(score.correct is True for score in scores), n),
        unanswered=sum(score.correct is None for score in scores) + len(predictions.absent),
        dropped=dict(dropped),
        version=predictions.version,
        notes=(*predictions.notes, *_stops(scores)),
    )


def _of_records(scores: Sequence[RowScore], predictions: Predictions) -> Iterator[RowScore]:
    return (score for score, row in zip(scores, predictions.rows, strict=True) if row.item is not None)


def _asked(task: Task, row: Row) -> Asked:
    assert row.item is not None
    try:
        asked = task.asked(row.item)
    except KeyError as missing:
        raise UserError(
            f"{row.where}: the field {missing} is missing; name the benchmark's metadata with --metadata, "
            f"and only ids and predictions are needed."
        ) from None
    if not isinstance(asked.choices, list | tuple) or not all(isinstance(text, str) for text in asked.choices):
        raise UserError(f"{row.where}: the options must be a list of texts, found {str(asked.choices)[:80]}.")
    if not isinstance(asked.answer, str):
        raise UserError(f"{row.where}: the answer must be text, found {str(asked.answer)[:80]}.")
    return asked


def _read(asked: Asked, prediction: object) -> tuple[bool | None, str | None, str]:
    if prediction is MISSING:
        return None, None, NO_PREDICTION
    if not isinstance(prediction, str):
        return None, None, NOT_TEXT
    read = extract(prediction, asked.choices)
    return None if read.choice is None else read.choice == asked.answer, read.choice, read.how


def _labels(task: Task, row: Row) -> list[str]:
    return [_label(grouping, row) for grouping in task.groupings]


def _label(grouping: Grouping, row: Row) -> str:
    assert row.item is not None
    values = []
    for field in grouping.fields:
        value = row.item.get(field, MISSING)
        if not isinstance(value, str):
            raise UserError(f"{row.where}: {field!r} must be text, found {str(value)[:60]}; tables are made by it.")
        if grouping.values and value not in grouping.values:
            raise UserError(
                f"{row.where}: {field} {value!r} is not known to the official script, which stops at it. "
                f"Known: {', '.join(grouping.values)}. Correct the record, or take the groups from --metadata."
            )
        values.append(value)
    return ", ".join(values)


def _table(grouping: Grouping, place: int, counted: Sequence[tuple[RowScore, list[str]]]) -> dict[str, Count]:
    right: Counter[str] = Counter(dict.fromkeys(grouping.values, 0))
    seen: Counter[str] = Counter(dict.fromkeys(grouping.values, 0))
    for score, labels in counted:
        seen[labels[place]] += 1
        right[labels[place]] += score.official.correct
    return {value: Count(right[value], seen[value]) for value in seen}


def _stops(scores: Sequence[RowScore]) -> list[str]:
    """Records that the script could not have read: it stops there with a traceback."""
    stopped = Counter(score.official.why for score in scores if score.official.counted and score.official.why)
    return [
        f"{times} records ({why}): the official script stops there; they count as wrong"
        for why, times in stopped.items()
    ]
