"""The types of what moves the score: the same questions in other words, orders and sounds."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from dtbench.harness.store.share_types import GapFigures, ShareFigures


class PositionFigures(TypedDict):
    """Answers to questions with the same number of options, in several orders of them together."""

    options: int
    n: int
    right: list[int]
    """How often the right option stood at each position."""
    chosen: list[int]
    """How often each position was chosen."""
    recall: list[float | None]
    """How often the right option was chosen where it stood at each position."""
    recall_sd: float | None
    """The standard deviation of recall over the positions: the position bias."""
    recall_sd_by_chance: float | None


class RobustnessFigures(TypedDict):
    """The runs that ask the questions in another form, all that differ in the same way, against the plain run."""

    form: str
    """What differs, as options have it."""
    runs: int
    n: int
    """Questions with an answer in the plain run and in another."""
    unmatched: int
    """Questions with an answer in one of them alone."""
    answers: int
    """Answers in other forms; a form that shows a question as another one does is left out."""
    plain: float | None
    accuracy: float | None
    """The mean over the questions of the share of these answers that is right."""
    lowest: float | None
    """Of the accuracies of the runs."""
    highest: float | None
    gap: GapFigures | None
    """This less plain, question by question."""
    flips: ShareFigures | None
    """Answers that choose another option than the plain one."""
    correctness: float | None
    """The mean over the questions of the share of answers that is right, the plain one among them."""
    consistency: float | None
    """The mean over the questions of the share of pairs of answers that choose the same option."""
    right_in_all: float | None
    right_in_some: float | None
    positions: NotRequired[list[PositionFigures]]
    """Of several orders: which position is chosen."""
