"""How far a measured share can be trusted, and what several answers to one question say together.

The interval of a share is Wilson's; of a share whose answers hang together (one clip, one question) a bootstrap over
clusters; of a difference on the same questions Newcombe's for paired shares (Statistics in Medicine 17, 1998: method
10).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Z95 = 1.959963984540054
DRAWS = 10_000
_AT_ONCE = 2_000_000
"""The number of drawn counts in memory."""


class Share(NamedTuple):
    """A share of n with the 95 % interval of Wilson."""

    correct: int
    n: int
    accuracy: float
    low: float
    high: float


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


class Difference(NamedTuple):
    """The difference of two shares with its 95 % interval."""

    gap: float
    low: float
    high: float


def share(correct: int, n: int) -> Share:
    """Return the share and its interval; of nothing, zero and the whole range."""
    if n == 0:
        return Share(0, 0, 0.0, 0.0, 1.0)
    return Share(correct, n, correct / n, *wilson(correct / n, n))


def wilson(p: float, n: float) -> Interval:
    """Return the interval of Wilson of a share p among n independent questions."""
    z2 = Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At the ends, rounding leaves a hair on the wrong side.
    return Interval(max(0.0, middle - half) if p > 0 else 0.0, min(1.0, middle + half) if p < 1 else 1.0)


def clustered_interval(clusters: Iterable[tuple[int, int]], seed: int = 0) -> Interval:
    """Return the bootstrap interval of a share whose answers come in clusters: (correct, answers) of each, none empty.

    Clusters with the same counts are alike, so what is drawn is how often each kind comes: a multinomial.
    """
    kinds: Counter[tuple[float, int]] = Counter(clusters)
    first = next(iter(kinds))
    if all(correct * first[1] == first[0] * answers for correct, answers in kinds):
        return wilson(first[0] / first[1], kinds.total())  # nothing varies: drawing would find no width
    return _bootstrap(kinds, seed)


def _bootstrap(kinds: Counter[tuple[float, int]], seed: int) -> Interval:
    """Return the interval of sum / answers, where each kind of cluster occurs so many times."""
    import numpy

    ordered = sorted(kinds.items())
    times = numpy.array([count for _, count in ordered])
    sums, answers = (numpy.array(column, float) for column in zip(*(kind for kind, _ in ordered), strict=True))
    rng = numpy.random.default_rng(seed)
    means, part = [], max(1, _AT_ONCE // len(ordered))
    for start in range(0, DRAWS, part):
        drawn = rng.multinomial(times.sum(), times / times.sum(), size=min(part, DRAWS - start))
        means.append((drawn @ sums) / (drawn @ answers))
    low, high = numpy.quantile(numpy.concatenate(means), (0.025, 0.975))
    return Interval(float(low), float(high))


def paired_difference(pairs: Iterable[tuple[float, float]]) -> Difference | None:
    """Return first minus second over the same questions, each a share of right answers; None where there is no pair."""
    both = first = second = 0.0
    n = 0
    for one, other in pairs:
        both, first, second, n = both + one * other, first + one, second + other, n + 1
    if n == 0:
        return None
    p, q = first / n, second / n
    (p_low, p_high), (q_low, q_high) = wilson(p, n), wilson(q, n)
    phi = _correlation(both, first - both, second - both, n)
    down = _joined(p - p_low, q_high - q, phi)
    up = _joined(p_high - p, q - q_low, phi)
    return Difference(p - q, max(-1.0, p - q - down), min(1.0, p - q + up))


def clustered_difference(clusters: Sequence[tuple[float, float, int]]) -> Difference | None:
    """Compare as paired_difference() does, for questions that share clips: right answers and size of each cluster."""
    kinds = Counter((first - second, size) for first, second, size in clusters)
    total = sum(size for _, _, size in clusters)
    if len({gap / size for gap, size in kinds}) < 2:  # nothing varies: drawing would find no width
        return paired_difference((first / size, second / size) for first, second, size in clusters)
    return Difference(sum(gap * times for (gap, _), times in kinds.items()) / total, *_bootstrap(kinds, 0))


def _correlation(both: float, first_only: float, second_only: float, n: int) -> float:
    """Phi of the four-fold table, with Newcombe's correction for continuity."""
    neither = n - both - first_only - second_only
    margins = (both + first_only) * (second_only + neither) * (both + second_only) * (first_only + neither)
    if margins <= 0:
        return 0.0
    cross = both * neither - first_only * second_only
    return (max(cross - n / 2, 0.0) if cross > 0 else cross) / math.sqrt(margins)


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def pass_at(k: int, n: int, correct: int) -> float:
    """Return the chance that one of k answers is right, unbiased, from n answers of which some are correct."""
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} cannot be estimated from {n} answers")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def majority(choices: Iterable[str | None]) -> str | None:
    """Return the option that was chosen most often; None where two are level, or nothing was chosen."""
    ranked = Counter(choice for choice in choices if choice is not None).most_common(2)
    level = len(ranked) == 2 and ranked[0][1] == ranked[1][1]
    return None if level or not ranked else ranked[0][0]


def percentile(ordered: Sequence[float], q: float) -> float:
    """Return the value below which a share q of the ordered ones lies, between two by their distance."""
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
