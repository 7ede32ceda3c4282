"""What was found of one thing."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "missing", "broken"]
"""`missing` is what some commands need and nobody has to have; `broken` is what is there and does not work."""


class Finding(NamedTuple):
    """One thing that dtbench looked for."""

    section: str
    name: str
    state: State
    detail: str
    """Its version, its place, or what is wrong with it."""
    use: str = ""
    """What it is for."""
    fix: str = ""
    """What to type where it is missing or broken."""
