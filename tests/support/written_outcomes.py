"""Answers as summaries count them, written down without a model or a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dtbench.harness.core.schema import Official
from dtbench.harness.score.outcomes import Answer, AnswerOutcome


def answer(
    id_: str,
    *,
    right: bool = False,
    choice: str | None = "an option",
    failed: bool = False,
    groups: Mapping[str, str] | None = None,
    **more: Any,
) -> Answer:
    """One answer whose official verdict is the strict one, a failed one not counted; `more` are fields of Answer."""
    outcome = AnswerOutcome(
        groups=tuple((groups or {}).items()),
        failed="model" if failed else None,
        official=Official(correct=right, counted=not failed),
        correct=None if failed or choice is None else right,
        raw=None,
        finish=None if failed else "stop",
        rule=None,
    )
    return Answer(**{"id": id_, "sample": 0, "outcome": outcome, "choice": choice, "clip": id_, **more})
