from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtbench.harness.stats.intervals import (
    Z95,
    clustered_difference,
    clustered_interval,
    majority,
    paired_difference,
    pass_at,
    percentile,
    share,
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


def four_fold(both: int, first: int, second: int, neither: int) -> list[tuple[int, int]]:
    return [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither


def test_clusters_of_one_give_nearly_the_interval_of_wilson() -> None:
    interval = clustered_interval([(1, 1)] * 600 + [(0, 1)] * 400)
    assert interval == pytest.approx(wilson(0.6, 1000), abs=0.002)


def test_answers_that_always_agree_count_once() -> None:
    interval = clustered_interval([(5, 5)] * 120 + [(0, 5)] * 80)
    assert interval == pytest.approx(wilson(0.6, 200), abs=0.01)
    assert interval.high - interval.low > 2 * (wilson(0.6, 1000).high - wilson(0.6, 1000).low)


def test_the_clustered_interval_is_that_of_drawing_whole_clusters_one_by_one() -> None:
    dice = random.Random(5)
    clusters = [(dice.randint(0, size), size) for size in (dice.randint(1, 6) for _ in range(80))]
    shares = []
    for _ in range(4000):
        drawn = dice.choices(clusters, k=len(clusters))
        shares.append(sum(c for c, _ in drawn) / sum(n for _, n in drawn))
    low, high = percentile(sorted(shares), 0.025), percentile(sorted(shares), 0.975)
    assert clustered_interval(clusters) == pytest.approx((low, high), abs=0.008)


def test_the_clustered_interval_has_the_width_of_its_closed_form() -> None:
    dice = random.Random(6)
    clusters = [(dice.randint(0, size), size) for size in (dice.randint(1, 4) for _ in range(2000))]
    answers = sum(n for _, n in clusters)
    mean = sum(c for c, _ in clusters) / answers
    deviation = math.sqrt(sum((c - mean * n) ** 2 for c, n in clusters)) / answers
    assert clustered_interval(clusters) == pytest.approx((mean - Z95 * deviation, mean + Z95 * deviation), abs=0.001)


def test_the_clustered_interval_does_not_depend_on_the_order_and_comes_out_the_same_again() -> None:
    clusters = [(number % 3, 3) for number in range(60)] + [(1, 2)] * 7
    assert clustered_interval(clusters) == clustered_interval(reversed(clusters)) == clustered_interval(clusters)
    assert clustered_interval(clusters, seed=1) != clustered_interval(clusters)


@pytest.mark.parametrize("correct", [0, 3])
def test_where_all_clusters_are_alike_the_interval_still_has_a_width(correct: int) -> None:
    interval = clustered_interval([(correct, 3)] * 40)
    assert interval == wilson(correct / 3, 40)
    assert interval.high - interval.low > 0.05


def test_many_kinds_of_clusters_are_drawn_in_parts() -> None:
    clusters = [(number, 1000 + number) for number in range(700)]
    low, high = clustered_interval(clusters)
    share_of_all = sum(c for c, _ in clusters) / sum(n for _, n in clusters)
    assert low < share_of_all < high


def test_the_interval_of_a_paired_difference_is_the_published_one() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 2635, method 10, the table with 36, 12, 2 and 0 of 50.
    found = paired_difference(four_fold(36, 12, 2, 0))
    assert found is not None
    assert tuple(round(value, 4) for value in found) == (0.2, 0.0569, 0.3404)


@pytest.mark.parametrize(
    ("n", "table"), [(30, (0.5, 0.2, 0.1, 0.2)), (25, (0.2, 0.1, 0.1, 0.6)), (20, (0.7, 0.3, 0, 0))]
)
def test_the_paired_interval_holds_the_true_gap_as_often_as_it_says(n: int, table: tuple[float, ...]) -> None:
    truth = table[1] - table[2]
    held = 0.0
    for counts in _all_tables(n):
        chance = math.factorial(n) * math.prod(p**c / math.factorial(c) for p, c in zip(table, counts, strict=True))
        found = paired_difference(four_fold(*counts))
        assert found is not None
        held += chance * (found.low <= truth <= found.high)
    assert held >= 0.93


def _all_tables(n: int) -> Iterator[tuple[int, int, int, int]]:
    for a, b, c in itertools.product(range(n + 1), repeat=3):
        if a + b + c <= n:
            yield a, b, c, n - a - b - c


def test_a_positive_correlation_is_corrected_for_continuity() -> None:
    # 20 both, 12 and 2 one alone, 16 neither: phi is (20 * 16 - 12 * 2 - 50 / 2) over the root of the margins.
    phi = (320 - 24 - 25) / math.sqrt(32 * 18 * 22 * 28)
    (p_low, p_high), (q_low, q_high) = wilson(0.64, 50), wilson(0.44, 50)
    down = math.sqrt((0.64 - p_low) ** 2 - 2 * phi * (0.64 - p_low) * (q_high - 0.44) + (q_high - 0.44) ** 2)
    up = math.sqrt((p_high - 0.64) ** 2 - 2 * phi * (p_high - 0.64) * (0.44 - q_low) + (0.44 - q_low) ** 2)
    assert paired_difference(four_fold(20, 12, 2, 16)) == pytest.approx((0.2, 0.2 - down, 0.2 + up))


@given(st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(any))
def test_the_paired_interval_turns_round_with_its_runs(counts: list[int]) -> None:
    both, first, second, neither = counts
    found, turned = paired_difference(four_fold(*counts)), paired_difference(four_fold(both, second, first, neither))
    assert found is not None
    assert turned is not None
    assert -1 <= found.low <= found.gap <= found.high <= 1
    assert turned == pytest.approx((-found.gap, -found.high, -found.low))


def test_two_runs_that_never_differ_leave_a_gap_of_zero_that_is_not_certain() -> None:
    found = paired_difference(four_fold(30, 0, 0, 10))
    assert found is not None
    assert found.gap == 0
    assert found.low < 0 < found.high


def test_pairs_that_agree_make_the_interval_narrower_than_two_samples_would() -> None:
    together, apart = paired_difference(four_fold(50, 10, 0, 40)), paired_difference(four_fold(30, 30, 20, 20))
    assert together is not None
    assert apart is not None
    assert together.gap == pytest.approx(apart.gap)
    assert together.high - together.low < apart.high - apart.low


def test_without_pairs_there_is_no_difference() -> None:
    assert paired_difference([]) is None
    assert clustered_difference([]) is None


def test_clusters_of_one_question_are_pairs() -> None:
    counts = four_fold(30, 25, 10, 35)
    alone, clustered_ = paired_difference(counts), clustered_difference([(*pair, 1) for pair in counts])
    assert alone is not None
    assert clustered_ == pytest.approx(alone, abs=0.02)


def test_clusters_that_never_differ_leave_a_gap_that_is_not_certain() -> None:
    found = clustered_difference([(2, 2, 2), (1, 1, 3)] * 10)
    assert found is not None
    assert found.low < found.gap == 0 < found.high


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
