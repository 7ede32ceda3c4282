"""What TASK.questions.jsonl holds: each question that was asked, once, so that a run is read without its data set."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

NotKept = Literal["licence", "values"]
"""Why a line does not hold all of its question: the task's licence, or values that JSON cannot hold."""


class AskedClip(TypedDict):
    """A clip that a question is about; its audio is never copied."""

    name: str | None
    """Where it lies, below the data where it is there; null where the licence forbids copying."""
    hash: str | None
    """As `clip_hash` of a record, whether or not the model heard it; null where the clip could not be read."""


class QuestionRecord(TypedDict):
    """One line of TASK.questions.jsonl: a question as it was asked; the last line with an id stands."""

    id: str
    question_hash: str
    """As in the records of its answers."""
    place: int
    """Where it stands in the whole data set, from 0."""
    clips: list[AskedClip]
    """Empty where it has none."""
    question: str | None
    """Null where the licence forbids copying."""
    options: list[str]
    """In the order of the data set; empty where there are none, or where the licence forbids copying."""
    answer: str | None
    """The right option's text; null where the authors withhold it, or where the licence forbids copying."""
    groups: dict[str, str]
    """What the benchmark reports by: heading and value; empty where the licence forbids copying."""
    item: NotRequired[dict[str, Any]]
    """The record as published, without audio, where the task gives it: official scripts and exports read it."""
    not_kept: NotRequired[NotKept]
    """Why the question cannot be scored from this line alone; absent where it can."""
    crc: NotRequired[str]
    """The CRC-32 of every byte before it, in hex; there in the file, and not in what is read from it."""
