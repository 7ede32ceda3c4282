"""The types of what `compare --json` prints: two runs on the same questions, and several."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from dtbench.harness.store.acoustic_types import AcousticChange
from dtbench.harness.store.share_types import ShareFigures


class ConfounderFigures(TypedDict):
    """A setting in which two runs differ."""

    name: str
    before: str
    after: str


class PairedFigures(TypedDict):
    """Two runs on the same questions."""

    before: float | None
    after: float | None
    difference: float
    low: float
    high: float
    better: int
    worse: int
    p: float
    """How often one model, run twice, would differ as much; for single answers McNemar's exact test."""


class GroupComparison(PairedFigures):
    """Two runs on the questions under one value of a heading."""

    heading: str
    value: str
    n: int
    p_adjusted: float
    """After Holm's steps over all groups."""


class Flip(TypedDict):
    """A question whose answer became right or wrong."""

    id: str
    before: str | None
    after: str | None


class MatchedPart(TypedDict):
    """The answers of two runs with chains of like length."""

    shortest: float
    longest: float
    before: float
    after: float
    n_before: int
    n_after: int


class MatchedLengthFigures(TypedDict):
    """Two runs at matched lengths of their chains of thought."""

    n: int
    """How many questions have a chain in both runs."""
    difference: float | None
    """The mean difference within parts of like length; null where no part has chains of both runs."""
    low: float | None
    high: float | None
    parts: list[MatchedPart]
    """The shortest chains first."""


class Comparison(PairedFigures):
    """Two runs of one task, question by question; a list of these is what `compare --json` prints."""

    before_run: str
    after_run: str
    task: str
    score: Literal["official", "strict"]
    confounders: list[ConfounderFigures]
    also_differs: list[ConfounderFigures]
    """Versions, engine, precision and what else differs of how the runs were made, and is no reason to refuse them."""
    n: int
    same_choice: NotRequired[ShareFigures | None]
    """Of the questions with a choice in both runs: how many have the same, their consistency; null without any."""
    only_before: int
    only_after: int
    failed: list[int]
    minimum_detectable: float | None
    """The difference that so many questions show four times in five."""
    needed: int | None
    """How many questions would show a difference of the size that was found, or that there is none worth the name."""
    groups: list[GroupComparison]
    matched_lengths: MatchedLengthFigures | None
    """Null where fewer than 16 questions have a chain of thought in both runs."""
    gained: list[Flip]
    lost: list[Flip]


class MeanDifference(TypedDict):
    """The mean of the differences on several tasks, each with the same weight."""

    tasks: int
    difference: float
    low: float
    high: float


class ComparisonAmongSeveral(Comparison):
    """A comparison that may be one of several, of other candidates or tasks."""

    p_adjusted: float
    """After Holm's steps over all candidates and tasks."""
    all_tasks: MeanDifference | None
    """This candidate over all tasks; None for a single task."""
    p_all_equal: float | None
    """Cochran's test that all runs are equally good on this task; None for two runs."""
    acoustics: NotRequired[AcousticChange]
    """What `--acoustics` adds: where the run gains, by sound."""
