"""The types of what `compare --json` prints."""

from __future__ import annotations

from typing import Literal, TypedDict


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
    """McNemar's test, exact."""


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


class Comparison(PairedFigures):
    """Two runs of one task, question by question; a list of these is what `compare --json` prints."""

    before_run: str
    after_run: str
    task: str
    score: Literal["official", "strict"]
    confounders: list[ConfounderFigures]
    n: int
    only_before: int
    only_after: int
    failed: list[int]
    minimum_detectable: float | None
    """The difference that so many questions show four times in five."""
    groups: list[GroupComparison]
    gained: list[Flip]
    lost: list[Flip]
