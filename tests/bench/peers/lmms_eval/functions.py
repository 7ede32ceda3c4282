"""What the YAML beside it needs of Python."""

from __future__ import annotations


def nothing_to_see(_doc: object) -> list[object]:
    """The questions are words only."""
    return []
