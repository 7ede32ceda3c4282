"""Paired tests and intervals held to what they promise: by counting all tables, by libraries, and by drawing runs."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtbench.harness.stats.paired_tests import (
    PairedShares,
    SharePairs,
    bounds,
    chance_of_equal,
    chance_of_no_loss,
    cochran_q,
    effective_table,
    holm,
    mcnemar,
    pooled,
    sign_flip_test,
    tango,
    too_few_clusters,
)
from dtbench.harness.stats.power import power_of_passing


@pytest.mark.parametrize(("gain", "loss"), [(0.1, 0.1), (0.02, 0.12), (0.3, 0.05), (0.0, 0.1), (0.01, 0.01)])
@pytest.mark.parametrize(("n", "slack"), [(25, 0.03), (60, 0.025), (200, 0.02)])
def test_each_limit_is_passed_as_seldom_as_it_says(n: int, slack: float, gain: float, loss: float) -> None:
    tail, truth = 0.05, gain - loss
    below = above = 0.0
    for gained, lost in itertools.product(range(n + 1), repeat=2):
        if gained + lost <= n:
            ways = math.comb(n, gained) * math.comb(n - gained, lost)
            chance = ways * gain**gained * loss**lost * (1 - gain - loss) ** (n - gained - lost)
            if chance > 1e-8:
                found = tango(gained, lost, n, tail)
                below += chance * (truth < found.low)
                above += chance * (truth > found.high)
    assert below <= tail + slack
    assert above <= tail + slack


def test_a_loss_is_sure_as_seldom_as_it_says_where_there_is_none() -> None:
    for n, each in ((20, 0.2), (60, 0.05), (200, 0.1)):
        sure = 0.0
        for gained, lost in itertools.product(range(n + 1), repeat=2):
            if gained + lost <= n:
                ways = math.comb(n, gained) * math.comb(n - gained, lost)
                chance = ways * each ** (gained + lost) * (1 - 2 * each) ** (n - gained - lost)
                if chance > 1e-9:
                    pairs = [PairedShares(0, 1, f"g{k}") for k in range(gained)] + [
                        PairedShares(1, 0, f"l{k}") for k in range(lost)
                    ]
                    sure += chance * (chance_of_no_loss(pairs) <= 0.05)
        assert sure <= 0.05


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200))
def test_the_interval_holds_the_difference_and_turns_round(gained: int, lost: int, rest: int) -> None:
    n = gained + lost + rest
    found, turned = tango(gained, lost, n, 0.025), tango(lost, gained, n, 0.025)
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert turned == pytest.approx((-found.difference, -found.high, -found.low), abs=1e-9)


def test_two_runs_that_never_differ_are_not_certain_to_be_equal() -> None:
    found = tango(0, 0, 100, 0.025)
    assert found.difference == 0
    assert -0.05 < found.low < 0 < found.high < 0.05
    assert tango(0, 0, 1000, 0.025).low > found.low


def test_mcnemar_is_the_binomial_of_the_changed_ones() -> None:
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar(3, 3) == 1
    assert mcnemar(1200, 1000) == pytest.approx(mcnemar(1000, 1200))


def test_many_looks_cost_what_holm_says() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def clips(rng: random.Random, count: int, size: int, gap: float) -> list[PairedShares]:
    """Questions in clusters that change together."""
    pairs = []
    for clip in range(count):
        roll = rng.random()
        change = 1 if roll < 0.1 + max(0.0, gap) else -1 if roll < 0.2 + abs(gap) else 0
        for _ in range(size):
            before = rng.random() < 0.5
            right = {1: (0, 1), -1: (1, 0), 0: (int(before), int(before))}[change]
            pairs.append(PairedShares(*right, cluster=str(clip)))
    return pairs


def test_questions_that_hang_together_widen_the_interval_to_what_it_takes() -> None:
    rng = random.Random(1)
    missed = narrow = 0
    for _ in range(300):
        pairs = clips(rng, 60, 5, 0.0)
        found = bounds(pairs, 0.025)
        missed += not found.low <= 0 <= found.high
        alone = tango(sum(p.after > p.before for p in pairs), sum(p.after < p.before for p in pairs), len(pairs), 0.025)
        narrow += not alone.low <= 0 <= alone.high
    assert missed / 300 < 0.08
    assert narrow / 300 > 0.2, "as if each question stood alone, the interval would be far too narrow"


def test_repeats_of_a_question_are_one_pair_of_shares() -> None:
    pairs = [
        PairedShares(0.25, 0.75, "a"),
        PairedShares(1.0, 0.5, "b"),
        PairedShares(0.5, 0.5, "c"),
        PairedShares(0.0, 0.25, "d"),
    ]
    found = bounds(pairs, 0.025)
    assert found.difference == pytest.approx(0.0625)
    assert found.low < 0 < found.high


def verdict_of(pairs: list[PairedShares], margin: float, alpha: float) -> str:
    found = bounds(pairs, alpha)
    return "passed" if found.low > -margin else "regressed" if chance_of_no_loss(pairs) <= alpha else "undecided"


def drawn(rng: random.Random, n: int, gain: float, loss: float) -> list[PairedShares]:
    pairs = []
    for number in range(n):
        roll = rng.random()
        right = (0, 1) if roll < gain else (1, 0) if roll < gain + loss else (1, 1)
        pairs.append(PairedShares(*right, cluster=str(number)))
    return pairs


def share_of(verdict: str, draw: Callable[[], list[PairedShares]], times: int = 400) -> float:
    return sum(verdict_of(draw(), 0.02, 0.05) == verdict for _ in range(times)) / times


def test_a_gates_false_alarms_stay_within_alpha_and_its_power_is_what_it_says() -> None:
    rng = random.Random(7)
    n, flips, slack = 1500, 0.08, 3 * math.sqrt(0.05 * 0.95 / 400)
    assert share_of("regressed", lambda: drawn(rng, n, flips / 2, flips / 2)) <= 0.05 + slack
    assert share_of("passed", lambda: drawn(rng, n, flips / 2 - 0.01, flips / 2 + 0.01)) <= 0.05 + slack
    told = power_of_passing(n, flips, 0.02, 0.05)
    found = share_of("passed", lambda: drawn(rng, n, flips / 2, flips / 2))
    assert found == pytest.approx(told, abs=0.06)
    assert 0.5 < told < 0.95


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (5, 0), (7, 12), (90, 61), (3000, 2900)])
def test_the_exact_test_is_that_of_statsmodels(gained: int, lost: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar as reference

    expected = reference([[10, gained], [lost, 10]], exact=True).pvalue
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-9)
    signs = [1.0] * gained + [-1.0] * lost
    assert sign_flip_test(signs).two_sided == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(-8, 8), min_size=1, max_size=11), st.sampled_from([1, 2, 4, 5, 8]))
def test_the_sign_test_counts_every_way_to_turn_the_signs(steps: list[int], answers: int) -> None:
    gaps = [step / answers for step in steps]
    ways = [
        math.fsum(map(math.prod, zip(signs, gaps, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(gaps))
    ]
    found = math.fsum(gaps)
    test = sign_flip_test(gaps)
    assert test.two_sided == pytest.approx(sum(abs(way) >= abs(found) - 1e-9 for way in ways) / len(ways))
    if any(steps):
        assert test.worse == pytest.approx(sum(way <= found + 1e-9 for way in ways) / len(ways))


def test_many_fine_differences_are_tested_by_students_t() -> None:
    from scipy import stats

    dice = random.Random(3)
    gaps = [dice.gauss(0.05, 0.4) for _ in range(300)]
    test = sign_flip_test(gaps)
    assert test.two_sided == pytest.approx(float(stats.ttest_1samp(gaps, 0).pvalue), rel=1e-6)


def test_the_p_value_knows_shared_clips() -> None:
    # 30 clips of 10 questions: 8 clips gained, 5 lost. Of single questions McNemar would say 0.011.
    pairs = [
        PairedShares(*((0, 1) if clip < 8 else (1, 0) if clip < 13 else (1, 1)), f"{clip}")
        for clip in range(30)
        for _ in range(10)
    ]
    assert chance_of_equal(pairs) == pytest.approx(mcnemar(8, 5))


def test_the_p_value_knows_repeats() -> None:
    # A gain of an eighth at 120 questions, a loss of the whole at 15: the mean did not move.
    pairs = [PairedShares(0.5, 0.625, f"{n}") for n in range(120)] + [PairedShares(1, 0, f"l{n}") for n in range(15)]
    assert chance_of_equal(pairs) > 0.9


def test_clips_that_vary_no_more_than_their_questions_count_as_questions() -> None:
    dice = random.Random(4)
    pairs = [
        PairedShares(*right, f"{n % 200}")
        for n in range(1000)
        for right in [dice.choice([(0, 1), (1, 0), (1, 1), (1, 1)])]
    ]
    table = effective_table(pairs, 0.025)
    assert table is not None
    assert 700 < table.n <= 1000


def test_few_clusters_are_counted_and_single_answers_are_none() -> None:
    few = clips(random.Random(1), 39, 5, 0.0)
    assert too_few_clusters(few) == 39
    assert too_few_clusters(clips(random.Random(1), 40, 5, 0.0)) is None
    assert too_few_clusters(drawn(random.Random(1), 12, 0.2, 0.2)) is None


def test_the_mean_of_tasks_is_as_wide_as_its_parts_together_are() -> None:
    one = tango(60, 40, 1000, 0.025)
    mean = pooled([one, one])
    assert mean.difference == one.difference
    assert mean.high - mean.low == pytest.approx((one.high - one.low) / math.sqrt(2))
    assert pooled([one]) == pytest.approx(one)


def test_the_test_of_several_runs_is_cochrans() -> None:
    from statsmodels.stats.contingency_tables import cochrans_q

    dice = random.Random(5)
    rows = [[dice.random() < share for share in (0.5, 0.55, 0.62, 0.4)] for _ in range(300)]
    assert cochran_q(rows) == pytest.approx(float(cochrans_q(rows).pvalue), rel=1e-6)
    assert cochran_q([[True, True]] * 9) == 1.0


UNEVEN = {
    2: [(3, 2, 0), (5, 0, 3)],
    3: [(1, 1, 0), (4, 3, 1), (6, 1, 0)],
    6: [(5, 5, 0), (2, 0, 0), (7, 6, 0), (1, 0, 1), (4, 4, 0), (3, 0, 0)],
    12: [(size, size if size % 3 else 0, 0) for size in (1, 9, 2, 8, 3, 7, 4, 6, 5, 5, 10, 2)],
}
"""Clusters of (questions, gained, lost): of unequal size, most with a difference far from zero."""


@pytest.mark.parametrize("count", UNEVEN)
def test_clusters_of_unequal_size_widen_the_interval_as_cluster_robust_errors_and_students_t_do(count: int) -> None:
    import numpy
    from scipy import stats
    from statsmodels.regression.linear_model import OLS

    pairs = [
        PairedShares(*((0, 1) if number < gained else (1, 0) if number < gained + lost else (1, 1)), f"{cluster}")
        for cluster, (size, gained, lost) in enumerate(UNEVEN[count])
        for number in range(size)
    ]
    gaps = numpy.array([pair.after - pair.before for pair in pairs])
    fitted = OLS(gaps, numpy.ones(len(gaps)))
    clusters = numpy.array([int(pair.cluster) for pair in pairs])
    robust = float(fitted.fit(cov_type="cluster", cov_kwds={"groups": clusters}).cov_params()[0, 0])
    single = float((gaps**2).mean() - gaps.mean() ** 2) / len(gaps)
    wider = (stats.t.ppf(0.975, count - 1) / stats.norm.ppf(0.975)) ** 2
    table = effective_table(pairs, 0.025)
    assert table is not None
    variance = (table.flips - ((table.gained - table.lost) / table.n) ** 2) / table.n
    assert variance == pytest.approx(max(robust, single) * wider, rel=1e-9)
    assert (table.gained - table.lost) / table.n == pytest.approx(gaps.mean())
    assert bounds(pairs, 0.025).difference == pytest.approx(gaps.mean())


def test_one_cluster_says_nothing_and_clusters_that_never_change_count_once_each() -> None:
    assert bounds([PairedShares(0, 1, "one")] * 5, 0.025) == (1.0, -1.0, 1.0)
    still = [PairedShares(1, 1, f"{number // 4}") for number in range(40)]
    table = effective_table(still, 0.025)
    assert table is not None
    assert (table.gained, table.lost) == (0, 0)
    assert table.n == pytest.approx(10 * (1.959963985 / 2.262157163) ** 2, rel=1e-6)


def test_pairs_in_columns_show_what_the_same_pairs_show() -> None:
    pairs = [PairedShares(n % 3 / 2, n % 2, f"clip {n // 2}") for n in range(90)]
    columns = SharePairs.of(pairs)
    assert (len(columns), columns.count_clusters(), columns.stand_alone()) == (90, 45, False)
    assert (columns.mean_before(), columns.mean_after()) == (0.5, 0.5)
    assert (columns.gained(), columns.lost()) == (30, 30)
    assert columns[4] == (0.5, 0.0, "2")
    assert SharePairs.of(columns) is columns
    alone = SharePairs.of([PairedShares(0, 1, f"q{n}") for n in range(3)])
    assert (alone.clusters, alone.stand_alone(), alone[2].cluster) == (None, True, "2")
    assert (SharePairs.of([]).mean_before(), SharePairs.of([]).stand_alone()) == (None, True)
