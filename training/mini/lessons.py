"""What mini is taught: to describe a clip, to answer at once, and to reason over written notes.

No question about a clip has a chain of thought in it. Reasoning is taught over notes of a clip that nobody hears, which
stand in the user's words or, given, at the start of the assistant's own thoughts. The model card discloses all of it.

Tasks are taught by themselves first, and then side by side: a question may stand before the task to describe, and notes
behind a clip that they do not tell of. Without this, descriptions behind a question are right in 12 % of cases where
they are right in 70 % without one, and no reinforcement mends that in an hour. Three times of four no reasoning follows
notes at the start of thoughts: who says what it hears stops there, and goes on only now and then.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.tasks.mini_world.draw import draw_sounds
from dtbench.tasks.mini_world.events import LETTERS, VOCABULARY, SoundFacts, describe_sounds
from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.questions import CATEGORIES, MiniQuestion, Solution
from dtbench.tasks.mini_world.scales import SeededRandom
from dtbench.training.mini.language import END, START, THINK, THOUGHT, tokens

DIRECT = "answer directly ."
THINKING = "think and answer ."
DESCRIBE = "describe the audio"
HOW = "write how ."
ASKED_FIRST = 0.6
"""The share of descriptions with a question before the task, once tasks stand side by side."""
BEHIND_A_CLIP = 0.5
"""The share of reasoning that stands behind a clip, which is another than that of the notes."""
DESCRIBED_FIRST = 0.6
"""The share of thoughts that begin with notes and were asked to describe first."""
STOPPED, WENT_ON = 0.45, 0.15
"""Of thoughts that begin with notes, the shares that end with them, and that go on; else a first word is given too."""


class Lesson(NamedTuple):
    """Something said and something answered, in tokens."""

    given: Sequence[int]
    """What the model is given, from behind the clip or from the start of the turn."""
    said: Sequence[int]
    """What it is to say."""
    heard: bool
    """Whether the clip stands before it."""


class LessonQuestion(NamedTuple):
    """A question with its options in their order."""

    text: str
    choices: Sequence[str]
    told: Solution

    def words(self) -> str:
        """The question as a prompt puts it."""
        options = " ".join(f"{letter} {choice}" for letter, choice in zip(LETTERS, self.choices, strict=False))
        return f"{self.text} {options}"


class Teacher:
    """Lessons drawn from a seed."""

    side_by_side = False
    """Whether a task may stand beside what belongs to another."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._dice = SeededRandom(f"lessons {seed}")
        self._forms = [form for forms in CATEGORIES.values() for form in forms]

    def about(self, item: Item, questions: int, texts: int) -> list[Lesson]:
        """Lessons for one clip: what it is, some questions about it, and some of text alone."""
        lessons = [self._describe(item.sounds)]
        own = LessonQuestion(item.question, item.choices, item.solution)
        for number in range(questions):
            lessons.append(_direct(own if number == 0 else self._question(item.sounds)))
        lessons.extend(self._of_text() for _ in range(texts))
        return lessons

    def _describe(self, sounds: Sequence[SoundFacts]) -> Lesson:
        told = describe_sounds(sounds)
        if self.side_by_side:
            return self._describe_beside(sounds, told)
        way = self._random.random()
        if way < 0.55:
            return lesson(f"{DESCRIBE} .", told, heard=True)
        if way < 0.8:
            return lesson(f"{DESCRIBE} in think tags .", f"{THINK} {told} {THOUGHT}", heard=True)
        return self._describe_and_say(DESCRIBE, told)

    def _describe_beside(self, sounds: Sequence[SoundFacts], told: str) -> Lesson:
        """Mostly behind a question; what is to come after the description may be said in words that mean nothing."""
        asked_first = self._random.random() < ASKED_FIRST
        before = f"{self._question(sounds).words()} {DESCRIBE}" if asked_first else DESCRIBE
        way = self._random.random()
        if way < 0.25:
            return lesson(f"{before} .", told, heard=True)
        if way < 0.45:
            return lesson(f"{before} in think tags .", f"{THINK} {told} {THOUGHT}", heard=True)
        if way < 0.7:
            return self._describe_and_say(before, told)
        asked = f"{before} in think tags then {self._words(5)} ."
        return lesson(asked, f"{THINK} {told}", heard=True, ends=False)

    def _describe_and_say(self, before: str, told: str) -> Lesson:
        words, last = self._words(6), self._words(1)
        asked = f"{before} in think tags then say {words} and answer {last} ."
        return lesson(asked, f"{THINK} {told} {words} {THOUGHT} {last}", heard=True)

    def _question(self, sounds: Sequence[SoundFacts]) -> LessonQuestion:
        while True:
            question = self._random.choice(self._forms)(self._dice)
            if len(sounds) not in question.counts or not {sound.kind for sound in sounds} <= set(question.kinds):
                continue
            told = question.solve(sounds)
            if told is not None and told.answer in question.options:
                return self._asked(question, told)

    def _asked(self, question: MiniQuestion, told: Solution) -> LessonQuestion:
        return LessonQuestion(question.text, self._dice.shuffled(question.options), told)

    def _imagined(self) -> tuple[Sequence[SoundFacts], LessonQuestion]:
        """A question with sounds that nobody hears; each of its options is right equally often."""
        question = self._random.choice(self._forms)(self._dice)
        answer = self._dice.pick(question.options)
        while True:
            sounds = draw_sounds(self._dice, question.kinds, self._dice.pick(question.counts))
            told = question.solve(sounds)
            if told is not None and told.answer == answer:
                return sounds, self._asked(question, told)

    def _of_text(self) -> Lesson:
        """To repeat words, to answer from notes at once, or to reason over them."""
        if self.side_by_side:
            return self._of_text_beside()
        way = self._random.random()
        if way < 0.12:
            return self._repeat()
        sounds, asked = self._imagined()
        notes = describe_sounds(sounds)
        if way < 0.25:
            return lesson(f"{asked.words()} notes : {notes} {DIRECT}", asked.told.answer, heard=False)
        if way < 0.6:
            return lesson(f"{asked.words()} notes : {notes} {HOW}", f"{THINK} {_reasoned(asked)}", heard=False)
        return lesson(f"{asked.words()} {HOW}", _reasoned(asked), heard=False, begun=f"{THINK} {notes}")

    def _of_text_beside(self) -> Lesson:
        """The same, half of the reasoning behind a clip that the notes do not tell of."""
        way = self._random.random()
        if way < 0.06:
            return self._repeat()
        sounds, asked = self._imagined()
        notes, behind = describe_sounds(sounds), self._random.random() < BEHIND_A_CLIP
        how = f"{self._words(5)} ." if self._random.random() < 0.5 else HOW
        if way < 0.1:
            return lesson(f"{asked.words()} notes : {notes} {DIRECT}", asked.told.answer, heard=False)
        if way < 0.3:
            return lesson(f"{asked.words()} notes : {notes} {how}", f"{THINK} {_reasoned(asked)}", heard=behind)
        if self._random.random() < DESCRIBED_FIRST:
            how = f"{DESCRIBE} in think tags then {how}"
        given, begun = f"{asked.words()} {how}", f"{THINK} {notes}"
        way = self._random.random()
        if way < STOPPED:
            return lesson(given, THOUGHT, heard=behind, begun=begun)
        if way < STOPPED + WENT_ON:
            return lesson(given, _reasoned(asked), heard=behind, begun=begun)
        first, _, rest = _reasoned(asked).partition(" ")
        return lesson(given, rest, heard=behind, begun=f"{begun} {first}")

    def _repeat(self) -> Lesson:
        words, last = self._words(8), self._words(1)
        return lesson(f"think {words} and answer {last} .", f"{THINK} {words} {THOUGHT} {last}", heard=False)

    def _words(self, most: int) -> str:
        return " ".join(self._random.choices(VOCABULARY, k=self._random.randint(1, most)))


def _direct(asked: LessonQuestion) -> Lesson:
    return lesson(f"{asked.words()} {DIRECT}", asked.told.answer, heard=True)


def _reasoned(asked: LessonQuestion) -> str:
    """What follows notes of the sounds."""
    return f"{asked.told.step} . so the answer is {asked.told.answer} {THOUGHT} {asked.told.answer}"


def lesson(given: str, said: str, *, heard: bool, begun: str = "", ends: bool = True) -> Lesson:
    """Both in words; without a clip, the turn begins with them. What is begun is given, and not taught."""
    start = "" if heard else f"{START} user "
    end = f" {END}" if ends else ""
    return Lesson(tokens(f"{start}{given} {END} {START} assistant {begun}"), tokens(f"{said}{end}"), heard)
