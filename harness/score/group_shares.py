"""Accuracy by group with intervals, and macro averages: the mean over groups, each with the same weight."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import NamedTuple

from dtbench.harness.score.like_answers import LikeAnswers, like_answers
from dtbench.harness.score.outcomes import Answer, Groups, stand_apart
from dtbench.harness.stats.intervals import clustered_interval, share
from dtbench.harness.stats.paired_tests import Bounds, pooled
from dtbench.harness.store.paper_types import GroupFigures, MacroFigures
from dtbench.harness.store.share_types import EstimateFigures, ShareFigures
from dtbench.harness.store.types import as_fields

NOTHING: EstimateFigures = {"value": None, "low": None, "high": None}


Clip = int | str


class ShareTally:
    """Counts right answers; by clip too, unless it is known that each answer is about a clip of its own."""

    def __init__(self, *, apart: bool = False) -> None:
        self.n = self.correct = 0
        self._apart = apart
        self._clips: dict[Clip, list[int]] = {}

    def add(self, clip: Clip, *, right: bool, times: int = 1) -> None:
        """Count an answer in, or several that are alike."""
        self.n += times
        self.correct += times * right
        if not self._apart:
            counted = self._clips.setdefault(clip, [0, 0])
            counted[0] += times * right
            counted[1] += times

    def figures(self) -> ShareFigures:
        """Return the share of right answers: Wilson's interval, over clips where several answers are about one."""
        figures: ShareFigures = as_fields(share(self.correct, self.n))
        if not self._apart and len(self._clips) < self.n:
            pairs = ((float(correct), answers) for correct, answers in self._clips.values())
            figures["low"], figures["high"] = clustered_interval(pairs)
        return figures


def share_over_clips(clips: Sequence[Clip], right: Sequence[bool]) -> ShareFigures:
    """Return the share of right answers: Wilson's interval, over clips where several answers are about one."""
    tally = ShareTally()
    for clip, is_right in zip(clips, right, strict=True):
        tally.add(clip, right=is_right)
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
            self.official.add(clip, right=verdict.correct, times=times)
        self.strict.add(clip, right=alike.outcome.correct is True, times=times)
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
