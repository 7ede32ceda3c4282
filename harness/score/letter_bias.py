"""Letter and position bias: which letters are chosen, how often each is right, and how often it is found.

Questions with another number of options are counted apart: of two options, a letter is right and chosen more often.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dtbench.harness.core.task import option_letter
from dtbench.harness.score.group_shares import NOTHING, ShareTally
from dtbench.harness.score.outcomes import Answer
from dtbench.harness.store.paper_types import LetterFigures, LettersFigures
from dtbench.harness.store.share_types import EstimateFigures

NO_LETTER = "none"


class LetterAnswer(NamedTuple):
    """The places of the right and of the chosen option, in the order shown."""

    clip: int | str
    options: int
    """How many options the question has."""
    right: int
    chosen: int | None
    """None where no answer was read."""


def letter_answers(choices: Sequence[str], gold: str | None, answers: Iterable[Answer]) -> Iterator[LetterAnswer]:
    """Yield the places in the answers to one question; nothing of those that failed, or where no option is right."""
    right = _place(choices, gold)
    if right is not None:
        for answer in answers:
            if answer.outcome.failed is None:
                yield LetterAnswer(answer.clip, len(choices), right, _place(choices, answer.choice))


def _place(choices: Sequence[str], choice: str | None) -> int | None:
    return choices.index(choice) if choice is not None and choice in choices else None


def letter_figures(answers: Iterable[LetterAnswer], *, apart: bool = False) -> list[LettersFigures]:
    """Count letters, for each number of options apart, the most frequent number first.

    `apart` says that it is known that each answer is about a clip of its own.
    """
    parts: dict[int, Counter[LetterAnswer]] = {}
    for one in answers:
        if one.options not in parts:
            parts[one.options] = Counter()
        parts[one.options][LetterAnswer("", *one[1:]) if apart else one] += 1
    ranked = sorted(parts.items(), key=lambda part: (-part[1].total(), part[0]))
    return [_figures(options, part, apart=apart) for options, part in ranked]


def _figures(options: int, part: Counter[LetterAnswer], *, apart: bool) -> LettersFigures:
    by_right: list[_Ones] = [_Ones(Counter(), apart) for _ in range(options)]
    chosen: Counter[int | None] = Counter()
    for one, times in part.items():
        by_right[one.right].answers[one] = times
        chosen[one.chosen] += times
    letters: dict[str, LetterFigures] = {
        option_letter(place): {
            "right": ones.n,
            "chosen": chosen[place],
            "unread": ones.count(None),
            "recall": ones.recall(),
        }
        for place, ones in enumerate(by_right)
    }
    return {
        "options": options,
        "n": part.total(),
        "letters": letters,
        "chosen_by_right": {option_letter(place): _chosen(ones, options) for place, ones in enumerate(by_right)},
        "recall_sd": _spread([figures["recall"]["value"] for figures in letters.values()]),
        "recall_sd_by_chance": _spread_by_chance(by_right),
    }


class _Ones(NamedTuple):
    """The answers to questions with one right letter, each with how often it came."""

    answers: Counter[LetterAnswer]
    apart: bool

    @property
    def n(self) -> int:
        return self.answers.total()

    def count(self, chosen: int | None) -> int:
        return sum(times for one, times in self.answers.items() if one.chosen == chosen)

    @property
    def found(self) -> int:
        return sum(times for one, times in self.answers.items() if one.chosen == one.right)

    def recall(self) -> EstimateFigures:
        if not self.answers:
            return NOTHING
        tally = ShareTally(apart=self.apart)
        for one, times in self.answers.items():
            tally.add(one.clip, one.chosen == one.right, times)
        found = tally.figures()
        return {"value": found["accuracy"], "low": found["low"], "high": found["high"]}

    def variance(self, share: float) -> float:
        """Return the variance of a share of these answers; those about one clip hang together."""
        sums: dict[int | str, list[float]] = {}
        for one, times in () if self.apart else self.answers.items():
            sums.setdefault(one.clip, []).extend([(one.chosen == one.right) - share] * times)
        if self.apart or len(sums) == self.n:
            return share * (1 - share) / self.n
        return math.fsum(sum(gaps) ** 2 for gaps in sums.values()) / self.n**2


def _chosen(ones: _Ones, options: int) -> dict[str, int]:
    return {**{option_letter(place): ones.count(place) for place in range(options)}, NO_LETTER: ones.count(None)}


def _spread(recalls: Sequence[float | None]) -> float | None:
    """Return the standard deviation over the letters, which are all there are and no sample of more."""
    values = [recall for recall in recalls if recall is not None]
    if len(values) < len(recalls) or len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _spread_by_chance(by_right: Sequence[_Ones]) -> float | None:
    """Return the root of the mean squared spread of recalls that are one and the same in truth."""
    count, answers = len(by_right), sum(ones.n for ones in by_right)
    if count < 2 or not all(ones.answers for ones in by_right):
        return None
    common = sum(ones.found for ones in by_right) / answers
    return math.sqrt(math.fsum(ones.variance(common) for ones in by_right) / count * (1 - 1 / count))
