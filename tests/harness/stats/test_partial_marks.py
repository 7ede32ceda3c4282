"""Intervals and tests of marks between 0 and 1 hold what they say, by simulation."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from dtbench.harness.stats.intervals import clustered_interval, has_partial_marks, marks_interval, mean_mark, wilson
from dtbench.harness.stats.paired_tests import TAIL, PairedShares, bounds, chance_of_equal

RUNS = 800
Draw = Callable[[random.Random], float]


def five_levels(dice: random.Random) -> float:
    return dice.choices((0.0, 0.25, 0.5, 0.75, 1.0), (1, 2, 3, 6, 8))[0]


def rules_followed(dice: random.Random) -> float:
    return sum(dice.random() < 0.85 for _ in range(3)) / 3


def often_nothing(dice: random.Random) -> float:
    return 0.0 if dice.random() < 0.6 else round(dice.betavariate(2, 2), 3)


MEANS: list[tuple[Draw, float]] = [(five_levels, 0.725), (rules_followed, 0.85), (often_nothing, 0.2)]


@pytest.mark.parametrize(("draw", "mean"), MEANS)
def test_the_interval_of_a_mean_mark_holds_the_true_mean(draw: Draw, mean: float) -> None:
    dice = random.Random(23)
    found = [marks_interval(Counter(draw(dice) for _ in range(40))) for _ in range(RUNS)]
    assert sum(one.low <= mean <= one.high for one in found) / RUNS > 0.935
    # It misses on both sides about as often, which Student's interval does not.
    assert sum(one.low > mean for one in found) / RUNS < 0.045
    assert sum(one.high < mean for one in found) / RUNS < 0.045


@pytest.mark.parametrize(("draw", "mean"), MEANS)
def test_the_interval_over_clips_holds_the_true_mean_where_answers_hang_together(draw: Draw, mean: float) -> None:
    dice = random.Random(24)

    def clip() -> tuple[float, int]:
        shared = draw(dice)
        marks = [shared if dice.random() < 0.7 else draw(dice) for _ in range(dice.randint(1, 4))]
        return sum(marks), len(marks)

    held = [clustered_interval([clip() for _ in range(40)], partial=True) for _ in range(RUNS)]
    assert sum(one.low <= mean <= one.high for one in held) / RUNS > 0.925


def answers_of_one_model(dice: random.Random, draw: Draw, n: int) -> Sequence[PairedShares]:
    """Answers of two runs of one model: some questions are hard for both."""
    pairs = []
    for number in range(n):
        usual = draw(dice)
        before, after = (usual if dice.random() < 0.5 else draw(dice) for _ in range(2))
        pairs.append(PairedShares(before, after, str(number)))
    return pairs


@pytest.mark.parametrize(("draw", "mean"), MEANS)
def test_two_runs_of_one_model_seldom_differ_in_their_marks(draw: Draw, mean: float) -> None:
    dice = random.Random(25)
    runs = [answers_of_one_model(dice, draw, 60) for _ in range(RUNS // 3)]
    assert sum(chance_of_equal(pairs) <= 0.05 for pairs in runs) / len(runs) < 0.075
    found = [bounds(pairs, TAIL) for pairs in runs]
    assert sum(one.low <= 0 <= one.high for one in found) / len(runs) > 0.925


def test_a_gain_in_partial_marks_is_found_that_full_marks_alone_would_not_show() -> None:
    pairs = [PairedShares(0.25, 0.5, str(number)) for number in range(50)]
    found = bounds(pairs, TAIL)
    assert found.difference == pytest.approx(0.25)
    assert found.low > 0.1
    assert chance_of_equal(pairs) < 1e-10


def test_marks_of_0_and_1_have_the_interval_of_wilson_and_one_alone_says_nothing() -> None:
    assert marks_interval({1.0: 30, 0.0: 10}) == wilson(0.75, 40)
    assert marks_interval({0.5: 1}) == (0.0, 1.0)


def test_marks_that_vary_less_than_right_and_wrong_have_a_narrower_interval() -> None:
    partial = marks_interval({0.4: 20, 0.6: 20})
    whole = marks_interval({0.0: 20, 1.0: 20})
    assert partial.high - partial.low < 0.3 * (whole.high - whole.low)
    assert partial.low < 0.5 < partial.high


def test_marks_that_are_all_alike_still_have_an_interval_with_a_width() -> None:
    assert marks_interval({0.5: 40}) == wilson(0.5, 40)


def test_the_mean_is_that_of_the_marks_and_tells_partial_ones() -> None:
    assert mean_mark({1.0: 2, 0.5: 1, 0.0: 1}) == 0.625
    assert has_partial_marks(0.625, 2, 4)
    assert not has_partial_marks(2 / 3, 2, 3)
