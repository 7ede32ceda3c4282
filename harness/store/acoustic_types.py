"""The types of accuracy by sound: what `score --acoustics --json` prints and the report shows."""

from __future__ import annotations

from typing import TypedDict

from dtbench.harness.store.paper_types import GroupFigures


class TrendFigures(TypedDict):
    """By how much a score changes from the clip with the lowest value to that with the highest, over their ranks."""

    slope: float
    low: float
    high: float
    p: float
    """Of the score test that there is no trend, with the variance that clips show."""
    p_adjusted: float
    """Holm's, over all trends that are looked at together: of the run's tasks, or of all comparisons."""
    clips: int


class MeasureFigures(TypedDict):
    """Accuracy along one measure of the clips."""

    what: str
    groups: dict[str, GroupFigures]
    """Parts of about equal numbers of clips in words, such as `below 12`, the lowest first."""
    unmeasured: int
    """Answers about clips that do not have this measure."""
    trend: TrendFigures | None
    """Of the strict score; null where it cannot be told: too few clips, one value or one score for all."""


class AcousticFigures(TypedDict):
    """Where a run fails, by sound."""

    clips: int
    measured_seconds: float
    """Of a longer clip only so much of its beginning was measured."""
    failed: dict[str, int]
    """Why clips could not be measured -> how many."""
    measures: dict[str, MeasureFigures]


class AcousticChange(TypedDict):
    """Where one run gains on another, by sound."""

    questions: int
    """Those that both runs have."""
    measures: dict[str, TrendFigures | None]
    """The trend of the difference in strict score."""
