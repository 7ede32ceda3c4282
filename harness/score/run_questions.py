"""The questions that lie beside a run's answers: written as a line each, and read back as the data set that was asked.

They stand in for the data set where it is gone. They are believed where they are what run.json says the data was, or,
where the run did not ask all of it, where they are what the records say was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import MOST_COUNTED, Clip, Sample, clip_name
from dtbench.harness.core.task import Task
from dtbench.harness.store.question_types import AskedClip, QuestionRecord
from dtbench.harness.store.types import DataInfo, Record


@dataclass(frozen=True, slots=True)
class AbsentClip:
    """The clip of a question that was read from a run folder, which holds no audio."""

    label: str

    def read(self) -> bytes:
        """Refuse: there is nothing to read."""
        from dtbench.harness.audio.prepare import MissingClip  # hashlib: 5 ms that scoring does not need

        raise MissingClip(self.why)

    @property
    def why(self) -> str:
        """Why it cannot be read, and what to do."""
        what = f"{self.label}: the clip is not at hand, as a run folder holds questions and no audio"
        return f"{what}: name the folder of the data with --data-dir"

    def is_there(self) -> bool:
        """Whether it can be read: never."""
        return False


class RunQuestions(NamedTuple):
    """What a run folder holds of a task's questions."""

    data: Dataset | None
    """Those that answers can be scored by; None where some that were asked are not among them."""
    lacking: str
    """What is wrong with them, for a message; empty where all of the data set is there."""


def question_record(task: Task, data: Dataset, place: int, hashes: Sequence[str | None]) -> QuestionRecord:
    """Return the line of the question at a place of a data set."""
    sample = data.samples[place]
    head = {"id": sample.id, "question_hash": data.question_hash(place), "place": data.place_in_whole(place)}
    if not task.copies_questions:
        return _line(head, [{"name": None, "hash": hash_} for hash_ in hashes], {**_UNKNOWN, "not_kept": "licence"})
    names = [_named(clip, data.source) for clip in sample.clips]
    clips: list[AskedClip] = [{"name": name, "hash": hash_} for name, hash_ in zip(names, hashes, strict=True)]
    if type(sample) is Sample:
        try:
            return _line(head, clips, {**_fields(sample), **({"item": _plain(sample.item)} if sample.item else {})})
        except (ValueError, RecursionError):
            pass
    return _line(head, clips, {**_texts(sample), "not_kept": "values"})


_UNKNOWN: Mapping[str, Any] = {"question": None, "options": [], "answer": None, "groups": {}}


def _line(head: Mapping[str, Any], clips: list[AskedClip], fields: Mapping[str, Any]) -> QuestionRecord:
    line: Any = {**head, "clips": clips, **fields}
    return line  # type: ignore[no-any-return]


def _fields(sample: Sample) -> dict[str, Any]:
    """Return the fields of a question; a ValueError where a text is none, or a value is more than JSON holds."""
    texts = [sample.question, *sample.choices, sample.answer or "", *sample.groups.values()]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a text is expected")
    options, groups = list(sample.choices), dict(sample.groups)
    return {"question": sample.question, "options": options, "answer": sample.answer, "groups": groups}


def _texts(sample: Sample) -> dict[str, Any]:
    """Return the fields of a question as text, to be read and not to be scored by."""
    return {
        "question": str(sample.question),
        "options": [str(choice) for choice in sample.choices],
        "answer": None if sample.answer is None else str(sample.answer),
        "groups": {str(heading): str(value) for heading, value in sample.groups.items()},
    }


def _plain(value: object) -> Any:
    """Return a value as JSON gives it back; a ValueError for one that it would not give back as it is."""
    if value is None or isinstance(value, str | bool):
        return value
    if (type(value) is dict or isinstance(value, Mapping)) and all(type(key) is str for key in value):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Integral) and abs(int(value)) <= MOST_COUNTED:
        return int(value)
    if isinstance(value, float) and isfinite(value):
        return float(value)
    raise ValueError(f"{type(value).__name__} is not plain")


def _named(audio: Path | Clip, source: str) -> str:
    """Return the name of a clip, below the folder of the data where it is there."""
    name = clip_name(audio)
    return next((name.removeprefix(folder) for folder in _folders_of(source) if name.startswith(folder)), name)


@lru_cache(maxsize=8)
def _folders_of(source: str) -> tuple[str, ...]:
    """Return the folders in which the data of a source may have its clips, each as the names in it begin."""
    file = Path(source)
    return tuple(f"{folder}/" for folder in (file, file.parent, file.parent.parent) if folder != folder.parent)


def sample_of(question: QuestionRecord) -> Sample:
    """Return the question of a line as a task gives it, but for its audio."""
    return Sample(
        question["id"],
        question["question"] or "",
        tuple(question["options"]),
        question["answer"],
        groups=question["groups"],
        item=question.get("item", {}),
        clips=[AbsentClip(clip["name"] or "") for clip in question["clips"]],
    )


def find_questions(
    task: Task, about: DataInfo, questions: Iterable[QuestionRecord], records: Iterable[Record], source: str
) -> RunQuestions:
    """Return the data set that the questions beside a task's answers make."""
    if not task.copies_questions:
        return RunQuestions(None, f"the licence of {task.name} lets a run folder hold no copy of them")
    if task.needs_load:
        return RunQuestions(None, f"{task.name} is scored with more than its questions")
    reader = _QuestionReader(questions)
    data = Dataset(reader.samples(), about["version"], source)
    if not reader.count:
        return RunQuestions(None, "the run folder holds no copy of them, as one that an older dtbench made")
    if data.sha256 == about["sha256"]:
        return RunQuestions(data, "")
    places, asked = data.places(), {record["id"]: record.get("question_hash") for record in records}
    lost = [id_ for id_, hash_ in asked.items() if id_ not in places or data.question_hash(places[id_]) != hash_]
    if lost:
        why = " or hold values that JSON cannot" if reader.not_kept else ""
        return RunQuestions(None, f"{len(lost)} that were asked are not in {source}{why} (first: {min(lost)!r})")
    # Others may be of a start that was killed before their first answer, and of data that was changed since.
    answered = Dataset((sample for sample in data.samples if sample.id in asked), about["version"], source)
    if answered.sha256 == about["sha256"]:
        return RunQuestions(answered, "")
    return RunQuestions(data, f"{source} holds only the {len(places)} that were asked")


class _QuestionReader:
    """Makes samples of questions, and counts those that cannot be made."""

    def __init__(self, questions: Iterable[QuestionRecord]) -> None:
        self._questions = questions
        self.count = 0
        self.not_kept = 0

    def samples(self) -> Iterator[Sample]:
        for question in self._questions:
            self.count += 1
            if "not_kept" in question:
                self.not_kept += 1
            else:
                yield sample_of(question)
