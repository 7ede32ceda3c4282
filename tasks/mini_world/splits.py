"""The questions of a split in their order, and which of their options is right, and where.

Within a form of question and a difficulty, each place among the options is right equally often, and so is each value.
No two splits share a clip: where the first sound begins, in samples, leaves another residue by four in each.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dtbench.tasks.mini_world.questions import CATEGORIES
from dtbench.tasks.mini_world.scales import SeededRandom

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
        """Return the number of questions."""
        return len(CATEGORIES) * _FORMS * sum(self.rounds.values())


BASE = "base"
"""The split that the model of this world is trained on; no task asks it."""
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
    """A question to make."""

    split: str
    number: int
    """Among the slots of its split, from 0."""
    category: str
    form: int
    """Which entry of the category."""
    difficulty: str
    turn: int
    """How many of its category, form and difficulty precede it."""

    @property
    def id(self) -> str:
        """Return an id that gives nothing away."""
        return hashlib.sha256(f"{SEED} {self.split} {self.number}".encode()).hexdigest()[:12]

    def rng(self, subject: str) -> SeededRandom:
        """Return a generator for one subject of this question."""
        return SeededRandom(f"{SEED} {self.split} {self.number} {subject}")

    def balanced(self, count: int, subject: str) -> int:
        """Return a number below count; over the turns of this form each is equally frequent."""
        turn, place = divmod(self.turn, count)
        seed = f"{SEED} {self.split} {self.category} {self.form} {self.difficulty} {subject} {count} {turn}"
        return SeededRandom(seed).shuffled(range(count))[place]


@functools.cache
def slots(split: str) -> tuple[Slot, ...]:
    """Return the questions of a split in their order."""
    shuffled = SeededRandom(f"{SEED} {split}").shuffled(list(_entries(SPLITS[split])))
    return tuple(Slot(split, number, *entry) for number, entry in enumerate(shuffled))


def _entries(split: Split) -> Iterator[tuple[str, int, str, int]]:
    for category, forms in CATEGORIES.items():
        for form in range(len(forms)):
            for difficulty, rounds in split.rounds.items():
                for turn in range(rounds):
                    yield category, form, difficulty, turn
