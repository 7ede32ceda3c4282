"""The difference of two runs at matched lengths of their chains of thought.

A model that thinks longer may be better for that alone. The chains of both runs are put into the same parts by length;
within each part the runs are compared, and the differences are averaged with the weights of Mantel and Haenszel, so
that parts in which one run has hardly a chain hardly count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.harness.score.chain_lengths import LEAST_CHAINS, length_limits, part_of
from dtbench.harness.stats.distributions import t_quantile
from dtbench.harness.stats.paired_tests import TAIL, Bounds, PairedShares
from dtbench.harness.store.comparison_types import MatchedLengthFigures, MatchedPart

PARTS = 10


class PairedChains(NamedTuple):
    """One question in both runs: its shares of right answers, and the mean lengths of the chains before them."""

    shares: PairedShares
    before: float
    after: float


class _ChainAnswer(NamedTuple):
    """One question in one run."""

    share: float
    length: float
    cluster: str


def matched_length_figures(pairs: Sequence[PairedChains]) -> MatchedLengthFigures | None:
    """Compare two runs within parts of equal length; None where too few questions have a chain in both."""
    both = [pair for pair in pairs if pair.before and pair.after]
    if len(both) < LEAST_CHAINS:
        return None
    before = [_ChainAnswer(pair.shares.before, pair.before, pair.shares.cluster) for pair in both]
    after = [_ChainAnswer(pair.shares.after, pair.after, pair.shares.cluster) for pair in both]
    limits = length_limits([one.length for one in (*before, *after)], PARTS)
    parts = [
        (part_before, part_after)
        for part_before, part_after in zip(_split(before, limits), _split(after, limits), strict=True)
        if part_before and part_after
    ]
    if not parts:
        return {"n": len(both), "difference": None, "low": None, "high": None, "parts": []}
    found = _difference(parts)
    return {
        "n": len(both),
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "parts": [_part(part_before, part_after) for part_before, part_after in parts],
    }


def _split(answers: Sequence[_ChainAnswer], limits: Sequence[float]) -> list[list[_ChainAnswer]]:
    parts: list[list[_ChainAnswer]] = [[] for _ in range(len(limits) + 1)]
    for one in answers:
        parts[part_of(one.length, limits)].append(one)
    return parts


def _part(before: Sequence[_ChainAnswer], after: Sequence[_ChainAnswer]) -> MatchedPart:
    lengths = [one.length for one in (*before, *after)]
    return {
        "shortest": min(lengths),
        "longest": max(lengths),
        "before": _mean(before),
        "after": _mean(after),
        "n_before": len(before),
        "n_after": len(after),
    }


def _mean(answers: Sequence[_ChainAnswer]) -> float:
    return math.fsum(one.share for one in answers) / len(answers)


def _difference(parts: Sequence[tuple[list[_ChainAnswer], list[_ChainAnswer]]]) -> Bounds:
    """Return the weighted mean of the differences; the interval is over clips, of which each moves several parts."""
    weights = [len(before) * len(after) / (len(before) + len(after)) for before, after in parts]
    total = math.fsum(weights)
    moves: dict[str, list[float]] = {}
    differences = []
    for weight, (before, after) in zip(weights, parts, strict=True):
        means = (_mean(before), _mean(after))
        differences.append(weight / total * (means[1] - means[0]))
        for sign, mean, answers in ((-1, means[0], before), (1, means[1], after)):
            for one in answers:
                move = sign * weight / total * (one.share - mean) / len(answers)
                moves.setdefault(one.cluster, []).append(move)
    difference, count = math.fsum(differences), len(moves)
    if count < 2:
        return Bounds(difference, -1.0, 1.0)
    squares = math.fsum(math.fsum(one) ** 2 for one in moves.values()) * count / (count - 1)
    half = t_quantile(1 - TAIL, count - 1) * math.sqrt(squares)
    return Bounds(difference, max(-1.0, difference - half), min(1.0, difference + half))
