"""How far a measured share can be trusted, and what several answers to one question say together.

The interval of a share is Wilson's. Answers that hang together (one clip, one question) count for as many independent
ones as have the variance that their clusters show. The mean of marks between 0 and 1 has the interval of as many right
and wrong answers as vary as they do: at the same width, Student's interval misses more often, and at one end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.stats.distributions import t_quantile

Z95 = 1.959963984540054
_NOTHING = 1e-12
_ROUNDING = 1e-6


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


def clustered_interval(clusters: Iterable[tuple[float, int]], *, partial: bool = False) -> Interval:
    """Return the interval of a share whose answers come in clusters: (correct, answers) of each, none empty.

    With `partial` marks between 0 and 1 are summed in place of right answers: they vary less than right and wrong do,
    and may count for more of those than they are.
    """
    kinds = list(clusters)
    count, answers = len(kinds), sum(size for _, size in kinds)
    if count < 2:
        return Interval(0.0, 1.0)
    p = math.fsum(correct for correct, _ in kinds) / answers
    squares = math.fsum((correct - p * size) ** 2 for correct, size in kinds) * count / (count - 1)
    return _of_variance(p, answers, squares, count, math.inf if partial else answers)


def marks_interval(marks: Mapping[float, int]) -> Interval:
    """Return the interval of the mean of marks from 0 to 1, each with how often it came, of independent answers."""
    n = sum(marks.values())
    if n < 2:
        return Interval(0.0, 1.0)
    p = mean_mark(marks)
    if marks.keys() <= {0, 1}:
        return wilson(p, n)
    squares = math.fsum(times * (mark - p) ** 2 for mark, times in sorted(marks.items())) * n / (n - 1)
    return _of_variance(p, n, squares, n, math.inf)


def mean_mark(marks: Mapping[float, int]) -> float:
    """Return the mean of one or more marks, each with how often it came, in whatever order they are."""
    return math.fsum(mark * times for mark, times in marks.items()) / sum(marks.values())


def has_partial_marks(mean: float, full: int, n: int) -> bool:
    """Whether the mean of n marks of which so many are full ones shows that some are between 0 and 1."""
    return abs(mean * n - full) > _ROUNDING


def _of_variance(p: float, answers: int, squares: float, count: int, most: float) -> Interval:
    """Return Wilson's interval of as many right and wrong answers, at most so many, as have the variance found."""
    if squares < _NOTHING:  # nothing varies: a cluster is the least that is independent of the others
        return wilson(p, count)
    effective = min(most, p * (1 - p) * answers**2 / squares)
    # The variance is estimated from the clusters: Student's t in place of z, as so many answers fewer.
    return wilson(p, effective * (Z95 / t_quantile(0.975, count - 1)) ** 2)


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


def trimmed_mean(values: Iterable[float]) -> float:
    """Return the mean of one or more values, of three or more without the lowest and the highest."""
    ordered = sorted(values)
    kept = ordered[1:-1] if len(ordered) > 2 else ordered
    return math.fsum(kept) / len(kept)


def percentile(ordered: Sequence[float], q: float) -> float:
    """Return the value below which a share q of the ordered ones lies, between two by their distance."""
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
