"""Four marks for a chain held against a reference, each from 0 to 1."""

from __future__ import annotations

from typing import NamedTuple


class Marks(NamedTuple):
    """How near a chain comes to the reference, in four ways."""

    path: float
    """Whether it goes the same way from what is heard to the answer."""
    steps: float
    """How many of the steps that matter it takes."""
    strategy: float
    """Whether it solves the question in the same manner."""
    depth: float
    """Whether it looks as closely."""

    @property
    def mean(self) -> float:
        """All four as one number."""
        return sum(self) / len(self)
