"""What a text says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a text says, read without guessing."""

    thinking: str
    """The chain of thought as written, without its tags."""
    answer: str
    """The words in which the answer was given; empty where there are none."""
    choice: str | None
    """The option that was meant, verbatim from the choices; None when nothing decides."""
    how: str
    """The rule that decided, or why nothing did."""
