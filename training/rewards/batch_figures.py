"""Figures of a batch about reward hacking, as sums that add up over the processes of a step.

The completions of a question may be spread over processes, so their sums are kept by the question's id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from dtbench.training.rewards.completion import ParsedCompletion

PLAIN_REWARDS = frozenset({"accuracy", "format", "consistency", "random", "constant"})
"""Rewards that are 0 or 1; the others mark how a right answer was reached."""
LOW_MARK = 0.5
"""Below this mean of its marks, a right answer has low ones."""


class GroupSums(TypedDict):
    """Sums over the answers of one process to one question."""

    n: int
    right: int
    sums: dict[str, list[float]]
    """Reward -> its sum and the sum of its squares."""


class BatchFigures(TypedDict):
    """Sums over a batch of one process."""

    right: int
    wrong: int
    words_right: int
    """Words of the chains of right answers."""
    words_wrong: int
    guarded: int
    """Chains that a guard rules out."""
    guards: dict[str, int]
    low: int | None
    """Right answers with low marks; None where the stage gives none."""
    compared: int
    """Chains that have both the evaluator's mark and the cosine of an embedding."""
    difference: float
    """The sum of mark minus cosine over them."""
    groups: dict[str, GroupSums]


def batch_figures(
    ids: Sequence[str],
    completions: Sequence[ParsedCompletion],
    guards: Sequence[str | None],
    values: Mapping[str, Sequence[float]],
    differences: Sequence[float],
) -> BatchFigures:
    """Sum up a batch; `differences` are those of mark and cosine where both are known."""
    right = [one.correct for one in completions]
    words = [len(one.chain.split()) for one in completions]
    graded = [of_reward for name, of_reward in values.items() if name not in PLAIN_REWARDS]
    marks = [sum(of_reward[at] for of_reward in graded) / len(graded) for at in range(len(ids))] if graded else []
    counted: dict[str, int] = {}
    for guard in guards:
        if guard is not None:
            counted[guard] = counted.get(guard, 0) + 1
    return {
        "right": sum(right),
        "wrong": len(right) - sum(right),
        "words_right": sum(count for count, is_right in zip(words, right, strict=True) if is_right),
        "words_wrong": sum(count for count, is_right in zip(words, right, strict=True) if not is_right),
        "guarded": sum(counted.values()),
        "guards": counted,
        "low": sum(mark < LOW_MARK for mark, is_right in zip(marks, right, strict=True) if is_right) if marks else None,
        "compared": len(differences),
        "difference": sum(differences),
        "groups": _groups(ids, right, values),
    }


def _groups(ids: Sequence[str], right: Sequence[bool], values: Mapping[str, Sequence[float]]) -> dict[str, GroupSums]:
    groups: dict[str, GroupSums] = {}
    for at, id_ in enumerate(ids):
        group = groups.setdefault(id_, {"n": 0, "right": 0, "sums": {name: [0.0, 0.0] for name in values}})
        group["n"] += 1
        group["right"] += right[at]
        for name, of_reward in values.items():
            group["sums"][name][0] += of_reward[at]
            group["sums"][name][1] += of_reward[at] ** 2
    return groups
