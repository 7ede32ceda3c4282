"""What so many questions can show: how often a gate passes, which difference is found, how many it takes.

Each is counted over all tables of gains and losses by the interval that decides, so that what is said of an interval is
true of it. Where answers hang together, the questions are those of EffectiveTable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from dtbench.harness.stats.distributions import NORMAL, binomial_chance, binomial_tail
from dtbench.harness.stats.paired_tests import TAIL, tango_score

POWER = 0.8
"""How often a difference is to be found."""
_WIDE = 5.0
"""Standard deviations of the number of changed questions that are looked at."""
_POINTS = 120
_MOST = 1 << 40


class _Changes(NamedTuple):
    changed: int
    chance: float


def power_of_passing(n: float, flips: float, margin: float, tail: float) -> float:
    """Return how often a gate passes a candidate that is as good as the baseline."""
    size, z = _whole(n), NORMAL.inv_cdf(1 - tail)

    def passes(gained: int, count: int) -> bool:
        return tango_score(gained, count - gained, size, -margin) > z

    return _chance(size, flips, 0.5, passes)


def questions_needed(flips: float, margin: float, tail: float) -> int | None:
    """Return how many questions pass a candidate as good as the baseline four times in five; None where none do."""
    if margin <= 0:
        return None
    return _fewest(lambda n: power_of_passing(n, flips, margin, tail) >= POWER)


def power_of_finding(n: float, flips: float, difference: float, tail: float = TAIL) -> float:
    """Return how often the interval of a difference of this size leaves out zero."""
    size, z = _whole(n), NORMAL.inv_cdf(1 - tail)
    changed = max(flips, difference)

    def found(gained: int, count: int) -> bool:
        return 2 * gained - count > z * math.sqrt(count)

    return _chance(size, changed, (1 + difference / changed) / 2 if changed else 0.5, found)


@lru_cache(maxsize=1024)  # the pages and tables of two runs ask for the same ones again
def minimum_detectable(n: float, flips: float) -> float | None:
    """Return the difference that n questions show four times in five, where a share `flips` of them changes."""
    if n < 1 or power_of_finding(n, flips, 1.0) < POWER:
        return None
    low, high = 0.0, 1.0
    while high - low > 1e-5:
        middle = (low + high) / 2
        if power_of_finding(n, flips, middle) < POWER:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=1024)
def questions_to_find(flips: float, difference: float) -> int | None:
    """Return how many questions show a difference of this size four times in five."""
    if difference <= 0:
        return None
    return _fewest(lambda n: power_of_finding(n, flips, difference) >= POWER)


def _fewest(enough: Callable[[int], bool]) -> int | None:
    high = 1
    while not enough(high):
        high *= 2
        if high > _MOST:
            return None
    low = high // 2
    while high - low > max(1, high // 500):
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def _whole(n: float) -> int:
    return max(1, round(n))


def _chance(n: int, flips: float, gain: float, counts: Callable[[int, int], bool]) -> float:
    """Return the chance of tables that count: so many questions change, each for the better with chance `gain`."""
    total = whole = 0.0
    for count, chance in _changes(n, flips):
        whole += chance
        total += chance * binomial_tail(_least(count, counts), count, gain)
    return total / whole


def _changes(n: int, flips: float) -> Iterator[_Changes]:
    """Yield numbers of changed questions with their chances; of very many every second, third and so on."""
    share = min(1.0, flips)
    middle, wide = n * share, _WIDE * math.sqrt(n * share * (1 - share)) + 5
    low, high = max(0, math.floor(middle - wide)), min(n, math.ceil(middle + wide))
    for count in range(low, high + 1, max(1, (high - low) // _POINTS)):
        yield _Changes(count, binomial_chance(count, n, share))


def _least(count: int, counts: Callable[[int, int], bool]) -> int:
    """Return the fewest gains among changed questions with which a table counts; one more than all where none do."""
    low, high = -1, count + 1
    while high - low > 1:
        middle = (low + high) // 2
        if counts(middle, count):
            high = middle
        else:
            low = middle
    return high


def decidable_drop(n: float, flips: float, tail: float, power: float) -> float | None:
    """Return the smallest margin, in steps of a tenth of a point, that passes an equal candidate so often."""
    low, high = 0, 1000
    if n < 1 or power_of_passing(n, flips, high / 1000, tail) < power:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_of_passing(n, flips, middle / 1000, tail) >= power:
            high = middle
        else:
            low = middle
    return high / 1000
