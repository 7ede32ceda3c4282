"""Make the item of a slot: a question, its options in order, the sounds, a reference chain and a rubric."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from dtbench.tasks.mini_world.criteria import make_criteria
from dtbench.tasks.mini_world.draw import GRADES, Closeness, draw_sounds, place_sounds
from dtbench.tasks.mini_world.events import Event, SoundFacts, describe_sounds
from dtbench.tasks.mini_world.questions import MiniQuestion, Solution
from dtbench.tasks.mini_world.render import render_wav
from dtbench.tasks.mini_world.splits import EASY, LURED, SEED, SPLITS, Slot


@dataclass(frozen=True, slots=True)
class Item:
    """A question about a clip, with everything that is known of both."""

    slot: Slot
    question: str
    choices: tuple[str, ...]
    solution: Solution
    grade: int
    """How close to the boundary, 3 the closest; 0 is easy."""
    events: tuple[Event, ...]
    depth: int = 1
    """How many steps lead to the answer."""
    pair: tuple[str, str] | None = None
    """The last step to a sound, and the quality that is asked; None for a question of one step."""

    @property
    def sounds(self) -> tuple[SoundFacts, ...]:
        """Return the sounds of the clip."""
        return tuple(event.sound for event in self.events)

    @property
    def description(self) -> str:
        """Describe the clip."""
        return describe_sounds(self.sounds)

    @property
    def chain(self) -> str:
        """Return a reference chain of thought: the sounds, what follows from them, the answer."""
        return f"{self.description} {self.solution.step} . so the answer is {self.solution.answer}"

    def wav(self) -> bytes:
        """Render the clip as a WAV file."""
        return render_wav(self.events, f"{SEED} {self.slot.split} {self.slot.number} noise")

    def as_published(self) -> dict[str, Any]:
        """Return the record of the item; chain, cues and rubric have the names that MMAR gives them."""
        criteria = make_criteria(self.sounds, self.solution)
        steps = {} if self.pair is None else {"depth": self.depth, "pair": " ".join(self.pair)}
        return {
            "id": self.slot.id,
            "question": self.question,
            "choices": list(self.choices),
            "answer": self.solution.answer,
            "category": self.slot.category,
            "difficulty": self.slot.difficulty,
            "closeness": self.grade,
            **steps,
            "events": [event.as_published() for event in self.events],
            "description": self.description,
            "thinking": self.chain,
            "cue": [criterion.cue for criterion in criteria],
            "rubric": [criterion.as_published() for criterion in criteria],
        }


@functools.lru_cache(maxsize=1024)
def make_item(slot: Slot) -> Item:
    """Make the item of a slot, the same on every call; a clip asks for the item that its question came from."""
    question = question_of(slot)
    answer = question.options[slot.balanced(len(question.options), "value")]
    sounds, solution = _draw_until(slot, question, answer)
    grade = 0 if slot.difficulty == EASY else GRADES[slot.balanced(len(GRADES), "grade")]
    closeness = Closeness(grade, frozenset(question.focus))
    events = place_sounds(slot.rng("clip"), sounds, closeness, residue=SPLITS[slot.split].residue)
    others = slot.rng("options").shuffled([option for option in question.options if option != answer])
    place = _place_of_answer(slot, len(others))
    choices = (*others[:place], answer, *others[place:])
    return Item(slot, question.text, choices, solution, grade, events, question.depth, question.pair)


def question_of(slot: Slot) -> MiniQuestion:
    """Return the question of a slot, which can be solved for other sounds too."""
    return SPLITS[slot.split].forms[slot.category][slot.form](slot.rng("question"))


def _place_of_answer(slot: Slot, others: int) -> int:
    if not SPLITS[slot.split].lured:
        return slot.balanced(others + 1, "place")
    return 0 if slot.balanced(4, "lure") < LURED else 1 + slot.balanced(others, "place")


def _draw_until(slot: Slot, question: MiniQuestion, answer: str) -> tuple[tuple[SoundFacts, ...], Solution]:
    """Draw sounds until they give the question this answer."""
    rng = slot.rng("sounds")
    while True:
        sounds = draw_sounds(rng, question.kinds, rng.pick(question.counts))
        solution = question.solve(sounds)
        if solution is not None and solution.answer == answer:
            return sounds, solution
