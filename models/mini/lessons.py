"""What mini is taught: to describe a clip, to answer at once, and to reason over written notes.

No question about a clip has a chain of thought in it. What is text only, and has one, is disclosed in the model card:
notes of a clip that nobody hears stand in the user's words, or at the start of the assistant's own thoughts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.models.mini.language import END, START, THINK, THOUGHT, tokens
from dtbench.tasks.mini_world.dice import Dice
from dtbench.tasks.mini_world.draw import sketched
from dtbench.tasks.mini_world.events import Heard, description
from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.questions import CATEGORIES, Question, Told
from dtbench.tasks.mini_world.words import LETTERS, VOCABULARY

DIRECT = "answer directly ."
THINKING = "think and answer ."


class Lesson(NamedTuple):
    """Something said and something answered, in tokens."""

    given: Sequence[int]
    """What the model is given, from behind the clip or from the start of the turn."""
    said: Sequence[int]
    """What it is to say."""
    heard: bool
    """Whether the clip stands before it."""


class Asked(NamedTuple):
    """A question with its options in their order."""

    text: str
    choices: Sequence[str]
    told: Told

    def words(self) -> str:
        """The question as a prompt puts it."""
        options = " ".join(f"{letter} {choice}" for letter, choice in zip(LETTERS, self.choices, strict=False))
        return f"{self.text} {options}"


class Teacher:
    """Lessons drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._dice = Dice(f"lessons {seed}")
        self._forms = [form for forms in CATEGORIES.values() for form in forms]

    def about(self, item: Item, questions: int, texts: int) -> list[Lesson]:
        """Lessons for one clip: what it is, some questions about it, and some that need no clip."""
        lessons = [self._describe(item.sounds)]
        own = Asked(item.question, item.choices, item.told)
        for number in range(questions):
            lessons.append(_direct(own if number == 0 else self._question(item.sounds)))
        lessons.extend(self._without_a_clip() for _ in range(texts))
        return lessons

    def _describe(self, sounds: Sequence[Heard]) -> Lesson:
        told = description(sounds)
        way = self._random.random()
        if way < 0.55:
            return lesson("describe the audio .", told, heard=True)
        if way < 0.8:
            return lesson("describe the audio in think tags .", f"{THINK} {told} {THOUGHT}", heard=True)
        words, last = self._words(6), self._words(1)
        asked = f"describe the audio in think tags then say {words} and answer {last} ."
        return lesson(asked, f"{THINK} {told} {words} {THOUGHT} {last}", heard=True)

    def _question(self, sounds: Sequence[Heard]) -> Asked:
        while True:
            question = self._random.choice(self._forms)(self._dice)
            if len(sounds) not in question.counts or not {sound.kind for sound in sounds} <= set(question.kinds):
                continue
            told = question.tell(sounds)
            if told is not None and told.answer in question.options:
                return self._asked(question, told)

    def _asked(self, question: Question, told: Told) -> Asked:
        return Asked(question.text, self._dice.shuffled(question.options), told)

    def _imagined(self) -> tuple[Sequence[Heard], Asked]:
        """A question with sounds that nobody hears; each of its options is right equally often."""
        question = self._random.choice(self._forms)(self._dice)
        answer = self._dice.pick(question.options)
        while True:
            sounds = sketched(self._dice, question.kinds, self._dice.pick(question.counts))
            told = question.tell(sounds)
            if told is not None and told.answer == answer:
                return sounds, self._asked(question, told)

    def _without_a_clip(self) -> Lesson:
        way = self._random.random()
        if way < 0.12:
            words, last = self._words(8), self._words(1)
            return lesson(f"think {words} and answer {last} .", f"{THINK} {words} {THOUGHT} {last}", heard=False)
        sounds, asked = self._imagined()
        notes = description(sounds)
        reasoned = f"{asked.told.step} . so the answer is {asked.told.answer} {THOUGHT} {asked.told.answer}"
        if way < 0.25:
            return lesson(f"{asked.words()} notes : {notes} {DIRECT}", asked.told.answer, heard=False)
        if way < 0.6:
            return lesson(f"{asked.words()} notes : {notes} write how .", f"{THINK} {reasoned}", heard=False)
        begun = tokens(f"{START} user {asked.words()} write how . {END} {START} assistant {THINK} {notes}")
        return Lesson(begun, tokens(f"{reasoned} {END}"), heard=False)

    def _words(self, most: int) -> str:
        return " ".join(self._random.choices(VOCABULARY, k=self._random.randint(1, most)))


def _direct(asked: Asked) -> Lesson:
    return lesson(f"{asked.words()} {DIRECT}", asked.told.answer, heard=True)


def lesson(given: str, said: str, *, heard: bool) -> Lesson:
    """Both in words; without a clip, the turn begins with them."""
    start = "" if heard else f"{START} user "
    return Lesson(tokens(f"{start}{given} {END} {START} assistant"), tokens(f"{said} {END}"), heard)
