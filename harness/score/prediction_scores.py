"""From predictions to the official numbers of a benchmark, and a reader's beside them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.errors import DtbenchError, TaskError, UserError, format_error
from dtbench.harness.core.schema import Official
from dtbench.harness.core.scorable import answer_fault, has_official_rule, scoring_fault
from dtbench.harness.core.scorer import AnswerKey, Grouping, Scorer, is_gold
from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, EVIDENCE_LEVELS, set_weak_aside
from dtbench.harness.score.official import MISSING, NO_PREDICTION, NOT_TEXT, WRONG_FORMAT
from dtbench.harness.score.prediction_file import PredictionRow, Predictions
from dtbench.harness.stats.intervals import Share, share

if TYPE_CHECKING:
    from dtbench.harness.store.summary_types import EvidenceFigures

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
    level: str | None = None
    """The level of evidence for the option that was read; None where none was."""
    set_aside: str | None = None
    """The option that was read on evidence too weak to count."""
    right: bool = False
    """Whether the option that was read is the right one, also where it was set aside."""

    def as_json(self) -> dict[str, Any]:
        """Return the line of `--rows`."""
        return {
            "row": self.row,
            "id": self.id,
            "official_correct": self.official.correct,
            "official_counted": self.official.counted,
            "correct": self.correct,
            "choice": self.choice,
            "how": self.how,
            "level": self.level,
            "set_aside": self.set_aside,
            **({} if self.official.mark is None else {"mark": self.official.mark}),
        }


class Count(NamedTuple):
    """Records that the script counts, and those of them that it calls correct."""

    correct: int
    counted: int

    @property
    def total(self) -> float:
        """The sum of their marks."""
        return self.correct

    @property
    def accuracy(self) -> float:
        """Zero where nothing is counted, as the scripts print it."""
        return self.total / self.counted if self.counted else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the counts with their share."""
        return {"correct": self.correct, "counted": self.counted, "accuracy": self.accuracy}


class CountOfMarks(Count):
    """Records that are counted, of which some are partly right."""

    _total: float

    @classmethod
    def of(cls, verdicts: Sequence[Official]) -> Count:
        """Count verdicts that the script counts."""
        correct = sum(one.correct for one in verdicts)
        partial = [one.mark for one in verdicts if one.mark is not None]
        if not partial:
            return Count(correct, len(verdicts))
        count = cls(correct, len(verdicts))
        count._total = math.fsum((correct, *partial))
        return count

    @property
    def total(self) -> float:
        """The sum of their marks."""
        return self._total


@dataclass(frozen=True, slots=True)
class PredictionScores:
    """The score of a prediction file."""

    task: Scorer
    scorer: str
    rows: Sequence[RowScore]
    total: Count
    groups: Mapping[Grouping, Mapping[str, Count]]
    strict: Share
    unanswered: int
    evidence: Mapping[str, EvidenceFigures]
    """Level of evidence -> the records that rest on it, those set aside included."""
    min_evidence: str
    set_aside: int
    dropped: Mapping[str, int]
    """Why records are not in the script's denominator."""
    version: str | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
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
            "evidence": dict(self.evidence),
            "min_evidence": self.min_evidence,
            "set_aside": self.set_aside,
            "dropped": sum(self.dropped.values()),
            "dropped_why": dict(self.dropped),
            "data": self.version,
            "notes": list(self.notes),
        }


def script_version(task: Scorer, version: str | None) -> str:
    """Return the version of the official script that is asked for; a UserError where it cannot score the task."""
    if not task.answers_public:
        raise UserError(
            f"{task.name}: its authors withhold the answers, so it cannot be scored here; send the predictions to them."
        )
    if version is None:
        return task.official_versions[0]
    if version not in task.official_versions:
        raise UserError(
            f"--scorer {version}: the versions of {task.name}'s script are {', '.join(task.official_versions)}; "
            f"without --scorer it is {task.official_versions[0]}."
        )
    return version


def score_predictions(
    task: Scorer,
    scorer: str,
    predictions: Predictions,
    *,
    min_evidence: str = DEFAULT_MIN_EVIDENCE,
    chain: Sequence[str] | None = None,
) -> PredictionScores:
    """Score every record, in the order of the file; the threshold of evidence is the strict score's alone.

    `chain` is the model's own pair of tags around its chains.
    """
    reader = _RowReader(task, scorer, min_evidence, chain)
    scores = [reader.score(row) for row in predictions.rows]
    pairs = zip(scores, predictions.rows, strict=True)
    counted = [(row, score.official) for score, row in pairs if score.official.counted]
    dropped = Counter(score.official.why for score in scores if not score.official.counted)
    if predictions.absent:
        dropped[NO_RECORD] = predictions.absent
    n = len(scores) + predictions.absent
    total = CountOfMarks.of([official for _, official in counted])
    groups = {grouping: _table(grouping, counted) for grouping in task.groupings}
    return PredictionScores(
        task=task,
        scorer=scorer,
        rows=scores,
        total=total,
        groups=groups,
        strict=share(sum(score.correct is True for score in scores), n),
        unanswered=sum(score.correct is None for score in scores) + predictions.absent,
        evidence=_evidence(scores),
        min_evidence=min_evidence,
        set_aside=sum(score.set_aside is not None for score in scores),
        dropped=dict(dropped),
        version=predictions.version,
        notes=(
            *predictions.script_notes,
            *predictions.notes,
            *_ungrouped(groups, total),
            *_stops(scores, predictions.rows),
            *reader.notes(),
        ),
    )


def _evidence(scores: Sequence[RowScore]) -> dict[str, EvidenceFigures]:
    levels = [(level, [score.right for score in scores if score.level == level]) for level in EVIDENCE_LEVELS]
    return {level: {"n": len(right), "correct": sum(right)} for level, right in levels}


class _RowReader:
    """Scores records one by one, and counts those whose right answer is empty."""

    def __init__(self, task: Scorer, scorer: str, min_evidence: str, chain: Sequence[str] | None) -> None:
        self._task, self._rule, self._min_evidence = task, task.official(scorer), min_evidence
        self._has_official_rule = has_official_rule(task)
        self._chain = chain
        self._without_gold: list[str] = []

    def score(self, row: PredictionRow) -> RowScore:
        """Return both verdicts on a record; a UserError where it lacks what they need."""
        number, where, id_, item, prediction = row
        if item is None:
            return RowScore(number, id_, Official(correct=False, counted=False, why=NOT_JSON), None, None, NOT_JSON)
        try:
            if self._task.scorers and isinstance(prediction, str):
                return self._by_scorers(number, id_, item, prediction)
            key = self._answer_key(where, item, prediction) if isinstance(prediction, str) else None
            official = self._rule(item, prediction)
        except KeyError as missing:
            raise _lacks(where, missing.args[0]) from None
        except DtbenchError:
            raise
        except Exception as error:  # the code of a task of the user's own
            raise TaskError(f"task {self._task.name}: scoring {where} failed with {format_error(error)}.") from error
        if key is None or not isinstance(prediction, str):
            return RowScore(number, id_, official, None, None, NO_PREDICTION if prediction is MISSING else NOT_TEXT)
        read = set_weak_aside(extract(prediction, key.choices, self._chain), self._min_evidence)
        right = is_gold(read.choice or read.set_aside or "", str(key.answer))
        correct = None if read.choice is None else right
        return RowScore(number, id_, official, correct, read.choice, read.how, read.level, read.set_aside, right)

    def _by_scorers(self, number: int, id_: str | None, item: Mapping[str, Any], prediction: str) -> RowScore:
        from dtbench.harness.score.answer_record import (
            extraction_fields,  # with the store, which other tasks do without
        )

        sample = self._task.sample_of(item)
        if fault := scoring_fault(self._task, sample):
            raise UserError(f"the record of {id_!r} cannot be scored: {fault}. Correct it, or leave it out.")
        read = set_weak_aside(extract(prediction, sample.choices, self._chain), self._min_evidence)
        score = self._task.score(sample, read)
        shown = extraction_fields(read, score)
        right = score.correct is True or is_gold(read.set_aside or "", sample.answer)
        said = (score.correct, shown["choice"], shown["how"], read.level, read.set_aside)
        return RowScore(number, id_, score.official, *said, right)

    def _answer_key(self, where: str, item: Mapping[str, Any], prediction: str) -> AnswerKey:
        key = self._task.answer_key(item)
        choices, answer = key
        if not isinstance(choices, (list, tuple)) or not all(isinstance(text, str) for text in choices):
            script = self._script_says(item, prediction)
            raise UserError(f"{where}: the options must be a list of texts, found {str(choices)[:80]}.{script}")
        if not isinstance(answer, str):
            script = self._script_says(item, prediction)
            raise UserError(f"{where}: the answer must be text, found {str(answer)[:80]}.{script}")
        if not self._has_official_rule and (fault := answer_fault(self._task, choices, answer)):
            raise UserError(f"{where}: the record cannot be scored: {fault}. Correct it, or leave it out.")
        if not answer.strip():
            self._without_gold.append(where)
        return key

    def _script_says(self, item: Mapping[str, Any], prediction: str) -> str:
        """Say what the official script makes of a record that is refused here."""
        if not self._has_official_rule:
            return ""
        try:
            official = self._rule(item, prediction)
        except (AttributeError, TypeError, KeyError):
            return " The official script stops at it."
        verdict = "correct" if official.correct else "wrong" if official.counted else "not counted"
        return f" To the official script the record is {verdict}."

    def notes(self) -> list[str]:
        """Note records whose right answer is empty: a published script has a rule for them all the same."""
        if not self._without_gold:
            return []
        return [
            f"records whose correct answer is empty: {len(self._without_gold)} (first: {self._without_gold[0]}); they "
            f"have the script's own verdict in the official score and count as wrong in the strict score"
        ]


def _lacks(where: str, field: object) -> UserError:
    return UserError(
        f"{where}: the field {field!r} is missing; add it, or name the benchmark's metadata with --metadata (then ids "
        f"and predictions are enough)."
    )


def _table(grouping: Grouping, counted: Sequence[tuple[PredictionRow, Official]]) -> dict[str, Count]:
    """Its lines as the script orders them: the fixed values, or as first seen, field within field."""
    seen: dict[tuple[object, ...], list[Official]] = {(value,): [] for value in grouping.values}
    for row, official in counted:
        values = _values(grouping, row)
        if values is not None:
            seen.setdefault(values, []).append(official)
    outer = {values[0]: place for place, values in reversed(list(enumerate(seen)))}
    table: dict[str, Count] = {}
    for values in sorted(seen, key=lambda values: outer[values[0]]):
        line = ", ".join(map(str, values))
        # Values may look alike (None and "None", or commas within): each is a line of the script.
        table[line if line not in table else ", ".join(map(repr, values))] = CountOfMarks.of(seen[values])
    return table


def _values(grouping: Grouping, row: PredictionRow) -> tuple[object, ...] | None:
    """Return the values that a record is counted under; None where it is in no line of the table."""
    assert row.item is not None
    values: list[object] = []
    for field in grouping.fields:
        value = row.item.get(field, grouping.absent)
        if value is None and grouping.absent is None and not grouping.values:
            return None
        if grouping.values and field not in row.item:
            raise _lacks(row.where, field)
        if isinstance(value, list | dict) or (grouping.values and not isinstance(value, str)):
            raise UserError(
                f"{row.where}: {field!r} must be text, found {str(value)[:60]}; a table of scores is grouped by it."
            )
        if grouping.values and value not in grouping.values:
            raise UserError(
                f"{row.where}: {field} {str(value)[:60]!r} is unknown to the official script, which stops at it. "
                f"Known: {', '.join(grouping.values)}. Correct the record, or take the groups from --metadata."
            )
        values.append(value)
    return tuple(values)


def _ungrouped(groups: Mapping[Grouping, Mapping[str, Count]], total: Count) -> list[str]:
    """Records that are in the total and in no line of a table."""
    return [
        f"records missing from the table {grouping.title!r}, because they lack the fields it is grouped by: {times}"
        for grouping, table in groups.items()
        if (times := total.counted - sum(count.counted for count in table.values()))
    ]


def _stops(scores: Sequence[RowScore], rows: Sequence[PredictionRow]) -> list[str]:
    """Records that the script could not have read: it stops there with a traceback."""
    stopped = Counter(score.official.why for score in scores if score.official.counted and score.official.why)
    unprinted = sum(
        score.official.why == WRONG_FORMAT and _is_half(row.prediction) for score, row in zip(scores, rows, strict=True)
    )
    return [
        *(
            f"records that stop the official script ({why}): {times}; they count as wrong"
            for why, times in stopped.items()
        ),
        *(
            [f"records that stop the official script (half a surrogate pair, which it cannot print): {unprinted}"]
            if unprinted
            else []
        ),
    ]


def _is_half(prediction: object) -> bool:
    """Whether a text has half of a surrogate pair, which no file or terminal takes."""
    try:
        str(prediction).encode()
    except UnicodeEncodeError:
        return True
    return False
