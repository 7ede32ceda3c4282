from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dtbench.harness.stats.crossed import CrossedMarks, Scatter, crossed_bounds, detectable_difference
from dtbench.harness.stats.paired_tests import Bounds

SEEDS, QUESTIONS, TRIALS = 5, 150, 200
SCATTER = Scatter(seed=0.014, question=0.2, answer=0.35)
AT_LEAST = 0.06
ALLOWED = 0.025 + 3 * math.sqrt(0.025 * 0.975 / TRIALS)
"""A limit is to be wrong in 2.5 % of trials; three standard deviations of chance come on top."""


def marks(values: Any) -> CrossedMarks:
    values = np.asarray(values, dtype=float)
    return CrossedMarks(values, np.ones_like(values))


def simulated(true: float, scatter: Scatter, trials: int = TRIALS, seeds: int = SEEDS) -> list[Bounds]:
    """Intervals of experiments in which one model is better by this much."""
    generator = np.random.default_rng(1)
    found = []
    for trial in range(trials):
        gaps = true + generator.normal(0, scatter.seed, (seeds, 1)) + generator.normal(0, scatter.question, QUESTIONS)
        gaps = gaps + generator.normal(0, scatter.answer, (seeds, QUESTIONS))
        found.append(crossed_bounds(marks(0.5 + gaps), marks(np.full((seeds, QUESTIONS), 0.5)), draws=500, seed=trial))
    return found


@pytest.mark.parametrize(
    "scatter",
    [SCATTER, Scatter(0.05, 0.1, 0.1), Scatter(0.0, 0.3, 0.0), Scatter(0.0, 0.0, 0.4)],
    ids=["all three", "seeds above all", "questions alone", "single answers alone"],
)
def test_no_difference_is_seldom_met_and_one_of_the_size_claimed_seldom_refuted(scatter: Scatter) -> None:
    of_none, of_all = simulated(0.0, scatter), simulated(AT_LEAST, scatter)
    met = sum(one.difference >= AT_LEAST and one.low > 0 for one in of_none) / TRIALS
    above = sum(one.low > 0 for one in of_none) / TRIALS
    refuted = sum(one.high < AT_LEAST for one in of_all) / TRIALS
    assert met <= above <= ALLOWED
    assert refuted <= ALLOWED


def test_the_smallest_effect_told_beforehand_is_seen_four_times_in_five() -> None:
    effect = detectable_difference(SCATTER, SEEDS, QUESTIONS)
    seen = sum(one.low > 0 for one in simulated(effect, SCATTER)) / TRIALS
    assert seen == pytest.approx(0.8, abs=0.09)


def test_more_seeds_and_more_questions_see_smaller_effects() -> None:
    small = detectable_difference(SCATTER, 5, 3000)
    assert small == pytest.approx(0.02597, abs=1e-5)
    assert small < detectable_difference(SCATTER, 3, 3000)
    assert small < detectable_difference(SCATTER, 5, 600)
    assert detectable_difference(Scatter(0, 0.3, 0), 5, 900) == pytest.approx(0.01 * (1.96 + 0.8416), abs=1e-4)


def test_a_mean_is_over_the_answers_that_count_and_a_side_that_was_not_trained_has_one_row() -> None:
    right = np.tile([[1.0, 0, 1, 0], [1, 1, 1, 0]], 10)
    criteria = CrossedMarks(right * ([5, 4, 2, 1] * 10), right)
    base = marks([[2.0, 2, 3, 3] * 10])
    assert criteria.mean() == pytest.approx((5 + 2 + 5 + 4 + 2) / 5)
    found = crossed_bounds(criteria, base)
    assert found.difference == pytest.approx(3.6 - 2.5)
    assert found.low < found.difference < found.high


def test_equal_answers_differ_by_nothing_and_none_that_counts_have_no_mean() -> None:
    same = marks([[1.0, 0, 1], [0, 1, 1]])
    assert crossed_bounds(same, same) == Bounds(0.0, 0.0, 0.0)
    none = CrossedMarks(np.zeros((2, 3)), np.zeros((2, 3)))
    assert all(map(math.isnan, crossed_bounds(none, same)))


def test_the_same_answers_have_the_same_interval_each_time() -> None:
    first, second = marks(np.eye(4)), marks(np.zeros((4, 4)))
    assert crossed_bounds(first, second) == crossed_bounds(first, second)
