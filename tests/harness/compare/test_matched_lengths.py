from __future__ import annotations

import random
from typing import Any

import pytest

from dtbench.harness.compare import matched_lengths
from dtbench.harness.compare.matched_lengths import PairedChains
from dtbench.harness.stats.paired_tests import PairedShares

matched_length_figures: Any = matched_lengths.matched_length_figures


def pair(number: int, before: float, after: float, lengths: tuple[float, float], clip: str = "") -> PairedChains:
    return PairedChains(PairedShares(before, after, clip or f"id {number}"), *lengths)


def thinking(n: int, *, dice: random.Random, longer: float, gain: float = 0.0) -> list[PairedChains]:
    """Answers that are right the more often the longer their chains, in a second run that thinks longer."""
    pairs = []
    for number in range(n):
        lengths = (dice.randrange(1, 1000), dice.randrange(1, 1000) + longer)
        right = dice.random() < 0.3 + lengths[0] / 4000
        right_after = dice.random() < 0.3 + lengths[1] / 4000 + gain
        pairs.append(pair(number, float(right), float(right_after), lengths))
    return pairs


def test_where_both_think_equally_long_the_difference_is_the_plain_one() -> None:
    pairs = [pair(n, float(n % 3 == 0), float(n % 2 == 0), (100, 100)) for n in range(60)]
    found = matched_length_figures(pairs)
    assert (found["n"], len(found["parts"])) == (60, 1)
    assert found["difference"] == pytest.approx(30 / 60 - 20 / 60)
    gaps = [one.shares.after - one.shares.before for one in pairs]
    variance = sum((gap - 10 / 60) ** 2 for gap in gaps) / 59
    assert found["high"] - found["difference"] == pytest.approx(2.000995 * (variance / 60) ** 0.5, rel=1e-5)


def test_within_each_part_runs_are_compared_and_weighted_as_mantel_and_haenszel_do() -> None:
    # Short chains: 3 of 10 before, 1 of 4 after; long ones: 4 of 6 before, 9 of 12 after.
    before = [(1.0, 10)] * 3 + [(0.0, 10)] * 7 + [(1.0, 500)] * 4 + [(0.0, 500)] * 2
    after = [(1.0, 10)] * 1 + [(0.0, 10)] * 3 + [(1.0, 500)] * 9 + [(0.0, 500)] * 3
    pairs = [pair(n, one[0], two[0], (one[1], two[1])) for n, (one, two) in enumerate(zip(before, after, strict=True))]
    found = matched_length_figures(pairs)
    assert [(one["n_before"], one["n_after"]) for one in found["parts"]] == [(10, 4), (6, 12)]
    weights = (10 * 4 / 14, 6 * 12 / 18)
    gaps = (1 / 4 - 3 / 10, 9 / 12 - 4 / 6)
    expected = sum(weight * gap for weight, gap in zip(weights, gaps, strict=True)) / sum(weights)
    assert found["difference"] == pytest.approx(expected)


def test_a_run_that_is_better_for_its_length_alone_is_no_better_at_matched_lengths() -> None:
    dice, inside, plain = random.Random(1), 0, []
    for _ in range(200):
        pairs = thinking(250, dice=dice, longer=400)
        found = matched_length_figures(pairs)
        inside += found["low"] <= 0 <= found["high"]
        plain.append(sum(one.shares.after - one.shares.before for one in pairs) / len(pairs))
    assert 0.92 <= inside / 200 <= 0.99
    assert sum(plain) / len(plain) == pytest.approx(0.1, abs=0.02)


def test_a_true_gain_is_found_in_as_many_cases_as_the_interval_says() -> None:
    dice = random.Random(2)
    found = [matched_length_figures(thinking(250, dice=dice, longer=200, gain=0.2)) for _ in range(200)]
    assert 0.92 <= sum(one["low"] <= 0.2 <= one["high"] for one in found) / 200 <= 0.99


def test_questions_about_one_clip_widen_the_interval() -> None:
    alone = [pair(n, float(n % 2), float(n % 4 > 0), (50 + n // 4 % 3, 50)) for n in range(80)]
    copies = [one for one in alone for _ in range(3)]
    together = [pair(n, one.shares.before, one.shares.after, (one.before, one.after), f"c{n // 3}") for n, one in
                enumerate(copies)]  # fmt: skip
    one, other = matched_length_figures(alone), matched_length_figures(together)
    assert other["difference"] == pytest.approx(one["difference"])
    assert other["high"] - other["low"] == pytest.approx(one["high"] - one["low"], rel=0.01)


def test_answers_without_a_chain_are_left_out_and_few_chains_say_nothing() -> None:
    pairs = thinking(20, dice=random.Random(3), longer=0)
    silent = [pair(100 + n, 1.0, 1.0, (0, 50)) for n in range(9)]
    assert matched_length_figures([*pairs, *silent])["n"] == 20
    assert matched_length_figures(pairs[:15]) is None


def test_runs_whose_lengths_never_meet_have_no_difference() -> None:
    pairs = [pair(n, 1.0, 0.0, (10, 1000 + n)) for n in range(20)]
    assert matched_length_figures(pairs) == {"n": 20, "difference": None, "low": None, "high": None, "parts": []}
