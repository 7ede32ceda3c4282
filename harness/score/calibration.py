"""Measure calibration: how well the probability of a forced answer predicts that it is right; pure functions.

The confidence of an answer is its probability among the options. The expected calibration error is the mean distance
between confidence and accuracy over bins of answers, once with bins of equal width and once of (nearly) equal size; of
few answers it is above zero by chance alone, which is reported beside it.
Brier's score is that of all options: the squared distances between their probabilities and what is right, summed, so
from 0 to 2.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.harness.score.forced_choice import (
    CHAIN_FIRST,
    HOW,
    NO_LETTER,
    letter_of,
    option_letters,
    probabilities,
    stored_logprobs,
)
from dtbench.harness.store.summary_types import CalibrationFigures, ForcedFigures
from dtbench.harness.store.types import Record, as_fields

BINS = 15
DRAWS = 200
NO_LOGPROBS = "no log-probabilities from this endpoint"


class Confidence(NamedTuple):
    """How sure a model was of one answer."""

    confidence: float
    right: bool
    brier: float
    is_argmax: bool
    """Whether no option was likelier than the answer."""
    letter_mass: float
    """The probability of all letters together, before they were made to sum up to 1."""


class ForcedAnswer(NamedTuple):
    """One forced answer."""

    how: str
    """HOW where it is a letter, else why it is none."""
    with_logprobs: bool
    scored: Confidence | None
    """None where it is no letter, or too few options were listed."""


class ConfidentAnswer(NamedTuple):
    """How sure a model was of one answer, and the clip that it is about."""

    clip: int | str
    scored: Confidence


class Bin(NamedTuple):
    """Answers of like confidence."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def forced_answer(record: Record) -> ForcedAnswer | None:
    """Read what calibration needs from a record; None for a free answer, or one that failed."""
    how = record["extraction"]["how"] if "extraction" in record else ""
    if how not in {HOW, NO_LETTER, CHAIN_FIRST}:
        return None
    options = stored_logprobs(record)
    shares = None if options is None else probabilities(options)
    if options is None or shares is None or how != HOW:
        return ForcedAnswer(how, options is not None, None)
    place = letter_of(record["extraction"]["answer"], option_letters(len(shares)))
    if place is None or options.logprobs[place] is None:
        return ForcedAnswer(how, with_logprobs=True, scored=None)
    mass = math.fsum(math.exp(logprob) for logprob in options.logprobs if logprob is not None)
    right = record["score"]["correct"] is True
    brier = brier_score(shares, record["score"].get("gold_index"))
    return ForcedAnswer(how, True, Confidence(shares[place], right, brier, shares[place] == max(shares), mass))


def brier_score(shares: Sequence[float], gold: int | None) -> float:
    """Return Brier's score of one answer over all options, of which none may be right."""
    return math.fsum((share - (place == gold)) ** 2 for place, share in enumerate(shares))


def equal_width(answers: Sequence[Confidence], bins: int = BINS) -> list[Bin]:
    """Put answers into bins of confidence of equal width, open below and closed above; empty ones are left out."""
    places = [confidence_bin(answer.confidence, bins) for answer in answers]
    return [
        _bin(place / bins, (place + 1) / bins, [a for a, at in zip(answers, places, strict=True) if at == place])
        for place in sorted(set(places))
    ]


def equal_mass(answers: Sequence[Confidence], bins: int = BINS) -> list[Bin]:
    """Put answers into bins of confidence of nearly equal size: those of one confidence stay together."""
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
    """Return the mean distance between confidence and accuracy, each bin by its size."""
    n = sum(one.n for one in bins)
    return math.fsum(one.n * abs(one.confidence - one.accuracy) for one in bins) / n


def error_by_chance(answers: Sequence[Confidence]) -> float:
    """Return the mean error, in bins of equal width, that such confidences show by chance where every one is right."""
    import numpy

    confidences = numpy.array(sorted(answer.confidence for answer in answers))
    places = numpy.array([confidence_bin(confidence, BINS) for confidence in confidences])
    rng = numpy.random.default_rng(0)
    errors = []
    for _ in range(DRAWS):
        gaps = (rng.random(len(confidences)) < confidences) - confidences
        errors.append(float(numpy.abs(numpy.bincount(places, gaps)).sum()) / len(confidences))
    return math.fsum(errors) / DRAWS


def calibration_figures(answers: Sequence[Confidence]) -> CalibrationFigures | None:
    """Return the figures of a summary; None where no answer has a probability."""
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
        "bins": [as_fields(one) for one in bins],
    }


def forced_figures(answers: Sequence[ForcedAnswer], *, known: bool) -> ForcedFigures:
    """Sum up forced answers; `known` says whether the right options are."""
    scored = [answer.scored for answer in answers if answer.scored is not None]
    with_logprobs = sum(answer.with_logprobs for answer in answers)
    times = Counter(answer.how for answer in answers)
    figures: ForcedFigures = {
        "n": len(answers),
        "no_letter": times[NO_LETTER],
        "started_with_chain": times[CHAIN_FIRST],
        "with_logprobs": with_logprobs,
        "scored": len(scored),
        "not_argmax": sum(not answer.is_argmax for answer in scored),
        "confidence": math.fsum(answer.confidence for answer in scored) / len(scored) if scored else None,
        "letter_mass": math.fsum(answer.letter_mass for answer in scored) / len(scored) if scored else None,
        "calibration": calibration_figures(scored) if known else None,
    }
    if times[HOW] and not with_logprobs:
        figures["note"] = NO_LOGPROBS
    return figures


def confidence_bin(confidence: float, bins: int = BINS) -> int:
    """Return the bin of equal width that a confidence belongs to, open below and closed above."""
    return max(0, math.ceil(confidence * bins) - 1)


def _bin(low: float, high: float, part: Sequence[Confidence]) -> Bin:
    n = len(part)
    return Bin(low, high, n, math.fsum(a.confidence for a in part) / n, sum(a.right for a in part) / n)
