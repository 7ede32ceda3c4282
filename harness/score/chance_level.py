"""Chance-corrected accuracy: what is left of an accuracy when guessing is taken away, 0 for guesses and 1 at best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from dtbench.harness.score.group_shares import NOTHING, mean_of
from dtbench.harness.score.like_answers import like_answers
from dtbench.harness.score.outcomes import Answer
from dtbench.harness.store.paper_types import ChanceFigures
from dtbench.harness.store.share_types import EstimateFigures, IntervalFigures
from dtbench.harness.store.summary_types import OfficialFigures, StrictFigures


def chance_of(choices: Sequence[str], gold: str | None) -> float:
    """Return how often a guess among the options is right."""
    return choices.count(gold or "") / len(choices) if choices else 0.0


def chance_figures(
    answers: Collection[Answer],
    chances: Mapping[str, float],
    *,
    official: OfficialFigures,
    strict: StrictFigures,
) -> ChanceFigures:
    """Correct both accuracies, each with its interval, by the chance of the answers that it counts."""
    every, counted = Counter[float](), Counter[float]()
    for alike in like_answers(answers, chances):
        if alike.chance is not None:
            every[alike.chance] += alike.times
            if alike.outcome.official.counted:
                counted[alike.chance] += alike.times
    return {
        "chance": mean_of(every),
        "official": _corrected(official["accuracy"], official, counted),
        "strict": _corrected(strict["accuracy"], strict, every),
    }


def _corrected(accuracy: float | None, interval: IntervalFigures, chances: Counter[float]) -> EstimateFigures:
    chance = mean_of(chances) if chances else 1.0
    low, high = interval["low"], interval["high"]
    if accuracy is None or low is None or high is None or chance >= 1:
        return NOTHING
    return {
        "value": above_chance(accuracy, chance),
        "low": above_chance(low, chance),
        "high": above_chance(high, chance),
    }


def above_chance(accuracy: float, chance: float) -> float:
    """Return which part of the way from chance to 1 an accuracy goes; below 0 where it is worse than guessing."""
    return (accuracy - chance) / (1 - chance)
