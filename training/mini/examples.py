"""What mini is taught: to describe a clip, to answer at once, and to reason over written notes.

No question about a clip has a chain of thought in it. Reasoning is taught over notes of a clip that the model does not
hear, which stand in the user's prompt or, given, at the start of its own thoughts. The model card discloses all of it.

Tasks are taught by themselves first, and then mixed: a question may stand before the task to describe, and notes after
a clip that they do not describe. Without this, descriptions after a question are right in 12 % of cases where they are
right in 70 % without one, and no reinforcement mends that in an hour. Three times of four no reasoning follows notes at
the start of thoughts: after a description the model stops, and goes on only now and then.

Questions of two steps are taught as those of one are, but only some compositions of a step and a quality, and fewer
still with reasoning: a base model knows some of what it is later asked, not all. Behind one prompt there are two ways
to an answer: a description, and a chain of one word that says nothing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.tasks.mini_world.draw import draw_sounds
from dtbench.tasks.mini_world.events import LETTERS, VOCABULARY, SoundFacts, describe_sounds
from dtbench.tasks.mini_world.hops import HELD_OUT, REASONED, TWO_STEPS
from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.questions import CATEGORIES, MiniQuestion, Solution
from dtbench.tasks.mini_world.scales import SeededRandom
from dtbench.training.mini.language import END, START, THINK, THOUGHT, encode

DIRECT = "answer directly ."
THINKING = "think and answer ."
DESCRIBE = "describe the audio"
HOW = "write how ."
QUESTION_FIRST = 0.6
"""The share of descriptions with a question before the task, once tasks are mixed."""
AFTER_A_CLIP = 0.5
"""The share of reasoning after a clip, which is another than that of the notes."""
DESCRIBED_FIRST = 0.6
"""The share of thoughts starting with notes whose prompt asks to describe first."""
STOPPED, WENT_ON = 0.45, 0.15
"""The shares of thoughts starting with notes that end there, and that go on; else a first word is given too."""
TWO_WAYS = "answer ."
"""Behind the task to describe in tags: the prompt after which a chain is a choice."""
ANSWERED_FIRST, SAID_NOTHING = 0.4, 0.15
"""The share of descriptions with an open end that are asked for so, and of these the share that is one word instead."""
NOTHING = "yes"
"""A chain that says nothing."""
OF_TWO_STEPS = 0.25
"""The share of two steps among questions that are asked with notes, and before a description."""
DIRECTLY_OF_TWO_STEPS = 0.15
"""The mean number of questions of two steps that are answered at once, with a clip that allows one."""


class TrainingExample(NamedTuple):
    """A prompt and the answer to learn, in tokens."""

    prompt: Sequence[int]
    """From after the clip, or from the start of the turn; with what is given of the answer."""
    answer: Sequence[int]
    has_clip: bool
    """Whether the clip stands before it."""


class ExampleQuestion(NamedTuple):
    """A question with its options in order."""

    text: str
    choices: Sequence[str]
    solution: Solution

    def words(self) -> str:
        """Return the question as a prompt states it."""
        options = " ".join(f"{letter} {choice}" for letter, choice in zip(LETTERS, self.choices, strict=False))
        return f"{self.text} {options}"


class Teacher:
    """Draws examples from a seed."""

    mixed = False
    """Whether a prompt may contain parts of another task."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._dice = SeededRandom(f"lessons {seed}")  # of the bundled model: another word draws others
        self._forms = [form for forms in CATEGORIES.values() for form in forms]
        self._two_steps = [form for pair, form in TWO_STEPS.items() if pair not in HELD_OUT]
        self._reasoned = [TWO_STEPS[pair] for pair in REASONED]

    def about(self, item: Item, questions: int, texts: int) -> list[TrainingExample]:
        """Return examples about a clip: a description, some questions, and some of text alone."""
        examples = [self._describe(item.sounds)]
        own = ExampleQuestion(item.question, item.choices, item.solution)
        for number in range(questions):
            question = own if number == 0 else self._question(item.sounds)
            examples.append(make_example(f"{question.words()} {DIRECT}", question.solution.answer, has_clip=True))
        if questions and self._random.random() < DIRECTLY_OF_TWO_STEPS:
            examples.extend(self._two_steps_directly(item.sounds))
        examples.extend(self._of_text() for _ in range(texts))
        return examples

    def _two_steps_directly(self, sounds: Sequence[SoundFacts]) -> list[TrainingExample]:
        """Return an answer to a question of two steps; none where the first few drawn do not fit the sounds."""
        for _ in range(8):
            question = self._fitting(self._random.choice(self._two_steps)(self._dice), sounds)
            if question is not None:
                return [make_example(f"{question.words()} {DIRECT}", question.solution.answer, has_clip=True)]
        return []

    def _describe(self, sounds: Sequence[SoundFacts]) -> TrainingExample:
        description = describe_sounds(sounds)
        if self.mixed:
            return self._describe_mixed(sounds, description)
        way = self._random.random()
        if way < 0.55:
            return make_example(f"{DESCRIBE} .", description, has_clip=True)
        if way < 0.8:
            return make_example(f"{DESCRIBE} in think tags .", f"{THINK} {description} {THOUGHT}", has_clip=True)
        return self._describe_and_say(DESCRIBE, description)

    def _describe_mixed(self, sounds: Sequence[SoundFacts], description: str) -> TrainingExample:
        """Mostly after a question; what follows the description may be asked for in meaningless words."""
        question_first = self._random.random() < QUESTION_FIRST
        before = f"{self._question(sounds).words()} {DESCRIBE}" if question_first else DESCRIBE
        way = self._random.random()
        if way < 0.25:
            return make_example(f"{before} .", description, has_clip=True)
        if way < 0.45:
            return make_example(f"{before} in think tags .", f"{THINK} {description} {THOUGHT}", has_clip=True)
        if way < 0.7:
            return self._describe_and_say(before, description)
        if self._random.random() >= ANSWERED_FIRST:
            prompt = f"{before} in think tags then {self._words(5)} ."
            return make_example(prompt, f"{THINK} {description}", has_clip=True, ends=False)
        if self._random.random() >= SAID_NOTHING:
            prompt = f"{before} in think tags then {TWO_WAYS}"
            return make_example(prompt, f"{THINK} {description}", has_clip=True, ends=False)
        question = self._question(sounds)
        prompt = f"{question.words()} {DESCRIBE} in think tags then {TWO_WAYS}"
        return make_example(prompt, f"{THINK} {NOTHING} {THOUGHT} {question.solution.answer}", has_clip=True)

    def _describe_and_say(self, before: str, description: str) -> TrainingExample:
        words, last = self._words(6), self._words(1)
        prompt = f"{before} in think tags then say {words} and answer {last} ."
        return make_example(prompt, f"{THINK} {description} {words} {THOUGHT} {last}", has_clip=True)

    def _question(self, sounds: Sequence[SoundFacts]) -> ExampleQuestion:
        while True:
            forms = self._two_steps if self._random.random() < OF_TWO_STEPS else self._forms
            question = self._fitting(self._random.choice(forms)(self._dice), sounds)
            if question is not None:
                return question

    def _fitting(self, question: MiniQuestion, sounds: Sequence[SoundFacts]) -> ExampleQuestion | None:
        """Return the question with its solution; None where it cannot be asked about these sounds."""
        if len(sounds) not in question.counts or not {sound.kind for sound in sounds} <= set(question.kinds):
            return None
        solution = question.solve(sounds)
        if solution is None or solution.answer not in question.options:
            return None
        return self._with_options(question, solution)

    def _with_options(self, question: MiniQuestion, solution: Solution) -> ExampleQuestion:
        return ExampleQuestion(question.text, self._dice.shuffled(question.options), solution)

    def _question_without_clip(self) -> tuple[Sequence[SoundFacts], ExampleQuestion]:
        """Draw a question about sounds without a clip; each of its options is right equally often."""
        forms = self._reasoned if self._random.random() < OF_TWO_STEPS else self._forms
        question = self._random.choice(forms)(self._dice)
        answer = self._dice.pick(question.options)
        while True:
            sounds = draw_sounds(self._dice, question.kinds, self._dice.pick(question.counts))
            solution = question.solve(sounds)
            if solution is not None and solution.answer == answer:
                return sounds, self._with_options(question, solution)

    def _of_text(self) -> TrainingExample:
        """Repeat words, answer from notes at once, or reason over them."""
        if self.mixed:
            return self._of_text_mixed()
        way = self._random.random()
        if way < 0.12:
            return self._repeat()
        sounds, question = self._question_without_clip()
        notes = describe_sounds(sounds)
        if way < 0.25:
            return _after_notes(question, notes, DIRECT, question.solution.answer)
        if way < 0.6:
            return _after_notes(question, notes, HOW, f"{THINK} {reasoning(question)}")
        return make_example(f"{question.words()} {HOW}", reasoning(question), has_clip=False, given=f"{THINK} {notes}")

    def _of_text_mixed(self) -> TrainingExample:
        """Make the same examples, half of the reasoning after a clip that the notes do not describe."""
        way = self._random.random()
        if way < 0.06:
            return self._repeat()
        sounds, question = self._question_without_clip()
        notes, after_clip = describe_sounds(sounds), self._random.random() < AFTER_A_CLIP
        how = self._random.choices((f"{self._words(5)} .", HOW, TWO_WAYS), (0.45, 0.45, 0.1))[0]
        if way < 0.1:
            return _after_notes(question, notes, DIRECT, question.solution.answer)
        if way < 0.3:
            return _after_notes(question, notes, how, f"{THINK} {reasoning(question)}", has_clip=after_clip)
        if self._random.random() < DESCRIBED_FIRST:
            how = f"{DESCRIBE} in think tags then {how}"
        prompt, given = f"{question.words()} {how}", f"{THINK} {notes}"
        way = self._random.random()
        if way < STOPPED:
            return make_example(prompt, THOUGHT, has_clip=after_clip, given=given)
        if way < STOPPED + WENT_ON:
            return make_example(prompt, reasoning(question), has_clip=after_clip, given=given)
        first, _, rest = reasoning(question).partition(" ")
        return make_example(prompt, rest, has_clip=after_clip, given=f"{given} {first}")

    def _repeat(self) -> TrainingExample:
        words, last = self._words(8), self._words(1)
        return make_example(f"think {words} and answer {last} .", f"{THINK} {words} {THOUGHT} {last}", has_clip=False)

    def _words(self, most: int) -> str:
        return " ".join(self._random.choices(VOCABULARY, k=self._random.randint(1, most)))


def reasoning(question: ExampleQuestion) -> str:
    """Return the reasoning that follows notes of the sounds."""
    return (
        f"{question.solution.step} . so the answer is {question.solution.answer} {THOUGHT} {question.solution.answer}"
    )


def _after_notes(
    question: ExampleQuestion, notes: str, how: str, answer: str, *, has_clip: bool = False
) -> TrainingExample:
    """Make an example whose prompt states a question and notes."""
    return make_example(f"{question.words()} notes : {notes} {how}", answer, has_clip=has_clip)


def make_example(prompt: str, answer: str, *, has_clip: bool, given: str = "", ends: bool = True) -> TrainingExample:
    """Encode an example; without a clip, the turn starts with the prompt. What is given of the answer is not learnt."""
    start = "" if has_clip else f"{START} user "
    end = f" {END}" if ends else ""
    return TrainingExample(
        encode(f"{start}{prompt} {END} {START} assistant {given}"), encode(f"{answer}{end}"), has_clip
    )
