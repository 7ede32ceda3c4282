"""What paired answers show: an interval and a test that hold for few, lopsided, shared and repeated answers.

The interval is Tango's score interval (Statistics in Medicine 17, 1998). Questions that share a clip, or have several
answers, hang together: they count for as many independent questions as have the variance that their clusters show, less
what Student's t takes for a variance that is itself estimated. The test turns the sign of each cluster's difference, as
it would be if both runs were one model: for single answers about clips of their own it is McNemar's in exact form.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import repeat
from operator import sub
from typing import NamedTuple, overload

from dtbench.harness.stats.distributions import NORMAL, chi_square_tail, t_cdf, t_quantile

TAIL = 0.025
"""The chance that each limit of a 95 % interval is exceeded."""
FEWEST_CLUSTERS = 40
"""With fewer clusters that hang together, no interval here holds what it says (simulated: a false pass in 5 % becomes
one in up to 30 %)."""
_STEPS = 60
_FINEST = 5040
"""Differences are multiples of one part in so many at least, for the exact test; others are tested by Student's t."""
_MOST_CELLS = 40_000_000


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


class SharePairs(Sequence[PairedShares]):
    """Shares of many questions in as little memory as their numbers take; one is made anew when it is looked at."""

    def __init__(self, before: array[float], after: array[float], clusters: Sequence[int] | None = None) -> None:
        self.before, self.after = before, after
        self.clusters = clusters
        """A number for each question, equal where they hang together; None where each stands by itself."""

    @classmethod
    def of(cls, pairs: Sequence[PairedShares]) -> SharePairs:
        """Return pairs as columns, as they are where they are some."""
        if isinstance(pairs, cls):
            return pairs
        numbers: dict[str, int] = {}
        clusters = [numbers.setdefault(pair.cluster, len(numbers)) for pair in pairs]
        before, after = (array("d", column) for column in ((p.before for p in pairs), (p.after for p in pairs)))
        return cls(before, after, None if len(numbers) == len(pairs) else clusters)

    def __len__(self) -> int:
        return len(self.before)

    @overload
    def __getitem__(self, place: int) -> PairedShares: ...
    @overload
    def __getitem__(self, place: slice) -> list[PairedShares]: ...
    def __getitem__(self, place: int | slice) -> PairedShares | list[PairedShares]:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        cluster = range(len(self))[place] if self.clusters is None else self.clusters[place]
        return PairedShares(self.before[place], self.after[place], str(cluster))

    def gaps(self) -> Iterator[float]:
        """Yield after minus before of each question."""
        return map(sub, self.after, self.before)

    def mean_before(self) -> float | None:
        """Return the mean share before; None without questions."""
        return sum(self.before) / len(self) if self.before else None

    def mean_after(self) -> float | None:
        """Return the mean share after; None without questions."""
        return sum(self.after) / len(self) if self.after else None

    def gained(self) -> int:
        """Return how many questions have a greater share after."""
        return sum(gap > 0 for gap in self.gaps())

    def lost(self) -> int:
        """Return how many questions have a smaller share after."""
        return sum(gap < 0 for gap in self.gaps())

    def count_clusters(self) -> int:
        """Return how many clusters there are."""
        return len(self) if self.clusters is None else len(set(self.clusters))

    def stand_alone(self) -> bool:
        """Whether each is one answer in both runs, about a clip of its own."""
        return {*self.before, *self.after} <= {0, 1} and self.count_clusters() == len(self)

    def sums(self) -> ClusterGaps:
        """Return the differences of all clusters."""
        if self.clusters is None:
            return ClusterGaps(array("d", self.gaps()), repeat(1, len(self)))
        found: dict[int, list[float]] = {}
        for cluster, gap in zip(self.clusters, self.gaps(), strict=True):
            found.setdefault(cluster, []).append(gap)
        return ClusterGaps(array("d", map(math.fsum, found.values())), array("q", map(len, found.values())))


class ClusterGaps(NamedTuple):
    """The difference of each cluster, summed over its questions, and how many these are."""

    sums: Sequence[float]
    sizes: Iterable[int]


class EffectiveTable(NamedTuple):
    """Gains and losses among so many independent questions, as which paired answers count; not whole numbers."""

    gained: float
    lost: float
    n: float

    @property
    def flips(self) -> float:
        """Return the share of questions that changed."""
        return (self.gained + self.lost) / self.n

    @property
    def expected_flips(self) -> float:
        """Return the share to reckon with, one question at least: none seen does not mean that none ever will."""
        return max(self.flips, 1 / self.n)


def bounds(pairs: Sequence[PairedShares], tail: float) -> Bounds:
    """Return after minus before; each limit is exceeded with this chance at most."""
    if not pairs:
        return Bounds(0.0, -1.0, 1.0)
    columns = SharePairs.of(pairs)
    table = effective_table(columns, tail)
    if table is None:
        return Bounds(math.fsum(columns.gaps()) / len(pairs), -1.0, 1.0)
    return tango(*table, tail)


def too_few_clusters(pairs: Sequence[PairedShares]) -> int | None:
    """Return how many clusters there are, where answers hang together in fewer than an interval takes; else None."""
    columns = SharePairs.of(pairs)
    clusters = columns.count_clusters()
    return clusters if clusters < FEWEST_CLUSTERS and not columns.stand_alone() else None


def effective_table(pairs: Sequence[PairedShares], tail: float) -> EffectiveTable | None:
    """Return the table of independent questions that has the interval of these answers; None for a single cluster."""
    n, columns = len(pairs), SharePairs.of(pairs)
    gained = math.fsum(gap for gap in columns.gaps() if gap > 0)
    lost = math.fsum(-gap for gap in columns.gaps() if gap < 0)
    if columns.stand_alone():
        return EffectiveTable(gained, lost, n)
    clusters = columns.count_clusters()
    if clusters < 2:
        return None
    effective = _effective_size(columns, clusters, gained + lost)
    # The variance is estimated from the clusters: Student's t in place of z, as so many questions fewer.
    effective *= (NORMAL.inv_cdf(1 - tail) / t_quantile(1 - tail, clusters - 1)) ** 2
    return EffectiveTable(gained * effective / n, lost * effective / n, effective)


def _effective_size(pairs: SharePairs, clusters: int, changed: float) -> float:
    """Return how many single answers about clips of their own have the variance of these."""
    n, gaps = len(pairs), pairs.sums()
    difference = math.fsum(gaps.sums) / n
    if changed == 0:  # nothing varies: a cluster is the least that is independent of the others
        return clusters
    single = changed / n - difference**2
    apart = math.fsum(gap**2 for gap in pairs.gaps()) / n - difference**2
    together = math.fsum((gap - difference * size) ** 2 for gap, size in zip(*gaps, strict=True)) / n
    together *= clusters / (clusters - 1)
    variance = max(apart, together)  # by chance few clusters vary less than their questions alone would
    return n * single / variance if variance > 0 and single > 0 else clusters


def tango(gained: float, lost: float, n: float, tail: float) -> Bounds:
    """Return the score interval of (gained - lost) / n."""
    z = NORMAL.inv_cdf(1 - tail)
    difference = (gained - lost) / n
    low = _root(lambda delta: tango_score(gained, lost, n, delta) - z, -1.0, difference)
    high = _root(lambda delta: tango_score(gained, lost, n, delta) + z, difference, 1.0)
    return Bounds(difference, low, high)


def tango_score(gained: float, lost: float, n: float, delta: float) -> float:
    """Return by how many standard errors the difference exceeds delta, where delta is the true one."""
    a, b, c = 2 * n, -gained - lost + (2 * n - gained + lost) * delta, -lost * delta * (1 - delta)
    # The chance of a loss that fits best where the difference is delta.
    q = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * q + delta * (1 - delta))
    distance = gained - lost - n * delta
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Find where a falling function crosses zero."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def mcnemar(gained: int, lost: int) -> float:
    """Return the chance of a split at least as uneven where neither is better, exactly."""
    flips, fewer = gained + lost, min(gained, lost)
    if flips == 0:
        return 1.0
    return min(1.0, 2 * _ways_up_to(flips, fewer) / (1 << flips))


def _ways_up_to(n: int, most: int) -> int:
    """Return in how many ways at most so many of n can be chosen: each count follows from the one before it."""
    ways = total = 1
    for k in range(most):
        ways = ways * (n - k) // (k + 1)
        total += ways
    return total


class SignFlips(NamedTuple):
    """The chances of a sum at least as far from zero, and as far down, if the sign of each difference were chance."""

    two_sided: float
    worse: float


def sign_flip_test(gaps: Iterable[float]) -> SignFlips:
    """Test whether differences of clusters are chance, exactly where they are multiples of one fraction.

    Where they are not, or there are too many values to count, by Student's t.
    """
    moved = [gap for gap in gaps if abs(gap) > 1e-12]
    if not moved:
        return SignFlips(1.0, 1.0)
    steps = _whole_steps(moved)
    if steps is None or sum(map(abs, steps)) * len(steps) > _MOST_CELLS:
        return _t_test(moved)
    if set(map(abs, steps)) == {1}:  # counted without adding up chances
        gained, lost = steps.count(1), steps.count(-1)
        as_many = _ways_up_to(len(steps), gained)
        return SignFlips(mcnemar(gained, lost), as_many / (1 << len(steps)))
    return _count_signs(steps)


def _count_signs(steps: Sequence[int]) -> SignFlips:
    import numpy

    reach = sum(map(abs, steps))
    chances = numpy.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for step in map(abs, steps):
        moved = numpy.zeros_like(chances)
        moved[step:] += chances[:-step] / 2
        moved[:-step] += chances[step:] / 2
        chances = moved
    found = sum(steps)
    at_most = float(chances[: reach + found + 1].sum())
    beyond = float(chances[: reach - abs(found) + 1].sum())
    return SignFlips(min(1.0, 2 * beyond if found else 1.0), min(1.0, at_most))


def _whole_steps(gaps: Sequence[float]) -> list[int] | None:
    """Return the differences as multiples of their common fraction; None where that is too fine."""
    scale = 1
    for gap in {round(abs(gap) % 1, 12) for gap in gaps}:
        scale = math.lcm(scale, Fraction(gap).limit_denominator(1000).denominator)
        if scale > _FINEST:
            return None
    steps = [round(gap * scale) for gap in gaps]
    if any(abs(step / scale - gap) > 1e-9 for step, gap in zip(steps, gaps, strict=True)):
        return None
    common = math.gcd(*steps)
    return [step // common for step in steps]


def _t_test(gaps: Sequence[float]) -> SignFlips:
    count = len(gaps)
    mean = math.fsum(gaps) / count
    squares = math.fsum((gap - mean) ** 2 for gap in gaps)
    if count < 2 or squares == 0:
        return SignFlips(min(1.0, 2.0 ** (1 - count)), 2.0**-count if mean < 0 else 1.0)
    worse = t_cdf(mean * math.sqrt(count * (count - 1) / squares), count - 1)
    return SignFlips(2 * min(worse, 1 - worse), worse)


def chance_of_equal(pairs: Sequence[PairedShares]) -> float:
    """Return the two-sided p value: how often one model, run twice, would differ as much."""
    columns = SharePairs.of(pairs)
    gained, lost = columns.gained(), columns.lost()
    if (gained + lost) ** 2 <= _MOST_CELLS and columns.stand_alone():
        return mcnemar(gained, lost)
    return sign_flip_test(columns.sums().sums).two_sided


def chance_of_no_loss(pairs: Sequence[PairedShares]) -> float:
    """Return the one-sided p value: how often one model, run twice, would lose as much."""
    return sign_flip_test(SharePairs.of(pairs).sums().sums).worse


def holm(chances: Sequence[float]) -> list[float]:
    """Adjust chances for so many looks, by Holm's steps."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    adjusted, highest = [0.0] * len(chances), 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - step) * chances[place]))
        adjusted[place] = highest
    return adjusted


def pooled(parts: Sequence[Bounds]) -> Bounds:
    """Return the mean of independent differences, such as of several tasks, with limits made from theirs (MOVER)."""
    count = len(parts)
    mean = math.fsum(part.difference for part in parts) / count
    down = math.sqrt(math.fsum((part.difference - part.low) ** 2 for part in parts)) / count
    up = math.sqrt(math.fsum((part.high - part.difference) ** 2 for part in parts)) / count
    return Bounds(mean, max(-1.0, mean - down), min(1.0, mean + up))


def cochran_q(rows: Iterable[Sequence[float]]) -> float:
    """Return the p value that several runs are equally often right on the same questions: a row a question."""
    table = [[int(right) for right in row] for row in rows if 0 < sum(row) < len(row)]
    if not table:
        return 1.0
    runs = len(table[0])
    columns = [sum(row[run] for row in table) for run in range(runs)]
    total = sum(columns)
    spread = runs * sum(column**2 for column in columns) - total**2
    return chi_square_tail((runs - 1) * spread / (runs * total - sum(sum(row) ** 2 for row in table)), runs - 1)


def chance_of_loss_within(pairs: Sequence[PairedShares], allowed: float) -> float:
    """Return the one-sided p value that the loss is no larger than allowed; exact where nothing is allowed."""
    if allowed <= 0:
        return chance_of_no_loss(pairs)
    table = effective_table(pairs, TAIL)
    return 1.0 if table is None else NORMAL.cdf(tango_score(*table, -allowed))
