"""How far a model is: what it says of clips that it has not learnt from, word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.tasks.mini_world.items import Item
from dtbench.training.mini.audio import features
from dtbench.training.mini.batches import LessonBatch, batch
from dtbench.training.mini.forward import understand
from dtbench.training.mini.language import THINK, THOUGHT
from dtbench.training.mini.lessons import DIRECT, Lesson, LessonQuestion, lesson

SIZE = 400
_AT_ONCE = 50


class Trial(NamedTuple):
    """Items with their clips."""

    items: Sequence[Item]
    heard: Any

    def marks(self, thinker: Any) -> Mapping[str, float]:
        """Shares of descriptions, answers and steps from notes that are right, by difficulty.

        A greedy answer is the wanted one exactly where each word of it is the likeliest after those before.
        """
        kinds = {"describe": _describe, "direct": _direct, "notes": _notes}
        found: dict[str, list[bool]] = {}
        for start in range(0, len(self.items), _AT_ONCE):
            part = self.items[start : start + _AT_ONCE]
            lessons = batch([[make(item) for make in kinds.values()] for item in part])
            right = _right(thinker, self.heard[start : start + len(part)], lessons, len(kinds))
            for item, marks in zip(part, right, strict=True):
                for name, mark in zip(kinds, marks, strict=True):
                    found.setdefault(f"{name} {item.slot.difficulty}", []).append(mark)
                found.setdefault(f"direct {item.slot.category}", []).append(marks[1])
        return {name: round(sum(marks) / len(marks), 3) for name, marks in sorted(found.items())}


def trial(items: Sequence[Item]) -> Trial:
    """A trial on these."""
    import torch

    return Trial(items, torch.from_numpy(features(items)).float())


def _right(thinker: Any, heard: Any, lessons: LessonBatch, count: int) -> list[list[bool]]:
    import torch

    with torch.inference_mode():
        said = thinker.lm_head(understand(thinker, heard, lessons)).argmax(-1)
    rows = []
    for said_row, wanted in zip(said, lessons.wanted, strict=True):
        parts = wanted.ge(0).int().diff(prepend=torch.zeros(1, dtype=torch.int)).eq(1).cumsum(0)
        same = said_row.eq(wanted)
        rows.append([bool(same[(parts == number) & (wanted >= 0)].all()) for number in range(1, count + 1)])
    return rows


def _asked(item: Item) -> LessonQuestion:
    return LessonQuestion(item.question, item.choices, item.solution)


def _describe(item: Item) -> Lesson:
    return lesson("describe the audio .", item.description, heard=True)


def _direct(item: Item) -> Lesson:
    return lesson(f"{_asked(item).words()} {DIRECT}", item.solution.answer, heard=True)


def _notes(item: Item) -> Lesson:
    asked = f"{_asked(item).words()} notes : {item.description} write how ."
    told = f"{THINK} {item.solution.step} . so the answer is {item.solution.answer} {THOUGHT} {item.solution.answer}"
    return lesson(asked, told, heard=False)
