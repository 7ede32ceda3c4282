"""What is said of power, held to all tables counted one by one and to the interval that decides."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from dtbench.harness.stats.paired_tests import tango
from dtbench.harness.stats.power import (
    minimum_detectable,
    power_of_finding,
    power_of_passing,
    questions_needed,
    questions_to_find,
)


def counted(n: int, gain: float, loss: float, holds: Callable[[int, int], bool]) -> float:
    """The chance of the tables that hold, each table looked at."""
    chance = 0.0
    for gained, lost in itertools.product(range(n + 1), repeat=2):
        if gained + lost <= n:
            ways = math.comb(n, gained) * math.comb(n - gained, lost)
            one = ways * gain**gained * loss**lost * (1 - gain - loss) ** (n - gained - lost)
            if one > 1e-9 and holds(gained, lost):
                chance += one
    return chance


@pytest.mark.parametrize(
    ("n", "flips", "margin"), [(50, 0.01, 0.05), (25, 0.01, 0.05), (150, 0.1, 0.03), (80, 0.3, 0.1)]
)
def test_a_gate_passes_as_often_as_is_said(n: int, flips: float, margin: float) -> None:
    found = counted(n, flips / 2, flips / 2, lambda gained, lost: tango(gained, lost, n, 0.05).low > -margin)
    assert power_of_passing(n, flips, margin, 0.05) == pytest.approx(found, abs=0.002)


@pytest.mark.parametrize(("n", "flips", "difference"), [(120, 0.1, 0.06), (120, 0.02, 0.1), (60, 0.4, 0.15)])
def test_a_difference_is_found_as_often_as_is_said(n: int, flips: float, difference: float) -> None:
    changed = max(flips, difference)
    gain = (changed + difference) / 2
    found = counted(n, gain, changed - gain, lambda gained, lost: tango(gained, lost, n, 0.025).low > 1e-12)
    assert power_of_finding(n, flips, difference) == pytest.approx(found, abs=0.002)


@pytest.mark.parametrize(("flips", "margin"), [(0.1, 0.01), (0.01, 0.05), (0.02, 0.01), (0.16, 0.03)])
def test_as_many_questions_as_are_needed_pass_four_times_in_five(flips: float, margin: float) -> None:
    count = questions_needed(flips, margin, 0.05)
    assert count is not None
    assert 0.795 <= power_of_passing(count, flips, margin, 0.05) <= 0.99
    assert power_of_passing(0.9 * count, flips, margin, 0.05) < 0.82


def test_below_the_floor_of_the_interval_nothing_ever_passes() -> None:
    # z^2 (1 - m) / m questions, even where nothing at all changes.
    assert questions_needed(0.0, 0.01, 0.05) == pytest.approx(268, abs=1)
    assert power_of_passing(267, 0.0, 0.01, 0.05) == 0.0
    assert questions_needed(0.1, 0.0, 0.05) is None


@pytest.mark.parametrize("flips", [0.005, 0.02, 0.1, 0.4])
@pytest.mark.parametrize("n", [100, 500, 3000])
def test_what_is_detectable_is_found_four_times_in_five(n: int, flips: float) -> None:
    difference = minimum_detectable(n, flips)
    assert difference is not None
    assert power_of_finding(n, flips, difference) == pytest.approx(0.8, abs=0.03)
    count = questions_to_find(flips, difference)
    assert count == pytest.approx(n, rel=0.1)


def test_what_is_detectable_shrinks_with_the_root_of_the_questions() -> None:
    one, four = minimum_detectable(1000, 0.2), minimum_detectable(4000, 0.2)
    assert one is not None
    assert four == pytest.approx(one / 2, rel=0.02)
    assert minimum_detectable(0, 0.1) is None
    assert minimum_detectable(2, 0.1) is None
