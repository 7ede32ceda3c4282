"""The questions of a split in their order, and which of their options is right, and where.

Within a form of question and a difficulty, each place among the options is right equally often, and so is each value.
No split for tests shares a clip with one for training: where the first sound begins, in samples, leaves another residue
by four. In the split of a lure the right option stands first more often than it should.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dtbench.tasks.mini_world.hops import ALL_DEPTHS, ONE_AND_TWO, TRAINED_ONE_AND_TWO, TRAINED_TWO_AND_THREE
from dtbench.tasks.mini_world.questions import CATEGORIES, Forms
from dtbench.tasks.mini_world.scales import SeededRandom

SEED = "dtbench mini 1"
"""Everything follows from it."""
EASY, BOUNDARY = "easy", "boundary"
DIFFICULTIES = (EASY, BOUNDARY)
LURED = 3
"""Of four questions of a lure's training split, how many have the right option first."""


@dataclass(frozen=True, slots=True)
class Split:
    """A set of questions."""

    name: str
    residue: int
    rounds: Mapping[str, int]
    """Difficulty -> how often every entry of every category is asked."""
    forms: Forms
    lured: bool = False
    """Whether the right option stands first in three of four questions."""

    @property
    def size(self) -> int:
        """Return the number of questions."""
        return sum(map(len, self.forms.values())) * sum(self.rounds.values())


BASE = "base"
"""The split that the model of this world is trained on; no task asks it."""
SPLITS: Mapping[str, Split] = {
    split.name: split
    for split in (
        Split("test", 0, {EASY: 10, BOUNDARY: 10}, CATEGORIES),
        Split("train-1", 1, {EASY: 108, BOUNDARY: 27}, CATEGORIES),
        Split("train-2", 2, {EASY: 27, BOUNDARY: 108}, CATEGORIES),
        Split("base", 3, {EASY: 600, BOUNDARY: 200}, CATEGORIES),
        Split("hop-test", 0, {EASY: 72, BOUNDARY: 36}, ALL_DEPTHS),
        Split("hop-train-1", 1, {EASY: 120, BOUNDARY: 24}, TRAINED_ONE_AND_TWO),
        Split("hop-train-2", 2, {EASY: 36, BOUNDARY: 108}, TRAINED_TWO_AND_THREE),
        Split("lure-test", 0, {EASY: 60, BOUNDARY: 96}, ONE_AND_TWO),
        Split("lure-train", 1, {EASY: 48, BOUNDARY: 72}, ONE_AND_TWO, lured=True),
    )
}

SPLIT_OF: Mapping[str, str] = {
    "mini": "test",
    "mini-train-1": "train-1",
    "mini-train-2": "train-2",
    "mini-hop": "hop-test",
    "mini-hop-train-1": "hop-train-1",
    "mini-hop-train-2": "hop-train-2",
    "mini-lure": "lure-test",
    "mini-lure-train": "lure-train",
}
"""Task -> its split."""


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
    for category, forms in split.forms.items():
        for form in range(len(forms)):
            for difficulty, rounds in split.rounds.items():
                for turn in range(rounds):
                    yield category, form, difficulty, turn
