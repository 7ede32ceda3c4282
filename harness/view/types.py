"""What the server of `dtbench view` sends to its pages."""

from __future__ import annotations

from typing import TypedDict


class IndexedTask(TypedDict):
    """One task of a run in the list of runs."""

    task: str
    done: int
    expected: int | None
    unanswered: int
    failed: int
    score: float | None
    """The official accuracy of summary.json; before that, the share of right answers so far."""
    official: bool
    """Whether it is the official one."""


class IndexedRun(TypedDict):
    """A run in the list of runs."""

    run: str
    """Its path below the folder that is shown; the only name by which the server knows it."""
    model: str
    start: str
    status: str
    """As in run.json, `killed` where nobody writes any more, `damaged` where the run cannot be read."""
    note: str
    """Why a run is damaged, or what of it is, in one line."""
    tasks: list[IndexedTask]


class IndexChange(TypedDict):
    """What changed in the list of runs since the last event."""

    runs: list[IndexedRun]
    gone: list[str]


class PageChange(TypedDict):
    """What changed in a report since a version of it."""

    version: str
    parts: dict[str, str]
    """The element of the page -> its new text."""
