"""Whether answers get better or worse along a measure of their clips, such as its noise.

Clips are ranked by the measure, so that neither its scale nor a far one matters. The test is the score test of the
slope over ranks with the variance that clips show (generalised estimating equations with independence inside): several
answers about one clip count as one draw. Its interval comes from the same variance, so that both always agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.harness.stats.distributions import t_cdf, t_quantile

FEWEST_CLIPS = 20
"""Fewer clips have no test: below, the claim of 5 % is not simulated."""
_NOTHING = 1e-12


class ClipAnswers(NamedTuple):
    """The answers about one clip: its measure, the sum of their scores and their number."""

    measure: float
    score: float
    n: int


class Trend(NamedTuple):
    """By how much the mean score changes from the lowest clip to the highest one, with its 95 % interval."""

    slope: float
    low: float
    high: float
    p: float
    clips: int


def trend_over_clips(clips: Sequence[ClipAnswers]) -> Trend | None:
    """Return the trend of the mean score over the ranks of the clips; None where nothing can be told.

    That is: fewer than FEWEST_CLIPS clips, one measure or one score for all.
    """
    count = len(clips)
    if count < FEWEST_CLIPS:
        return None
    answers = sum(clip.n for clip in clips)
    ranks = mid_ranks([clip.measure for clip in clips])
    middle = math.fsum(rank * clip.n for rank, clip in zip(ranks, clips, strict=True)) / answers
    mean = math.fsum(clip.score for clip in clips) / answers
    rows = [(rank - middle, clip) for rank, clip in zip(ranks, clips, strict=True)]
    spread = math.fsum(clip.n * apart**2 for apart, clip in rows)
    parts = [apart * (clip.score - mean * clip.n) for apart, clip in rows]
    variance = math.fsum(part**2 for part in parts) * count / (count - 1)
    if spread < _NOTHING or variance < _NOTHING:
        return None
    slope, error = math.fsum(parts) / spread, math.sqrt(variance) / spread
    freedom = count - 2
    p = 2 * t_cdf(-abs(slope / error), freedom)
    half = t_quantile(0.975, freedom) * error
    return Trend(slope, slope - half, slope + half, p, count)


def mid_ranks(values: Sequence[float]) -> list[float]:
    """Return where each value stands from 0, the lowest, to 1, the highest; equal ones share their mean place."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            ranks[place] = (start + end) / 2 / max(1, len(order) - 1)
        start = end + 1
    return ranks
