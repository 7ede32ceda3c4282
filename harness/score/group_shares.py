"""Accuracy by group with intervals, and macro averages: the mean over groups, each with the same weight."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import NamedTuple

from dtbench.harness.score.like_answers import LikeAnswers, like_answers
from dtbench.harness.score.outcomes import Answer, Groups, stand_apart
from dtbench.harness.stats.intervals import Interval, clustered_interval, marks_interval, mean_mark, share
from dtbench.harness.stats.paired_tests import Bounds, pooled
from dtbench.harness.store.paper_types import GroupFigures, MacroFigures
from dtbench.harness.store.share_types import EstimateFigures, ShareFigures
from dtbench.harness.store.types import as_fields

NOTHING: EstimateFigures = {"value": None, "low": None, "high": None}


Clip = int | str


class ClipMarks:
    """The marks of the answers about one clip, whose sum does not depend on their order."""

    __slots__ = ("n", "partial", "right")

    def __init__(self) -> None:
        self.n = self.right = 0
        self.partial: list[float] = []

    def add(self, mark: float, times: int) -> None:
        """Add a mark that came so many times."""
        self.n += times
        if mark in (0, 1):
            self.right += times * int(mark)
        else:
            self.partial += [mark] * times

    @property
    def total(self) -> float:
        """The sum of the marks."""
        return math.fsum((self.right, *self.partial)) if self.partial else float(self.right)


class ShareTally:
    """Adds up marks from 0 to 1; by clip too, unless it is known that each answer is about a clip of its own."""

    def __init__(self, *, apart: bool = False) -> None:
        self.n = self.correct = 0
        self._apart = apart
        self._partial = Counter[float]()
        self._clips: dict[Clip, ClipMarks] = {}

    def add(self, clip: Clip, mark: float, times: int = 1) -> None:
        """Count an answer in, or several that are alike: 1 or True for a right one, 0 for a wrong one."""
        self.n += times
        if mark in (0, 1):
            self.correct += times * int(mark)
        else:
            self._partial[mark] += times
        if not self._apart:
            self._clips.setdefault(clip, ClipMarks()).add(mark, times)

    @property
    def clips(self) -> int:
        """How many clips there are; 0 where they are not looked at."""
        return len(self._clips)

    def figures(self) -> ShareFigures:
        """Return the mean mark: Wilson's interval of a share, over clips where several answers are about one."""
        figures: ShareFigures = as_fields(share(self.correct, self.n))
        if self._partial:
            wrong = self.n - self.correct - self._partial.total()
            marks = {1.0: self.correct, 0.0: wrong, **self._partial}
            figures["accuracy"] = mean_mark(marks)
            figures["low"], figures["high"] = marks_interval(marks)
        if not self._apart and len(self._clips) < self.n:
            figures["low"], figures["high"] = self.over_clips()
        return figures

    def over_clips(self) -> Interval:
        """Return the interval of the mean over clips."""
        clusters = ((one.total, one.n) for one in self._clips.values())
        return clustered_interval(clusters, partial=bool(self._partial))


def share_over_clips(clips: Sequence[Clip], marks: Sequence[float]) -> ShareFigures:
    """Return the mean of marks, or of right answers: Wilson's interval, over clips where several are about one."""
    tally = ShareTally()
    for clip, mark in zip(clips, marks, strict=True):
        tally.add(clip, mark)
    return tally.figures()


def group_figures(
    answers: Collection[Answer], tables: Iterable[Sequence[str]], chances: Mapping[str, float] | None
) -> dict[str, dict[str, GroupFigures]]:
    """Return a table for each of these sequences of headings; `chances` are of guessing right, by question."""
    return {", ".join(fields): _table(answers, fields, chances) for fields in tables}


def _table(
    answers: Collection[Answer], fields: Sequence[str], chances: Mapping[str, float] | None
) -> dict[str, GroupFigures]:
    parts: dict[str, _Group] = {}
    lines: dict[Groups, str | None] = {}
    apart = stand_apart(answers)
    for alike in like_answers(answers, chances):
        groups = alike.outcome.groups
        if groups not in lines:
            values = [value for name in fields if (value := alike.outcome.group(name)) is not None]
            lines[groups] = ", ".join(values) if len(values) == len(fields) else None
        if (line := lines[groups]) is not None:
            if line not in parts:
                parts[line] = _Group(ShareTally(apart=apart), ShareTally(apart=apart), Counter())
            parts[line].add(alike)
    return {value: part.figures() for value, part in sorted(parts.items())}


class _Group(NamedTuple):
    """The answers of one group."""

    official: ShareTally
    strict: ShareTally
    chances: Counter[float]

    def add(self, alike: LikeAnswers) -> None:
        verdict, clip, times = alike.outcome.official, alike.clip, alike.times
        if verdict.counted:
            self.official.add(clip, verdict.value, times)
        if not alike.outcome.undecided:
            self.strict.add(clip, alike.outcome.correct is True, times)
        if alike.chance is not None:
            self.chances[alike.chance] += times

    def figures(self) -> GroupFigures:
        official = self.official.figures() if self.official.n else None
        figures: GroupFigures = {"official": official, "strict": self.strict.figures()}
        if self.chances:
            figures["chance"] = mean_of(self.chances)
        return figures


def mean_of(values: Counter[float]) -> float:
    """Return the mean of values of which each comes so many times, summed without a rounding error."""
    return math.fsum(chain.from_iterable(map(repeat, *zip(*values.items(), strict=True)))) / values.total()


def macro_averages(tables: Mapping[str, Mapping[str, GroupFigures]]) -> dict[str, MacroFigures]:
    """Return the mean over the groups of each table that has several."""
    return {
        heading: {
            "groups": len(table),
            "official": _mean([part["official"] for part in table.values()]),
            "strict": _mean([part["strict"] for part in table.values()]),
        }
        for heading, table in tables.items()
        if len(table) > 1
    }


def _mean(shares: Sequence[ShareFigures | None]) -> EstimateFigures:
    """Return the mean of independent shares, with limits made from theirs (MOVER)."""
    bounds = [Bounds(one["accuracy"], one["low"], one["high"]) for one in shares if one is not None]
    if not bounds:
        return NOTHING
    mean = pooled(bounds)
    return {"value": mean.difference, "low": mean.low, "high": mean.high}
