"""Which questions a split asks, in which order, and which of their options are right, and where.

Within a form of question and a difficulty, each place among the options is right equally often, and so is each value.
No two splits share a clip: where the first sound begins, in samples, leaves another residue by four in each.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dtbench.tasks.mini_world.dice import SeededRandom
from dtbench.tasks.mini_world.questions import CATEGORIES

SEED = "dtbench mini 1"
"""Everything follows from it."""
EASY, BOUNDARY = "easy", "boundary"
DIFFICULTIES = (EASY, BOUNDARY)
_FORMS = 5
"""Entries of each category."""


@dataclass(frozen=True, slots=True)
class Split:
    """A set of questions."""

    name: str
    residue: int
    rounds: Mapping[str, int]
    """Difficulty -> how often every entry of every category is asked."""

    @property
    def size(self) -> int:
        """How many questions there are."""
        return len(CATEGORIES) * _FORMS * sum(self.rounds.values())


BASE = "base"
"""What the model of this world is made from; no task asks it."""
SPLITS: Mapping[str, Split] = {
    split.name: split
    for split in (
        Split("test", 0, {EASY: 10, BOUNDARY: 10}),
        Split("train-1", 1, {EASY: 108, BOUNDARY: 27}),
        Split("train-2", 2, {EASY: 27, BOUNDARY: 108}),
        Split("base", 3, {EASY: 600, BOUNDARY: 200}),
    )
}


class Slot(NamedTuple):
    """A question that is to be made."""

    split: str
    number: int
    """Among the slots of its split, from 0."""
    category: str
    form: int
    """Which entry of the category."""
    difficulty: str
    turn: int
    """How many of this category and entry and difficulty there were before it."""

    @property
    def id(self) -> str:
        """A name that tells nothing."""
        return hashlib.sha256(f"{SEED} {self.split} {self.number}".encode()).hexdigest()[:12]

    def dice(self, subject: str) -> SeededRandom:
        """Draws for one side of this question."""
        return SeededRandom(f"{SEED} {self.split} {self.number} {subject}")

    def even(self, count: int, subject: str) -> int:
        """A number below count that is as frequent as any other among the turns of this entry."""
        turn, place = divmod(self.turn, count)
        seed = f"{SEED} {self.split} {self.category} {self.form} {self.difficulty} {subject} {count} {turn}"
        return SeededRandom(seed).shuffled(range(count))[place]


@functools.cache
def slots(split: str) -> tuple[Slot, ...]:
    """All questions of a split, in their order."""
    mixed = SeededRandom(f"{SEED} {split}").shuffled(list(_entries(SPLITS[split])))
    return tuple(Slot(split, number, *entry) for number, entry in enumerate(mixed))


def _entries(split: Split) -> Iterator[tuple[str, int, str, int]]:
    for category, forms in CATEGORIES.items():
        for form in range(len(forms)):
            for difficulty, rounds in split.rounds.items():
                for turn in range(rounds):
                    yield category, form, difficulty, turn
