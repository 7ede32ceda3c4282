"""The figures of which summaries are made: shares, differences and estimates with their 95 % intervals."""

from __future__ import annotations

from typing import TypedDict


class IntervalFigures(TypedDict):
    """A 95 % interval; null where there is no accuracy."""

    low: float | None
    high: float | None


class ShareFigures(TypedDict):
    """A share with its 95 % interval."""

    correct: int
    n: int
    accuracy: float
    """The mean of the marks where some are partly right, and `correct` the number of full ones."""
    low: float
    high: float


class GapFigures(TypedDict):
    """A difference of two accuracies with its 95 % interval."""

    gap: float
    low: float
    high: float


class CountedFigures(TypedDict):
    """Answers that the script counts, and how many it calls correct; null where right and wrong are not known."""

    correct: int | None
    """How many are fully right."""
    counted: int
    accuracy: float | None
    """The mean of their marks: of right ones the share, where none is partly right."""


class AllFigures(TypedDict):
    """All answers, missing ones too, and how many a careful reader calls correct."""

    correct: int | None
    n: int
    accuracy: float | None


class EstimateFigures(IntervalFigures):
    """A figure that is no share of answers, with its 95 % interval; null where it cannot be told."""

    value: float | None
