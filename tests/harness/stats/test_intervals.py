from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtbench.harness.stats.intervals import (
    Z95,
    clustered_interval,
    majority,
    pass_at,
    percentile,
    share,
    trimmed_mean,
    wilson,
)

# Newcombe, Statistics in Medicine 17 (1998), table I, method 3: the interval of Wilson without correction.
PUBLISHED = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("correct", "n", "low", "high"), PUBLISHED)
def test_the_interval_is_the_published_one(correct: int, n: int, low: float, high: float) -> None:
    found = share(correct, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.accuracy == correct / n


@pytest.mark.parametrize("n", [1, 7, 1000, 5000])
def test_the_interval_stays_within_zero_and_one_and_holds_the_share(n: int) -> None:
    for correct in {0, 1, n // 2, n - 1, n}:
        found = share(correct, n)
        assert 0.0 <= found.low <= found.accuracy <= found.high <= 1.0


def test_more_items_make_the_interval_narrower() -> None:
    few, many = share(6, 10), share(600, 1000)
    assert many.high - many.low < few.high - few.low


def test_of_nothing_the_share_is_zero_and_nothing_is_known() -> None:
    assert share(0, 0) == (0, 0, 0.0, 0.0, 1.0)


def test_clusters_of_one_give_nearly_the_interval_of_wilson() -> None:
    interval = clustered_interval([(1, 1)] * 600 + [(0, 1)] * 400)
    assert interval == pytest.approx(wilson(0.6, 1000), abs=0.002)


def test_answers_that_always_agree_count_once() -> None:
    interval = clustered_interval([(5, 5)] * 120 + [(0, 5)] * 80)
    assert interval == pytest.approx(wilson(0.6, 200), abs=0.01)
    assert interval.high - interval.low > 2 * (wilson(0.6, 1000).high - wilson(0.6, 1000).low)


def test_the_clustered_interval_does_not_depend_on_the_order() -> None:
    clusters = [(number % 3, 3) for number in range(60)] + [(1, 2)] * 7
    assert clustered_interval(clusters) == pytest.approx(clustered_interval(reversed(clusters)))


def test_many_clusters_have_the_interval_of_their_robust_variance() -> None:
    dice = random.Random(6)
    clusters = [(dice.randint(0, size), size) for size in (dice.randint(1, 4) for _ in range(2000))]
    answers = sum(n for _, n in clusters)
    mean = sum(c for c, _ in clusters) / answers
    deviation = math.sqrt(sum((c - mean * n) ** 2 for c, n in clusters)) / answers
    assert clustered_interval(clusters) == pytest.approx((mean - Z95 * deviation, mean + Z95 * deviation), abs=0.001)


@pytest.mark.parametrize("correct", [0, 3])
def test_where_all_clusters_are_alike_the_interval_still_has_a_width(correct: int) -> None:
    interval = clustered_interval([(correct, 3)] * 40)
    assert interval == wilson(correct / 3, 40)
    assert interval.high - interval.low > 0.05


def test_of_one_cluster_nothing_is_known() -> None:
    assert clustered_interval([(2, 3)]) == (0, 1)


def test_a_hundred_answers_to_each_of_few_questions_are_not_more_than_there_are() -> None:
    level = clustered_interval([(50, 100)] * 20 + [(51, 100), (49, 100)])
    assert level.high - level.low >= 0.99 * (wilson(0.5, 2200).high - wilson(0.5, 2200).low)


@pytest.mark.parametrize("n", [4, 30, 1000])
def test_the_interval_of_a_share_is_that_of_statsmodels(n: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    for correct in range(0, n + 1, max(1, n // 7)):
        assert share(correct, n)[3:] == pytest.approx(proportion_confint(correct, n, method="wilson"), abs=1e-12)


@pytest.mark.parametrize(("n", "correct"), [(1, 0), (1, 1), (6, 0), (6, 2), (6, 5), (6, 6)])
def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_answer(n: int, correct: int) -> None:
    answers = [number < correct for number in range(n)]
    for k in range(1, n + 1):
        draws = list(itertools.combinations(answers, k))
        assert pass_at(k, n, correct) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_is_unbiased() -> None:
    chance, n, k = Fraction(3, 10), 7, 3
    estimate = sum(
        math.comb(n, c) * chance**c * (1 - chance) ** (n - c) * Fraction(pass_at(k, n, c)).limit_denominator(10**6)
        for c in range(n + 1)
    )
    assert float(estimate) == pytest.approx(float(1 - (1 - chance) ** k))


@pytest.mark.parametrize("k", [0, 4])
def test_pass_at_k_is_not_made_up_beyond_the_answers_there_are(k: int) -> None:
    with pytest.raises(ValueError, match=f"pass@{k} cannot be estimated from 3 answers"):
        pass_at(k, 3, 1)


@pytest.mark.parametrize(
    ("choices", "winner"),
    [
        (["a", "b", "a"], "a"),
        (["a", "b"], None),
        (["a", "a", "b", "b", "c"], None),
        (["a", None, None], "a"),
        (["b", "b", "a", None, None, None], "b"),
        ([None, None], None),
        ([], None),
    ],
)
def test_the_majority_is_what_was_chosen_most_often_and_a_tie_is_no_answer(
    choices: list[str | None], winner: str | None
) -> None:
    assert majority(choices) == majority(reversed(choices)) == winner


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.floats(0, 1))
def test_percentiles_are_those_of_numpy(values: list[float], q: float) -> None:
    import numpy

    assert percentile(sorted(values), q) == pytest.approx(float(numpy.quantile(values, q)), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("n", [1, 9, 400])
def test_the_interval_of_a_mean_over_repeats_is_that_of_its_questions(n: int) -> None:
    assert wilson(1 / 3, 3 * n) == pytest.approx(share(n, 3 * n)[3:])


@pytest.mark.parametrize(
    ("marks", "mean"), [((0.5,), 0.5), ((0, 1), 0.5), ((1, 0, 0), 0), ((1, 0.25, 0.75, 0), 0.5), ((0, 1, 1, 1, 1), 1)]
)
def test_of_three_or_more_marks_the_lowest_and_the_highest_are_dropped(marks: tuple[float, ...], mean: float) -> None:
    assert trimmed_mean(marks) == mean
