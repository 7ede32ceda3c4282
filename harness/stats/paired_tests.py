"""What paired answers show: exact tests, intervals that hold for small and lopsided tables, and what they cannot see.

Pairs of single answers about clips of their own make a four-fold table: its interval is Tango's score interval
(Statistics in Medicine 17, 1998), its test McNemar's in exact form. Where questions share a clip, or are answered
several times, they hang together: the interval is then of the sums of each cluster, with Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

TAIL = 0.025
"""The chance that each limit of a 95 % interval is exceeded."""
POWER = 0.8
"""How often a difference is to be found."""
_NORMAL = NormalDist()
_STEPS = 60


class Bounds(NamedTuple):
    """A difference between two limits, each exceeded with the requested chance."""

    difference: float
    low: float
    high: float


class PairedShares(NamedTuple):
    """The shares of right answers that two runs have on one question, before and after."""

    before: float
    after: float
    cluster: str


def bounds(pairs: Sequence[PairedShares], tail: float) -> Bounds:
    """Return after minus before; each limit is exceeded with this chance at most."""
    if not pairs:
        return Bounds(0.0, -1.0, 1.0)
    if _stand_alone(pairs):
        gained = sum(pair.after > pair.before for pair in pairs)
        lost = sum(pair.after < pair.before for pair in pairs)
        return tango(gained, lost, len(pairs), tail)
    return _clustered(pairs, tail)


def tango(gained: int, lost: int, n: int, tail: float) -> Bounds:
    """Return the score interval of (gained - lost) / n."""
    z = _NORMAL.inv_cdf(1 - tail)
    difference = (gained - lost) / n

    def score(delta: float) -> float:
        a, b, c = 2 * n, -gained - lost + (2 * n - gained + lost) * delta, -lost * delta * (1 - delta)
        # The chance of a loss that fits best where the difference is delta.
        q = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = n * (2 * q + delta * (1 - delta))
        distance = gained - lost - n * delta
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)

    low = _root(lambda delta: score(delta) - z, -1.0, difference)
    high = _root(lambda delta: score(delta) + z, difference, 1.0)
    return Bounds(difference, low, high)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Find where a falling function crosses zero."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _clustered(pairs: Sequence[PairedShares], tail: float) -> Bounds:
    sums: dict[str, list[float]] = {}
    for pair in pairs:
        one = sums.setdefault(pair.cluster, [0.0, 0.0])
        one[0] += pair.after - pair.before
        one[1] += 1
    n, clusters = len(pairs), len(sums)
    difference = math.fsum(gap for gap, _ in sums.values()) / n
    if clusters < 2:
        return Bounds(difference, -1.0, 1.0)
    squares = math.fsum((gap - difference * size) ** 2 for gap, size in sums.values())
    error = math.sqrt(squares * clusters / (clusters - 1)) / n
    if error == 0.0:  # nothing varies: as many clusters, each one pair that did not change
        level = tango(0, 0, clusters, tail)
        return Bounds(difference, max(-1.0, difference + level.low), min(1.0, difference + level.high))
    half = _t_quantile(1 - tail, clusters - 1) * error
    return Bounds(difference, max(-1.0, difference - half), min(1.0, difference + half))


def _t_quantile(share: float, freedom: int) -> float:
    """Student's t, by the expansion of Cornish and Fisher: right to 0.1 % from 5 degrees of freedom on."""
    z = _NORMAL.inv_cdf(share)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))


def mcnemar(gained: int, lost: int) -> float:
    """Return the chance of a split at least as uneven where neither is better, exactly."""
    flips, fewer = gained + lost, min(gained, lost)
    if flips == 0:
        return 1.0
    tail = sum(math.comb(flips, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << flips))


def surely_worse(pairs: Sequence[PairedShares], chance: float) -> bool:
    """Whether there is a loss, wrongly said so with this chance at most; exactly so for single answers."""
    if _stand_alone(pairs):
        gained = sum(pair.after > pair.before for pair in pairs)
        lost = sum(pair.after < pair.before for pair in pairs)
        flips = gained + lost
        as_many = sum(math.comb(flips, k) for k in range(lost, flips + 1))
        return lost > gained and as_many / (1 << flips) <= chance
    return bounds(pairs, chance).high < 0


def _stand_alone(pairs: Sequence[PairedShares]) -> bool:
    """Whether each is one answer in both runs, about a clip of its own."""
    single = all(pair.before in {0, 1} and pair.after in {0, 1} for pair in pairs)
    return single and len({pair.cluster for pair in pairs}) == len(pairs)


def holm(chances: Sequence[float]) -> list[float]:
    """Adjust chances for so many looks, by Holm's steps."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    adjusted, highest = [0.0] * len(chances), 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - step) * chances[place]))
        adjusted[place] = highest
    return adjusted


def minimum_detectable(n: float, flips: float) -> float | None:
    """Return the difference that n questions show with this power, where a share `flips` of them changes."""
    if n <= 0:
        return None
    return min(1.0, (_NORMAL.inv_cdf(1 - TAIL) + _NORMAL.inv_cdf(POWER)) * math.sqrt(max(flips, 1 / n) / n))


def questions_needed(flips: float, margin: float, tail: float) -> int | None:
    """Return how many questions show with this power that a candidate as good as the baseline is within the margin."""
    if margin <= 0:
        return None
    return math.ceil(flips * ((_NORMAL.inv_cdf(1 - tail) + _NORMAL.inv_cdf(POWER)) / margin) ** 2)


def power_of_passing(n: float, flips: float, margin: float, tail: float) -> float:
    """Return how often a gate passes a candidate that is as good as the baseline."""
    error = math.sqrt(max(flips, 1 / n) / n)
    return _NORMAL.cdf(margin / error - _NORMAL.inv_cdf(1 - tail))
