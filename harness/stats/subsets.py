"""Small sets of questions that stand for all, and how far the ranks of runs by them agree with the ranks by all."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import NamedTuple

Row = Sequence[float]
TRIES = 100
"""How many sets are drawn, of which the nearest is taken."""
GROUP_WEIGHT = 0.3
"""What the shares of groups weigh beside the score of one run: a set of one kind of question is no small benchmark."""


class Agreement(NamedTuple):
    """How far scores on a set are from those on all questions, and their ranks from those."""

    mean_error: float
    max_error: float
    kendall: float | None
    """Kendall's tau-b; None where all scores of one side are equal."""
    spearman: float | None


def agreement(whole: Sequence[float], estimated: Sequence[float]) -> Agreement:
    """Compare the scores of runs on a set with those on all questions."""
    errors = [abs(one - other) for one, other in zip(whole, estimated, strict=True)]
    ranks = _ranks(whole), _ranks(estimated)
    return Agreement(math.fsum(errors) / len(errors), max(errors), kendall(whole, estimated), _correlation(*ranks))


def kendall(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Kendall's tau-b; None where all values of one side are equal."""
    pairs = itertools.combinations(zip(one, other, strict=True), 2)
    return _tau([(_sign(a - c), _sign(b - d)) for (a, b), (c, d) in pairs])


def _tau(signs: Sequence[tuple[int, int]]) -> float | None:
    """Return tau-b of pairs of runs: which of both is better, by one score and by the other."""
    firsts, seconds = sum(a != 0 for a, _ in signs), sum(b != 0 for _, b in signs)
    return sum(a * b for a, b in signs) / math.sqrt(firsts * seconds) if firsts and seconds else None


def _sign(difference: float) -> int:
    return 0 if abs(difference) < 1e-12 else 1 if difference > 0 else -1


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the ranks; equal values share the mean of theirs."""
    return [_rank(value, values) for value in values]


def _rank(value: float, others: Sequence[float]) -> float:
    return sum((_sign(value - other) + 1) / 2 for other in others)


def _correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    first, second = (math.fsum(values) / len(values) for values in (one, other))
    spread = math.fsum((a - first) ** 2 for a in one), math.fsum((b - second) ** 2 for b in other)
    if not spread[0] or not spread[1]:
        return None
    return math.fsum((a - first) * (b - second) for a, b in zip(one, other, strict=True)) / math.sqrt(math.prod(spread))


def choose_questions(scores: Sequence[Row], groups: Sequence[Row], size: int, seed: int) -> list[int]:
    """Choose so many questions of every difficulty on which each run scores nearly as on all.

    `scores` has a row for each run and `groups` one for each group, with a value for each question. The questions
    are sorted by the mean score of the runs and taken at even distances, so that the set has hard and easy ones as the
    whole does; of TRIES such draws the one stands whose means, and shares of the groups, come nearest to those of all.
    """
    import numpy

    weights = numpy.array([1.0] * len(scores) + [GROUP_WEIGHT] * len(groups))
    values = numpy.array([*scores, *groups], dtype=float).T
    difficulty, target = values[:, : len(scores)].mean(axis=1), values.mean(axis=0)
    dice = numpy.random.RandomState(seed)  # its numbers stay the same in every release
    nearest, best = numpy.inf, numpy.arange(size)
    for _ in range(TRIES):
        order = numpy.lexsort((dice.random_sample(len(values)), numpy.round(difficulty, 9)))
        places = order[((numpy.arange(size) + dice.random_sample()) * (len(values) / size)).astype(int)]
        distance = float(((values[places].mean(axis=0) - target) ** 2) @ weights)
        if distance < nearest:
            nearest, best = distance, places
    return [int(place) for place in numpy.sort(best)]


class HeldOutRun(NamedTuple):
    """What a set that the other runs chose says of a run."""

    score: float
    others: Sequence[float]
    """Of the other runs on the same set, in their order."""


def left_out_runs(scores: Sequence[Row], groups: Sequence[Row], size: int, seed: int) -> list[HeldOutRun]:
    """Score each run on a set that was chosen by the other runs alone."""
    found = []
    for place, row in enumerate(scores):
        others = [*scores[:place], *scores[place + 1 :]]
        chosen = choose_questions(others, groups, size, seed)
        found.append(HeldOutRun(mean_at(row, chosen), [mean_at(other, chosen) for other in others]))
    return found


def left_out_agreement(whole: Sequence[float], runs: Sequence[HeldOutRun]) -> Agreement:
    """Compare each run's score, and its rank among the others, on a set without it with those on all questions."""
    errors = [abs(one - other.score) for one, other in zip(whole, runs, strict=True)]
    pairs = [
        (_sign(whole[place] - other), _sign(one.score - estimated))
        for place, one in enumerate(runs)
        for other, estimated in zip([*whole[:place], *whole[place + 1 :]], one.others, strict=True)
    ]
    ranks = [_rank(one.score, one.others) for one in runs]
    return Agreement(math.fsum(errors) / len(errors), max(errors), _tau(pairs), _correlation(_ranks(whole), ranks))


def drawn_agreement(scores: Sequence[Row], size: int, draws: int, seed: int) -> Agreement:
    """Return the mean agreement of sets that are drawn at random."""
    dice = random.Random(seed)
    whole = [mean_at(row, range(len(row))) for row in scores]
    found = [
        agreement(whole, [mean_at(row, chosen) for row in scores])
        for chosen in (dice.sample(range(len(scores[0])), size) for _ in range(draws))
    ]
    return Agreement(
        math.fsum(one.mean_error for one in found) / draws,
        math.fsum(one.max_error for one in found) / draws,
        _mean_known([one.kendall for one in found]),
        _mean_known([one.spearman for one in found]),
    )


def mean_at(row: Row, places: Sequence[int]) -> float:
    """Return the mean of the values at these places."""
    return math.fsum(row[place] for place in places) / len(places)


def _mean_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
