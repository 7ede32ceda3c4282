"""Accuracy by the length of the chain of thought, in parts of equal size; answers of one length stay together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dtbench.harness.core.packed_numbers import ordered
from dtbench.harness.score.group_shares import ShareTally
from dtbench.harness.score.outcomes import Answer, Answers, stand_apart
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


def length_figures(answers: Collection[Answer]) -> list[LengthFigures]:
    """Return the strict accuracy by length, shortest first; nothing where there are too few chains."""
    apart = stand_apart(answers)
    if isinstance(answers, Answers):
        thought = answers.chains()
    else:
        thought = ordered("q", (answer.chain for answer in answers if answer.chain))
    if len(thought) < LEAST_CHAINS:
        return []
    limits = sorted({percentile(thought, part / PARTS) for part in range(1, PARTS)})
    parts: dict[int, _LikeLengths] = {}
    for answer in answers:
        if answer.chain:
            place = part_of(answer.chain, limits)
            if place not in parts:
                parts[place] = _LikeLengths(ShareTally(apart=apart), answer.chain, answer.chain)
            parts[place].add(answer)
    return [part.figures() for _, part in sorted(parts.items())]


@dataclass(slots=True)
class _LikeLengths:
    """The answers with chains of like length."""

    shares: ShareTally
    shortest: int
    longest: int

    def add(self, answer: Answer) -> None:
        self.shares.add(answer.clip, answer.right)
        self.shortest = min(self.shortest, answer.chain)
        self.longest = max(self.longest, answer.chain)

    def figures(self) -> LengthFigures:
        return {"shortest": self.shortest, "longest": self.longest, **self.shares.figures()}
