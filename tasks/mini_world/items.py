"""From a slot to an item: a question, its options in their order, the sounds, a chain, and how to judge one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dtbench.tasks.mini_world.criteria import make_criteria
from dtbench.tasks.mini_world.draw import GRADES, Closeness, draw_sounds, place_sounds
from dtbench.tasks.mini_world.events import Event, SoundFacts, describe_sounds
from dtbench.tasks.mini_world.questions import CATEGORIES, MiniQuestion, Solution
from dtbench.tasks.mini_world.render import render_wav
from dtbench.tasks.mini_world.splits import EASY, SEED, SPLITS, Slot


@dataclass(frozen=True, slots=True)
class Item:
    """A question about a clip, and everything that is known of both."""

    slot: Slot
    question: str
    choices: tuple[str, ...]
    told: Solution
    grade: int
    """How close to the boundary, 3 the closest; 0 is easy."""
    events: tuple[Event, ...]

    @property
    def sounds(self) -> tuple[SoundFacts, ...]:
        """What is to be heard."""
        return tuple(event.heard for event in self.events)

    @property
    def description(self) -> str:
        """The clip in words."""
        return describe_sounds(self.sounds)

    @property
    def chain(self) -> str:
        """A reference chain of thought: what is heard, what follows, the answer."""
        return f"{self.description} {self.told.step} . so the answer is {self.told.answer}"

    def wav(self) -> bytes:
        """The clip as a file."""
        return render_wav(self.events, f"{SEED} {self.slot.split} {self.slot.number} noise")

    def as_published(self) -> dict[str, Any]:
        """The record of the item; chain, cues and rubric have the names that MMAR gives them."""
        judged = make_criteria(self.sounds, self.told)
        return {
            "id": self.slot.id,
            "question": self.question,
            "choices": list(self.choices),
            "answer": self.told.answer,
            "category": self.slot.category,
            "difficulty": self.slot.difficulty,
            "closeness": self.grade,
            "events": [event.as_published() for event in self.events],
            "description": self.description,
            "thinking": self.chain,
            "cue": [criterion.cue for criterion in judged],
            "rubric": [criterion.as_published() for criterion in judged],
        }


def make_item(slot: Slot) -> Item:
    """The item of a slot, the same whenever it is made."""
    dice = slot.dice("question")
    question = CATEGORIES[slot.category][slot.form](dice)
    answer = question.options[slot.even(len(question.options), "value")]
    sounds, told = _sounds(slot, question, answer)
    grade = 0 if slot.difficulty == EASY else GRADES[slot.even(len(GRADES), "grade")]
    closeness = Closeness(grade, frozenset(question.focus))
    events = place_sounds(slot.dice("clip"), sounds, closeness, residue=SPLITS[slot.split].residue)
    return Item(slot, question.text, _in_order(slot, question.options, answer), told, grade, events)


def _sounds(slot: Slot, question: MiniQuestion, answer: str) -> tuple[tuple[SoundFacts, ...], Solution]:
    """Sounds that give the question this answer."""
    dice = slot.dice("sounds")
    while True:
        sounds = draw_sounds(dice, question.kinds, dice.pick(question.counts))
        told = question.tell(sounds)
        if told is not None and told.answer == answer:
            return sounds, told


def _in_order(slot: Slot, options: Sequence[str], answer: str) -> tuple[str, ...]:
    """The options shuffled, the right one where it is this slot's turn."""
    others = slot.dice("options").shuffled([option for option in options if option != answer])
    place = slot.even(len(options), "place")
    return (*others[:place], answer, *others[place:])
