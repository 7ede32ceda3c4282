"""How far the probability that a model gives its forced answer can be believed: calibration, as pure functions.

The confidence of an answer is its probability among the options. The expected calibration error is the mean distance
between confidence and accuracy over bins of answers, once with bins of equal width and once of (nearly) equal size; of
few answers it is above zero by chance alone, which is told beside it.
Brier's score is that of all options: the squared distances between their probabilities and what is right, summed, so
from 0 to 2.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.score.forced_choice import (
    CHAIN_FIRST,
    HOW,
    NO_LETTER,
    letter_of,
    odds_in,
    option_letters,
    probabilities,
)

BINS = 15
DRAWS = 200
NO_LOGPROBS = "no log-probabilities from this endpoint"


class Confidence(NamedTuple):
    """How sure a model was of one answer."""

    confidence: float
    right: bool
    brier: float
    likeliest: bool
    """Whether no option was likelier than the answer."""
    told: float
    """The probability of all letters together, before they were made to sum up to 1."""


class ForcedAnswer(NamedTuple):
    """One forced answer."""

    how: str
    """HOW where it is a letter, else why it is none."""
    told: bool
    """Whether log-probabilities came with it."""
    sure: Confidence | None
    """None where it is no letter, or too little was told."""


class Bin(NamedTuple):
    """Answers of like confidence."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def forced_of(record: Mapping[str, Any]) -> ForcedAnswer | None:
    """What calibration takes from a record; None for a free answer, or one that failed."""
    how = record.get("extraction", {}).get("how")
    if how not in {HOW, NO_LETTER, CHAIN_FIRST}:
        return None
    odds = odds_in(record)
    shares = None if odds is None else probabilities(odds)
    if odds is None or shares is None or how != HOW:
        return ForcedAnswer(how, odds is not None, None)
    place = letter_of(record["extraction"]["answer"], option_letters(len(shares)))
    if place is None or odds.logprobs[place] is None:
        return ForcedAnswer(how, told=True, sure=None)
    told = math.fsum(math.exp(logprob) for logprob in odds.logprobs if logprob is not None)
    right = record["score"]["correct"] is True
    brier = brier_score(shares, record["score"].get("right_place"))
    return ForcedAnswer(how, True, Confidence(shares[place], right, brier, shares[place] == max(shares), told))


def brier_score(shares: Sequence[float], right: int | None) -> float:
    """Brier's score of one answer over all options; none of them may be right."""
    return math.fsum((share - (place == right)) ** 2 for place, share in enumerate(shares))


def equal_width(answers: Sequence[Confidence], bins: int = BINS) -> list[Bin]:
    """The answers by confidence in bins of equal width, open below and closed above; empty ones are left out."""
    places = [_place(answer.confidence, bins) for answer in answers]
    return [
        _bin(place / bins, (place + 1) / bins, [a for a, at in zip(answers, places, strict=True) if at == place])
        for place in sorted(set(places))
    ]


def equal_mass(answers: Sequence[Confidence], bins: int = BINS) -> list[Bin]:
    """The answers by confidence in bins of nearly equal size: those of one confidence stay together."""
    times = Counter(answer.confidence for answer in answers)
    place_of: dict[float, int] = {}
    below = 0
    for confidence, count in sorted(times.items()):
        place_of[confidence] = int((below + count / 2) / len(answers) * bins)
        below += count
    parts: dict[int, list[Confidence]] = {}
    for answer in answers:
        parts.setdefault(place_of[answer.confidence], []).append(answer)
    return [
        _bin(min(a.confidence for a in part), max(a.confidence for a in part), part)
        for _, part in sorted(parts.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """The mean distance between confidence and accuracy, each bin by its size."""
    n = sum(one.n for one in bins)
    return math.fsum(one.n * abs(one.confidence - one.accuracy) for one in bins) / n


def error_by_chance(answers: Sequence[Confidence], bins: int = BINS) -> float:
    """The error in bins of equal width that answers of these confidences show where each is rightly so, in the mean."""
    import numpy

    confidences = numpy.array(sorted(answer.confidence for answer in answers))
    places = numpy.array([_place(confidence, bins) for confidence in confidences])
    dice = numpy.random.default_rng(0)
    errors = []
    for _ in range(DRAWS):
        gaps = (dice.random(len(confidences)) < confidences) - confidences
        errors.append(float(numpy.abs(numpy.bincount(places, gaps)).sum()) / len(confidences))
    return math.fsum(errors) / DRAWS


def calibration(answers: Sequence[Confidence]) -> dict[str, Any] | None:
    """The figures of a summary; None where no answer has a probability."""
    if not answers:
        return None
    n = len(answers)
    bins = equal_width(answers)
    return {
        "n": n,
        "accuracy": sum(answer.right for answer in answers) / n,
        "confidence": math.fsum(answer.confidence for answer in answers) / n,
        "ece": calibration_error(bins),
        "ece_equal_mass": calibration_error(equal_mass(answers)),
        "ece_by_chance": error_by_chance(answers),
        "brier": math.fsum(answer.brier for answer in answers) / n,
        "bins": [one._asdict() for one in bins],
    }


def forced_summary(answers: Sequence[ForcedAnswer], *, known: bool) -> dict[str, Any]:
    """What a summary says of forced answers; nothing where there are none. Known: whether right and wrong are."""
    if not answers:
        return {}
    sure = [answer.sure for answer in answers if answer.sure is not None]
    told = sum(answer.told for answer in answers)
    times = Counter(answer.how for answer in answers)
    summary = {
        "n": len(answers),
        "no_letter": times[NO_LETTER],
        "chain_first": times[CHAIN_FIRST],
        "told": told,
        "sure": len(sure),
        "not_the_likeliest": sum(not answer.likeliest for answer in sure),
        "confidence": math.fsum(answer.confidence for answer in sure) / len(sure) if sure else None,
        "letters_held": math.fsum(answer.told for answer in sure) / len(sure) if sure else None,
        "calibration": calibration(sure) if known else None,
    }
    return {"forced": summary | ({"note": NO_LOGPROBS} if times[HOW] and not told else {})}


def _place(confidence: float, bins: int) -> int:
    return max(0, math.ceil(confidence * bins) - 1)


def _bin(low: float, high: float, part: Sequence[Confidence]) -> Bin:
    n = len(part)
    return Bin(low, high, n, math.fsum(a.confidence for a in part) / n, sum(a.right for a in part) / n)
