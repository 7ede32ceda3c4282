from __future__ import annotations

import pytest

from dtbench.harness.stats import share

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
