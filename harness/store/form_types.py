"""What run.json holds of the form of a task's questions, where it is more than a word or a number."""

from __future__ import annotations

from typing import TypedDict


class ParaphraseInfo(TypedDict):
    """Which paraphrases were asked in place of the questions."""

    file: str
    """The name of the file; a copy of it lies in the run folder."""
    sha256: str
    number: int
    """Of several paraphrases of a question: which, from 1."""


class ExamplesInfo(TypedDict):
    """Questions with their answers that stand before each question of a task."""

    ids: list[str]
    sha256: str
    """Twelve digits over their words, answers and clips."""
    left_out: int
    """How many questions are not asked, as they are examples."""
