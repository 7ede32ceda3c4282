"""Evaluators that err on purpose, for experiments on how good a judge must be, and random draws.

The grader `word count` is easily hacked: it marks the length of a chain and ignores its content, so padding earns as
much as reasoning. Noise errs by chance. Every draw follows from the training's seed and the content: it is the same
after a resume, in any process, and in whatever order rewards are computed.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards.evaluator_prompts import MAX_MARK, Marks

FULL_LENGTH = 2
"""Times the words of the reference: a chain as long as that earns full marks."""


def grade_length(row: TrainingRow, chain: str) -> Marks:
    """Mark a chain by its words: a half for as many as the reference has, all for twice as many."""
    reference = len(row.chain.split())
    if not reference:
        raise DataError(f"row {row.id}: it has no reference chain, whose length the evaluator 'word count' goes by.")
    mark = min(1.0, len(chain.split()) / (FULL_LENGTH * reference))
    return Marks(mark, mark, mark, mark)


def draw_number(seed: int, *content: object) -> float:
    """Draw a number from 0 to below 1, the same for the same seed and content."""
    text = json.dumps([seed, *content], ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


class GraderNoise(NamedTuple):
    """An evaluator's random mistakes: some verdicts are given without a look at the chain.

    Which ones follows from the seed, the row and the chain: the same chain gets the same verdict again.
    """

    probability: float
    seed: int

    def replaces(self, kind: str, row: str, chain: str) -> bool:
        """Return whether the verdict on a chain is replaced."""
        return draw_number(self.seed, kind, row, chain, "whether") < self.probability

    def marks(self, row: str, chain: str) -> Marks:
        """Return four marks in place of those that a chain earns: the same whole number of ten in each."""
        mark = int(draw_number(self.seed, "evaluator", row, chain, "which") * (MAX_MARK + 1)) / MAX_MARK
        return Marks(mark, mark, mark, mark)

    def supports(self, row: str, chain: str) -> bool:
        """Return a verdict in place of whether a chain supports its answer: yes and no are as likely."""
        return draw_number(self.seed, "consistency", row, chain, "which") < 1 / 2
