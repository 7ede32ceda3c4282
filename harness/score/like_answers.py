"""Go through answers for tables: those that are alike, each about a clip of its own, come once with their number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import repeat
from typing import NamedTuple

from dtbench.harness.core.packed_numbers import PackedInts
from dtbench.harness.score.outcomes import Answer, AnswerOutcome, QuestionNumbers, stand_apart

NO_CHANCE = -1


class LikeAnswers(NamedTuple):
    """Some answers that no table distinguishes."""

    outcome: AnswerOutcome
    clip: int | str
    """The clip that they are about; empty where each has one of its own."""
    chance: float | None
    """How often a guess is right; None where that is not known."""
    times: int
    """How many answers these are."""


class Chances(Mapping[str, float]):
    """How often a guess is right, by question."""

    def __init__(self, questions: QuestionNumbers) -> None:
        self._questions = questions
        self.numbers = PackedInts(questions.size)
        """For each question the place of its chance in `different`; NO_CHANCE where it has none."""
        self.different: list[float] = []
        self._number_of: dict[float, int] = {}

    def put(self, question: int, chance: float) -> None:
        """Note the chance of the question with a number."""
        number = self._number_of.setdefault(chance, len(self.different))
        if number == len(self.different):
            self.different.append(chance)
        self.numbers.put(question, number)

    def __getitem__(self, id_: str) -> float:
        question = self._questions.find(id_)
        if question is None or (number := self.numbers[question]) == NO_CHANCE:
            raise KeyError(id_)
        return self.different[number]

    def __len__(self) -> int:
        return sum(number != NO_CHANCE for number in self.numbers)

    def __iter__(self) -> Iterator[str]:
        return (id_ for id_ in self._questions.ids() if id_ in self)


def like_answers(answers: Collection[Answer], chances: Mapping[str, float] | None) -> Iterator[LikeAnswers]:
    """Yield each kind of answer with its number; answers that may share a clip come one by one."""
    if stand_apart(answers) and (chances is None or isinstance(chances, Chances)):
        numbers = repeat(NO_CHANCE) if chances is None else chances.numbers
        for (outcome, number), times in answers.labelled(numbers).items():
            chance = None if chances is None or number == NO_CHANCE else chances.different[number]
            yield LikeAnswers(outcome, "", chance, times)
        return
    for answer in answers:
        yield LikeAnswers(answer.outcome, answer.clip, None if chances is None else chances[answer.id], 1)
