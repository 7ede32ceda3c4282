"""Accuracy by the length of the chain of thought, in parts of equal size; answers of one length stay together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from dtbench.harness.score.group_shares import share_over_clips
from dtbench.harness.score.outcomes import Answer
from dtbench.harness.stats.intervals import percentile
from dtbench.harness.store.paper_types import LengthFigures

PARTS = 5
LEAST_CHAINS = 16
"""Fewer say nothing about length."""


def length_limits(lengths: Sequence[float], parts: int = PARTS) -> list[float]:
    """Return the longest length of each part but the last, where all parts are to be of equal size."""
    ordered = sorted(lengths)
    return sorted({percentile(ordered, part / parts) for part in range(1, parts)})


def part_of(length: float, limits: Sequence[float]) -> int:
    """Return the number of the part that a length belongs to; a limit belongs to the part below it."""
    return bisect_left(limits, length)


def length_figures(answers: Sequence[Answer]) -> list[LengthFigures]:
    """Return the strict accuracy by length, shortest first; nothing where there are too few chains."""
    thought = [answer for answer in answers if answer.chain]
    if len(thought) < LEAST_CHAINS:
        return []
    limits = length_limits([answer.chain for answer in thought])
    parts: dict[int, list[Answer]] = {}
    for answer in thought:
        parts.setdefault(part_of(answer.chain, limits), []).append(answer)
    return [_part(part) for _, part in sorted(parts.items())]


def _part(part: Sequence[Answer]) -> LengthFigures:
    lengths = [answer.chain for answer in part]
    found = share_over_clips([answer.clip for answer in part], [answer.right for answer in part])
    return {"shortest": min(lengths), "longest": max(lengths), **found}
