"""Letter and position bias: which letters are chosen, how often each is right, and how often it is found.

Questions with another number of options are counted apart: of two options, a letter is right and chosen more often.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dtbench.harness.core.task import option_letter
from dtbench.harness.score.group_shares import NOTHING, share_over_clips
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


def letter_figures(answers: Iterable[LetterAnswer]) -> list[LettersFigures]:
    """Count letters, for each number of options apart, the most frequent number first."""
    parts: dict[int, list[LetterAnswer]] = {}
    for one in answers:
        parts.setdefault(one.options, []).append(one)
    ranked = sorted(parts.items(), key=lambda part: (-len(part[1]), part[0]))
    return [_figures(options, part) for options, part in ranked]


def _figures(options: int, part: Sequence[LetterAnswer]) -> LettersFigures:
    by_right: list[list[LetterAnswer]] = [[] for _ in range(options)]
    for one in part:
        by_right[one.right].append(one)
    chosen = Counter(one.chosen for one in part)
    letters: dict[str, LetterFigures] = {
        option_letter(place): {
            "right": len(ones),
            "chosen": chosen[place],
            "unread": sum(one.chosen is None for one in ones),
            "recall": _recall(ones),
        }
        for place, ones in enumerate(by_right)
    }
    return {
        "options": options,
        "n": len(part),
        "letters": letters,
        "chosen_by_right": {option_letter(place): _chosen(ones, options) for place, ones in enumerate(by_right)},
        "recall_sd": _spread([figures["recall"]["value"] for figures in letters.values()]),
        "recall_sd_by_chance": _spread_by_chance(by_right),
    }


def _chosen(ones: Sequence[LetterAnswer], options: int) -> dict[str, int]:
    times = Counter(one.chosen for one in ones)
    return {**{option_letter(place): times[place] for place in range(options)}, NO_LETTER: times[None]}


def _recall(ones: Sequence[LetterAnswer]) -> EstimateFigures:
    if not ones:
        return NOTHING
    found = share_over_clips([one.clip for one in ones], [one.chosen == one.right for one in ones])
    return {"value": found["accuracy"], "low": found["low"], "high": found["high"]}


def _spread(recalls: Sequence[float | None]) -> float | None:
    """Return the standard deviation over the letters, which are all there are and no sample of more."""
    values = [recall for recall in recalls if recall is not None]
    if len(values) < len(recalls) or len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _spread_by_chance(by_right: Sequence[Sequence[LetterAnswer]]) -> float | None:
    """Return the root of the mean squared spread of recalls that are one and the same in truth."""
    count, answers = len(by_right), sum(map(len, by_right))
    if count < 2 or not all(by_right):
        return None
    common = sum(one.chosen == one.right for ones in by_right for one in ones) / answers
    return math.sqrt(math.fsum(_variance(ones, common) for ones in by_right) / count * (1 - 1 / count))


def _variance(ones: Sequence[LetterAnswer], share: float) -> float:
    """Return the variance of a share of these answers; those about one clip hang together."""
    sums: dict[int | str, list[float]] = {}
    for one in ones:
        sums.setdefault(one.clip, []).append((one.chosen == one.right) - share)
    if len(sums) == len(ones):
        return share * (1 - share) / len(ones)
    return math.fsum(sum(gaps) ** 2 for gaps in sums.values()) / len(ones) ** 2
