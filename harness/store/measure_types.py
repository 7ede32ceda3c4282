"""What is measured of the chains of thought in a run, beside its accuracy."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class GroupMeasures(TypedDict):
    """Measures of some answers; null where there is none to take the mean of."""

    n: int
    """Answers."""
    right: int
    """Of these, the right ones, as a careful reader says."""
    accuracy: float | None
    criteria: float | None
    """How many of its task's criteria the chain of a right answer meets; null where the task checks no chains."""
    lucky_rate: float | None
    """The share of right answers whose chain meets fewer than three of five criteria."""
    words: float | None
    """Words of a chain, over the answers that have one."""


class RunMeasures(GroupMeasures):
    """Measures of a run."""

    formed: float | None
    """The share of answers in the form that was asked for; null where none was."""
    empty_rate: float | None
    """The share of answers without a chain."""
    empty_accuracy: float | None
    """The accuracy of these."""
    cut_rate: float | None
    """The share of answers, or of their chains, that were cut at a limit of tokens."""
    cut_accuracy: float | None
    """The accuracy of these."""
    groups: dict[str, dict[str, GroupMeasures]]
    """Heading -> value -> measures of these answers alone."""


class ModelMeasures(RunMeasures):
    """Measures of a run of a training, with what other runs of the same model add."""

    shuffled_accuracy: NotRequired[float | None]
    """The accuracy of the same model with the clips of other questions."""
    described: NotRequired[float | None]
    """The share of clips that the same model describes right to the word, a skill that no reward asks for."""
