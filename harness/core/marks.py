"""The marks of answers: what a scorer gives, from 0 to 1, and the scorers of a task.

A scoring function takes a question and the text of a response without its chain of thought, and returns a Mark, a
number from 0 to 1, True or False, or None where no answer was given. Everything else about a scorer is data: its name,
the options that its function takes, and the questions that it is for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dtbench.harness.core.errors import DtbenchError, TaskError, format_error, short_repr
from dtbench.harness.core.schema import Mark, Official, Sample, Score

ScoringFunction = Callable[..., Any]
"""(sample, text, **options) -> Mark, a number from 0 to 1, a truth value, or None for no answer."""
CHOICES = "choices"
"""The key of `when` that tells questions with options (True) from open ones (False)."""


@dataclass(frozen=True, slots=True)
class TaskScorer:
    """One of the scorers of a task."""

    name: str
    function: ScoringFunction
    options: Mapping[str, Any] = field(default_factory=dict)
    when: Mapping[str, Any] = field(default_factory=dict)
    """What a question has to have: a value, or one of several, by heading or field; empty: every question."""
    rule: str = ""
    """The name by which the function was found."""

    def fits(self, sample: Sample) -> bool:
        """Whether it is for this question."""
        return all(_has(sample, key, expected) for key, expected in self.when.items())

    def mark(self, sample: Sample, text: str) -> Mark:
        """Mark an answer; a TaskError where the function fails or returns anything else than a mark."""
        where = f"the scorer {self.name!r} of the question {sample.id!r}"
        try:
            given = self.function(sample, text, **self.options)
        except DtbenchError:
            raise
        except Exception as error:  # someone else's code
            raise TaskError(f"{where} failed with {format_error(error)}.") from error
        return _as_mark(given, where)


def field_of(sample: Sample, path: str) -> Any:
    """Return a field of the published item by its dotted path; None where it has none."""
    value: Any = sample.item
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            return None
    return value


def _has(sample: Sample, key: str, expected: Any) -> bool:
    if key == CHOICES and isinstance(expected, bool):
        return bool(sample.choices) == expected
    value = sample.groups[key] if key in sample.groups else field_of(sample, key)
    several = expected if isinstance(expected, list | tuple | set | frozenset) else (expected,)
    return any(value == one or str(value) == str(one) for one in several)


def _as_mark(given: object, where: str) -> Mark:
    if isinstance(given, Mark):
        return given if given.value is None else given._replace(value=_share(given.value, where))
    return Mark(None, why="no answer was given") if given is None else Mark(_share(given, where))


def _share(given: Any, where: str) -> float:
    """Return a number from 0 to 1 as Python's own, also one of numpy's."""
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(given, str | bytes) or not 0 <= value <= 1:
        raise TaskError(f"{where} returned {short_repr(given)}; a Mark, a number from 0 to 1 or None is expected.")
    return value


def marks_of(scorers: Sequence[TaskScorer], sample: Sample, text: str) -> dict[str, Mark]:
    """Mark an answer by every scorer that is for its question, in their order."""
    return {scorer.name: scorer.mark(sample, text) for scorer in scorers if scorer.fits(sample)}


def score_of(marks: Mapping[str, Mark], *, correct: bool | None, has_choices: bool) -> Score:
    """Make a score of the marks of an answer, the first of which is official.

    A question with options keeps the verdict of a reader, `correct`; an open one has that of the first mark that does
    not wait. None at all: no scorer is for the question, so nothing is counted.
    """
    first = next(iter(marks.values()), None)
    if first is None:
        return Score(Official(correct=False, counted=False, why=NO_SCORER), correct if has_choices else None)
    reader = next((mark for mark in marks.values() if not mark.waits), None)
    return Score(
        official_of(first),
        correct if has_choices else is_full(reader),
        marks={name: mark.value for name, mark in marks.items()},
        waits=tuple(name for name, mark in marks.items() if mark.waits),
        reading=None if has_choices else reader or first,
    )


NO_SCORER = "no scorer of the task is for this question"


def official_of(mark: Mark) -> Official:
    """Return the official verdict that a mark is: no answer is wrong, and what waits is not counted yet."""
    if mark.waits or mark.fault:
        return Official(correct=False, counted=False, why=mark.why)
    value = mark.value or 0.0
    partial = None if value in (0, 1) else value
    return Official(correct=value == 1, counted=True, mark=partial)


def is_full(mark: Mark | None) -> bool | None:
    """Whether a mark is a full one; None where no answer was given."""
    return None if mark is None or mark.value is None else mark.value == 1
